from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nst import shipped
from nst.cli import main
from nst.flicker import photos as default
from nst.images import encode

MakeModel = Callable[..., Path]
FAST = ["--size", "64", "--frames", "2"]


@pytest.fixture
def here(make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two photos, one shipped style that inverts colours, and a default photo."""
    make_model("styles/inverse.onnx")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "styles")
    monkeypatch.setattr(shipped, "DEFAULT_STYLE", "inverse")
    folder = tmp_path / "here"
    for name in ("own/a.png", "own/b.jpg", "given/c.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        photo = np.random.default_rng(len(name)).integers(0, 256, (80, 90, 3), np.uint8)
        path.write_bytes(encode(photo, path.suffix))
    monkeypatch.setattr(default, "FOLDER", folder / "given")
    monkeypatch.setattr(default, "NAMES", ("c",))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")
    return folder


def fails(capsys: Any, words: list[str]) -> str:
    assert main(["flicker", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("nst: error: ")
    return str(err)


def test_models_side_by_side(here: Path, make_model: MakeModel, capsys: Any) -> None:
    first, second = make_model("x/one.onnx"), make_model("y/one.onnx")
    words = [str(first), str(second), "inverse", "own", *FAST, "--json", "report.json"]
    assert main(["flicker", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "fast pan" in out
    report = json.loads((here / "report.json").read_text())
    assert report["photos"] == ["a.png", "b.jpg"]
    assert (report["size"], report["frames"], report["seed"]) == (64, 2, 0)
    assert list(report["errors"]) == ["the frames themselves", "one", str(second), "inverse"]
    frames, *models = report["errors"].values()
    assert list(frames) == ["slow pan", "pan", "fast pan", "zoom", "noise", "all"]
    for model in models:
        assert model == pytest.approx(frames, abs=0.1)  # inversion moves with its input
        assert f"{model['all']:.2f}" in out


@pytest.mark.parametrize("words", [["--smooth"], ["--smooth-strength", "0.5"]])
def test_smoothing_beside_the_plain_model(here: Path, words: list[str]) -> None:
    pytest.importorskip("cv2")
    assert main(["flicker", "inverse", *FAST, *words, "--json", "r.json"]) == 0
    report = json.loads((here / "r.json").read_text())
    assert report["smooth_strength"] == (0.5 if len(words) == 2 else 0.8)
    assert list(report["errors"]) == ["the frames themselves", "inverse", "inverse, smoothed"]
    _, plain, smooth = report["errors"].values()
    assert smooth["noise"] < 0.8 * plain["noise"]


def test_without_opencv_only_smoothing_is_amiss(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "needs OpenCV" in fails(capsys, ["inverse", *FAST, "--smooth"])
    assert main(["flicker", "inverse", *FAST]) == 0


def test_it_imports_nothing_that_it_does_not_need() -> None:
    code = "import sys, nst.cli.flicker; print({'torch', 'cv2', 'av'} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout.split() == [b"set()"]


@pytest.mark.parametrize("words", [["inverse"], ["given"], ["inverse", "given/*.jpg"]])
def test_style_and_photos_have_defaults(here: Path, words: list[str]) -> None:
    assert main(["flicker", *words, *FAST, "--json", "r.json"]) == 0
    report = json.loads((here / "r.json").read_text())
    assert list(report["errors"]) == ["the frames themselves", "inverse"]
    assert report["photos"] == ["c.jpg"]


def test_the_same_command_gives_the_same_numbers(here: Path) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        words = ["inverse", *FAST, "--seed", seed, "--json", f"{name}.json"]
        assert main(["flicker", *words]) == 0
    first, again, other = ((here / f"{name}.json").read_text() for name in "abc")
    assert first == again != other


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "INPUTS missing"),
        (["invers"], "did you mean 'inverse'"),
        (["none.onnx"], "cannot read the model none.onnx"),
        (["none.jpg"], "cannot read none.jpg"),
        (["text.jpg"], "not a picture"),
        (["dot.png"], "dot.png has 1×1 pixels"),
        (["empty"], "no pictures in the folder empty"),
        (["*.nope"], "nothing matches"),
        (["-"], "no photo from stdin"),
        (["inverse", "--size", "63"], "--size is 63: give 64"),
        (["inverse", "--size", "640"], "smaller --size"),
        (["inverse", "--frames", "1"], "--frames is 1: give 2"),
        (["inverse", "--json", "no/where.json"], "cannot write no/where.json"),
        (["inverse", "--json", "own"], "it is a folder"),
        (["inverse", "--smooth-strength", "1"], "strength of smoothing is 1"),
        (["inverse", "--provider", "gpu"], "unknown provider 'gpu'"),
    ],
)
def test_one_line_for_what_is_wrong(
    here: Path, capsys: Any, words: list[str], message: str
) -> None:
    (here / "text.jpg").write_text("no picture")
    (here / "dot.png").write_bytes(encode(np.zeros((1, 1, 3), np.uint8), "png"))
    (here / "empty").mkdir()
    # Of an option that is given twice, the last counts.
    inputs, options = [w for w in words[:1] if w[:2] != "--"], words[1:]
    assert message in fails(capsys, [*inputs, *FAST, *options])
    assert sorted(path.name for path in here.iterdir()) == [
        "dot.png",
        "empty",
        "given",
        "own",
        "text.jpg",
    ]


def test_gone_default_photos(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(default, "NAMES", ("lost",))
    assert "or give photos" in fails(capsys, ["inverse", *FAST])


def test_the_shipped_model_for_motion_flickers_half_as_much(tmp_path: Path) -> None:
    photo = Path(__file__).parent.parent / "examples" / "photos" / "lemurs.jpg"
    names = ["starry-night-live", "starry-night-live-stable"]
    report = tmp_path / "report.json"
    assert main(["flicker", *names, str(photo), "--frames", "3", "--json", str(report)]) == 0
    errors = json.loads(report.read_text())["errors"]
    assert errors[names[1]]["all"] < 0.5 * errors[names[0]]["all"]
    assert shipped.find("starry-night", moving=True).path.stem == names[1]
