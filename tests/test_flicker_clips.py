"""The metric and the smoothing on clips, whose motion is estimated."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nst.cli import main
from nst.errors import NstError
from nst.flicker.clips import clip_take
from nst.flicker.flow import FlowEstimator, estimated_error
from nst.flicker.measure import Contender, measure
from nst.flicker.motion import MOTIONS, Motion, sequence
from nst.flicker.photos import default_photos
from nst.images import load

pytest.importorskip("cv2")

MakeModel = Callable[..., Path]
Pixels = NDArray[np.uint8]


def frames(motion: Motion = MOTIONS["pan"], photo: int = 0, count: int = 5) -> list[Pixels]:
    picture = load(default_photos()[photo])
    return [f for f, _ in sequence(picture, motion, size=128, count=count, seed=0)]


def write(path: Path, pictures: list[Pixels]) -> Path:
    """As an animation without loss."""
    first, *rest = [Image.fromarray(picture) for picture in pictures]
    first.save(path, save_all=True, append_images=rest, duration=40)
    return path


def noisy() -> Callable[[Pixels], Pixels]:
    random = np.random.default_rng(0)
    return lambda frame: (frame * 0.6 + 50 + random.normal(0, 12, frame.shape)).astype(np.uint8)


def test_estimated_motion_is_the_known_one() -> None:
    estimate = FlowEstimator("a test")
    before, now = frames(Motion(pan=(3.3, 1.4)), count=2)
    flow = estimate(before, now)
    assert flow.valid[16:-16, 16:-16].mean() > 0.9
    middle = flow.to_previous[16:-16, 16:-16][flow.valid[16:-16, 16:-16]]
    np.testing.assert_allclose(np.median(middle, axis=0), (3.3, 1.4), atol=0.1)
    # What came in from the right and from below was not there before.
    assert not flow.valid[:, -3:].any()
    assert not flow.valid[-1:].any()


def test_what_was_hidden_is_less_valid(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def texture(side: int) -> Pixels:
        coarse = Image.fromarray(random.integers(30, 226, (side // 5, side // 5, 3), np.uint8))
        return np.array(coarse.resize((side, side), Image.Resampling.BICUBIC))

    scene, thing = texture(160), texture(48)
    before, now = scene.copy(), scene.copy()
    before[56:104, 40:88] = thing
    now[56:104, 48:96] = thing
    valid = FlowEstimator("a test")(before, now).valid
    assert valid[:40].mean() > 0.9
    assert valid[62:98, 54:90].mean() > 0.85  # the thing itself, followed
    assert valid[56:104, 40:48].mean() < 0.3
    # What is valid by chance differs from what was there, and is not counted either.
    clip = write(tmp_path / "clip.png", [before, now])
    with clip_take(clip, size=160, count=2) as (_, take):
        found = measure([("clip", take)], [Contender("frames")])["frames"]
    assert found.overall < 3
    assert found.squares["clip"].count > 0.8 * now.size


def test_estimated_and_known_motion_give_about_the_same_error(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.png", frames())
    with clip_take(clip, size=128, count=99) as (count, take):
        assert count == 5
        found = measure([("clip", take)], [Contender("frames"), Contender("noisy", noisy())])
    assert found["frames"].overall < 2
    # Noise of 12 in both pictures; Lanczos' kernel takes some of the moved one's.
    assert found["noisy"].overall == pytest.approx(12 * 2**0.5, rel=0.15)


def test_a_cut_is_not_counted(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.png", frames(photo=0) + frames(photo=2))
    with clip_take(clip, size=128, count=99) as (_, take):
        found = measure([("clip", take)], [Contender("frames")])
    assert found["frames"].overall < 5  # 10 if all were counted that fits back and forth


def test_only_the_first_frames_and_shrunk(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.png", frames())
    with clip_take(clip, size=64, count=3) as (count, take):
        shapes = [frame.shape for frame, _ in take]
    assert (count, shapes) == (3, [(64, 64, 3)] * 3)


def test_no_valid_pixel_is_no_error() -> None:
    estimate = FlowEstimator("a test")
    before, now = frames(count=2)
    flow = estimate(before, now)
    flow.valid[:] = False
    assert estimated_error(before, now, flow=flow, move=estimate).count == 0


@pytest.fixture
def here(make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_model("m.onnx")
    write(tmp_path / "clip.png", frames())
    write(tmp_path / "one.gif", frames(count=2)[:1])
    (tmp_path / "text.mp4").write_text("no video")
    Image.fromarray(frames(count=2)[0]).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fails(capsys: Any, words: list[str]) -> str:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return str(err)


def test_the_command_on_a_clip(here: Path, capsys: Any) -> None:
    words = ["m.onnx", "--clip", "clip.png", "--smooth", "--clip-frames", "4", "--json", "r.json"]
    assert main(["flicker", *words]) == 0
    out, _ = capsys.readouterr()
    assert "estimated motion" in " ".join(out.split())
    report = json.loads((here / "r.json").read_text())
    assert (report["clip"], report["photos"], report["frames"]) == ("clip.png", [], 4)
    assert list(report["errors"]) == ["the frames themselves", "m", "m, smoothed"]
    errors = [errors["clip"] for errors in report["errors"].values()]
    assert errors[1] == pytest.approx(errors[0], abs=0.1)  # inversion moves with its input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clip", "none.mp4"], "cannot read none.mp4"),
        (["--clip", "text.mp4"], "text.mp4"),
        (["--clip", "one.gif"], "one frame only"),
        (["--clip", "clip.png", "--clip-frames", "1"], "--clip-frames is 1"),
        (["photo.jpg", "--clip", "clip.png", "--size", "64"], "give one of them"),
    ],
)
def test_one_line_for_what_is_wrong(
    here: Path, capsys: Any, words: list[str], message: str
) -> None:
    assert message in fails(capsys, ["flicker", "m.onnx", *words])


def test_a_clip_needs_opencv(here: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    words = ["flicker", "m.onnx", "--clip", "clip.png"]
    assert r"--clip needs OpenCV: install it" in fails(capsys, words)
    with pytest.raises(NstError, match="OpenCV"), clip_take(here / "clip.png", size=64, count=9):
        pass


def test_stylise_smooths_clips(here: Path) -> None:
    # A still scene: smoothing then averages the sensor's noise.
    write(here / "still.png", frames(Motion(noise=4.0), count=6))
    changes = []
    for words in ([], ["--smooth-strength", "0.4"], ["--smooth"]):
        assert main(["stylise", "still.png", "--model", "m.onnx", "-o", "o.png", *words]) == 0
        with Image.open(here / "o.png") as image:
            seen = []
            for number in range(6):
                image.seek(number)
                seen.append(np.asarray(image.convert("RGB")).astype(float))
        changes.append(np.std(np.diff(seen, axis=0)[1:]))
    assert changes[0] == pytest.approx(4 * 2**0.5, rel=0.1)
    assert changes[2] < 0.4 * changes[0]
    assert changes[2] < changes[1] < 0.8 * changes[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["clip.png", "--smooth-strength", "1"], "strength of smoothing is 1"),
        (["photo.jpg", "--smooth"], "--smooth is for clips"),
    ],
)
def test_wrong_smoothing(here: Path, capsys: Any, words: list[str], message: str) -> None:
    assert message in fails(capsys, ["stylise", *words, "--model", "m.onnx", "-o", "o.png"])
    assert not (here / "o.png").exists()


def test_smoothing_needs_opencv(here: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    words = ["stylise", "clip.png", "--model", "m.onnx", "-o", "o.png"]
    assert "smoothing needs OpenCV: install it" in fails(capsys, [*words, "--smooth"])
    assert main(words) == 0
