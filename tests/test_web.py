"""The exported page as files, and its server."""

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from threading import Thread

import pytest

from export import web as module
from export.__main__ import main
from nst import shipped
from nst.cli import main as nst
from nst.cli.web import server

MODEL = next(s.path for s in shipped.styles() if s.network == "live")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds a stand-in for the runtime."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "nst" / f"{module.RUNTIME}-{module.RUNTIME_VERSION}"
    folder.mkdir(parents=True)
    for name in module._RUNTIME_FILES:
        (folder / name).write_text(name)
    return folder


def test_the_folder_holds_all_the_page_needs(runtime: Path, tmp_path: Path) -> None:
    site = tmp_path / "out" / "site"
    assert main(["web", str(MODEL), "-o", str(site)]) == 0
    found = json.loads((site / "models.json").read_text())
    (entry,) = found["models"]
    assert entry["grain"] == next(s.grain for s in shipped.styles() if s.path == MODEL)
    assert (site / entry["file"]).read_bytes() == MODEL.read_bytes()
    assert (site / entry["thumbnail"]).stat().st_size > 1000
    assert (site / found["example"]).is_file()
    assert {p.name for p in (site / "ort").iterdir()} == set(module._RUNTIME_FILES)
    kept = (site / "offline.js").read_text()
    assert "VERSION" not in kept.split("const FILES")[0].split("const CACHE")[1]
    listed = json.loads(kept.split("const FILES = ")[1].split(";\n")[0])
    assert entry["file"] in listed
    assert all((site / name).exists() for name in listed)
    assert not any("webgpu" in name for name in listed)


def test_a_page_is_replaced_and_other_folders_are_not(
    runtime: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    assert main(["web", str(MODEL), "-o", str(site)]) == 0
    assert main(["web", str(MODEL), "-o", str(site)]) == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    assert main(["web", str(MODEL), "-o", str(other)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert (other / "thesis.txt").read_text() == "mine"
    assert main(["web", str(MODEL), "-o", str(other / "thesis.txt")]) == 2
    assert "thesis.txt is a file" in capsys.readouterr().err
    assert main(["web", str(tmp_path / "no.onnx"), "-o", str(site)]) == 2
    assert "no.onnx (no such file)" in capsys.readouterr().err


def test_without_npm_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert main(["web", str(MODEL), "-o", str(tmp_path / "site")]) == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith("install Node.js with npm.")
    assert not (tmp_path / "site").exists()


def test_the_server_gives_the_headers_that_threads_need(runtime: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert main(["web", str(MODEL), "-o", str(site)]) == 0
    with server(site, 0) as found:
        Thread(target=found.serve_forever, daemon=True).start()
        port = found.server_address[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/app.js") as answer:
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            assert answer.headers["Content-Type"] == "text/javascript"
        assert nst(["web", str(site), "--port", str(port), "--no-open"]) == 2
        found.shutdown()


def test_a_browser_that_leaves_is_no_error(
    runtime: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    assert main(["web", str(MODEL), "-o", str(site)]) == 0
    (site / "large").write_bytes(bytes(50_000_000))  # more than sockets hold
    capfd.readouterr()
    with server(site, 0) as found:
        found.daemon_threads = False  # so that the end waits for them
        Thread(target=found.serve_forever, daemon=True).start()
        with socket.create_connection(("127.0.0.1", found.server_address[1])) as browser:
            browser.sendall(b"GET /large HTTP/1.0\r\n\r\n")
            browser.recv(1)
        found.shutdown()
    assert capfd.readouterr().err == ""


def test_no_page_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nst(["web", str(tmp_path), "--no-open"]) == 2
    assert "holds no page" in capsys.readouterr().err


def test_ctrl_c_ends_the_server_quietly(runtime: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert main(["web", str(MODEL), "-o", str(site)]) == 0
    command = [sys.executable, "-m", "nst", "web", str(site), "--port", "0", "--no-open"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert "Ctrl-C ends it" in running.stdout.readline()
        running.send_signal(2)
        _, errors = running.communicate(timeout=20)
    assert (running.returncode, errors) == (0, "")
