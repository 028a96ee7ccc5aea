"""`nst stylise` as a process of its own: pipes, Ctrl-C, and what it imports."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nst.images import encode

MakeModel = Callable[..., Path]
PHOTO = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)


def nst(*words: str, **kwargs: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-W", "error", "-m", "nst", *words]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **kwargs)


def test_a_process_from_stdin_to_stdout(make_model: MakeModel) -> None:
    model = str(make_model())
    done = nst("stylise", "-", "--model", model, input=encode(PHOTO, "png"))
    assert done.returncode == 0
    assert done.stderr == b""
    image = Image.open(io.BytesIO(done.stdout))
    assert image.format == "PNG"
    np.testing.assert_array_equal(np.asarray(image), 255 - PHOTO)
    done = nst("stylise", "-", "--model", model, "--format", "jpg", input=encode(PHOTO, "png"))
    assert Image.open(io.BytesIO(done.stdout)).format == "JPEG"
    done = nst("stylise", "-", "--model", model, input=b"")
    assert done.returncode == 2
    assert done.stderr == b"nst: error: <stdin> is empty: give a picture.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_stdout(make_model: MakeModel) -> None:
    command = [sys.executable, "-m", "nst", "stylise", "-", "--model", str(make_model())]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, input=encode(PHOTO, "png"), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"nst: error: cannot write to <stdout> (No space left")


def test_a_process_with_a_bad_picture(make_model: MakeModel, tmp_path: Path) -> None:
    done = nst("stylise", "none.jpg", "--model", str(make_model()), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"nst: error: cannot read none.jpg")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_in_a_process(make_model: MakeModel, tmp_path: Path) -> None:
    words = ["stylise", "-", "-o", "out.png", "--model", str(make_model())]
    # The notice comes when the model is loaded and stdin, which never ends, is about to be read.
    code = (
        "import sys, nst.cli, nst.cli.worker as worker\n"
        "load = worker.load\n"
        "def announced(*args, **kwargs):\n"
        "    print('reading', file=sys.stderr, flush=True)\n"
        "    return load(*args, **kwargs)\n"
        "worker.load = announced\n"
        "sys.exit(nst.cli.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"reading\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        # A signal that comes just before the read does not end it: the end of stdin does then.
        assert process.communicate(timeout=60)[1] == b"nst: interrupted\n"
        assert process.returncode == 130
    assert not (tmp_path / "out.png").exists()


def test_the_command_leaves_torch_alone(make_model: MakeModel, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(PHOTO, "png"))
    code = (
        "import sys\n"
        "from nst.cli import main\n"
        "assert 'numpy' not in sys.modules\n"
        "assert main(['--help']) == 0\n"
        "assert 'jsonargparse' not in sys.modules\n"
        "assert main(['styles', '--json']) == 0\n"
        "try:\n"
        "    main(['stylise', '--help'])\n"
        "except SystemExit:\n"
        "    assert 'onnxruntime' not in sys.modules\n"
        "assert main(sys.argv[1:]) == 0\n"
        "assert not {'torch', 'onnx', 'rich.progress', 'av'} & set(sys.modules)\n"
    )
    words = ["stylise", "a.png", "-o", "b.png", "--model", str(make_model())]
    command = [sys.executable, "-W", "error", "-c", code, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
