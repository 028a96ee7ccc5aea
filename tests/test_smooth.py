"""Smoothing: steadier, without what is gone staying in sight."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nst.cli import main
from nst.errors import NstError
from nst.flicker.measure import Contender, known_takes, measure
from nst.flicker.photos import default_photos
from nst.flicker.smooth import DEFAULT_STRENGTH, Smoother, smoothing
from nst.images import load, stretch

cv2 = pytest.importorskip("cv2")

Pixels = NDArray[np.uint8]
SIDE = 160


def texture(seed: int, height: int = SIDE, width: int = SIDE, grain: int = 5) -> Pixels:
    """A random picture with detail that motion can be seen by."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 226, (height // grain, width // grain, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(image)


def noisy(strength: float = 20.0) -> Callable[[Pixels], Pixels]:
    """A model that flickers at random."""
    random = np.random.default_rng(0)

    def model(frame: Pixels) -> Pixels:
        noise = random.normal(0, strength, frame.shape)
        return (frame * 0.5 + 64 + noise).clip(0, 255).astype(np.uint8)

    return model


def crossing(step: int, count: int = 8) -> list[Pixels]:
    """Frames of an object that crosses a still background."""
    scene, thing = texture(0), texture(1, 40, 40)
    frames = []
    for number in range(count):
        frame = scene.copy()
        frame[60:100, 8 + step * number : 48 + step * number] = thing
        frames.append(frame)
    return frames


def test_it_halves_the_error_of_every_kind_of_motion() -> None:
    photos = [stretch(load(path), (285, 190)) for path in default_photos()[:2]]
    takes = known_takes(photos, size=SIDE, count=6, seed=0)
    model = noisy()
    contenders = [Contender("plain", model), Contender("smooth", model, Smoother)]
    found = measure(takes, contenders)
    for kind, error in found["smooth"].by_kind.items():
        assert error < 0.5 * found["plain"].by_kind[kind], kind
    assert found["smooth"].overall < 0.4 * found["plain"].overall


def test_more_strength_is_steadier_and_none_changes_nothing() -> None:
    found = []
    for strength in (0.0, 0.4, 0.8):
        takes = known_takes([load(default_photos()[0])], size=SIDE, count=4, seed=0)
        smoother = functools.partial(Smoother, strength)
        found.append(measure(takes, [Contender("it", noisy(), smoother)])["it"].overall)
    assert found[0] > found[1] > found[2]
    frame = texture(0)
    same = Smoother(0.0)
    for seed in range(3):
        picture = texture(seed)
        np.testing.assert_array_equal(same(frame, picture), picture)


def test_a_still_scene_gets_the_recursive_mean() -> None:
    frame, first, second = texture(0), texture(1), texture(2)
    smooth = Smoother(0.75)
    np.testing.assert_array_equal(smooth(frame, first), first)
    found = smooth(frame, second).astype(float)
    expected = second + 0.75 * (first.astype(float) - second)
    np.testing.assert_allclose(found[8:-8, 8:-8], expected[8:-8, 8:-8], atol=1.5)


@pytest.mark.parametrize("step", [1, 2, 5, 9])
@pytest.mark.parametrize("strength", [DEFAULT_STRENGTH, 0.95])
def test_what_moves_leaves_no_ghost(step: int, strength: float) -> None:
    smooth = Smoother(strength)
    kept = []
    for frame in crossing(step, 20 if step < 5 else 8):
        # The picture is the frame itself: anything else in the result is of another time.
        found = smooth(frame, frame).astype(int)
        kept.append(np.abs(found - frame).max(axis=2))
    assert np.max(kept) <= 20  # without the witness over 80, as the next test shows
    assert np.percentile(kept, 99) <= 8


def test_the_flow_alone_would_leave_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(self: Smoother, frame: Any, seen: Any) -> Any:
        return np.ones(frame.shape[:2], np.float32)

    monkeypatch.setattr(Smoother, "_trust", blind)
    smooth = Smoother(0.95)
    kept = [np.abs(smooth(frame, frame).astype(int) - frame).max() for frame in crossing(1, 20)]
    assert np.max(kept) > 80


@pytest.mark.parametrize("noise", [2.0, 8.0])
def test_noisy_frames_are_smoothed_too(noise: float) -> None:
    random = np.random.default_rng(0)
    smooth, before, changes = Smoother(), None, []
    for _ in range(6):
        frame = (texture(0) + random.normal(0, noise, (SIDE, SIDE, 3))).clip(0, 255)
        found = smooth(frame.astype(np.uint8), frame.astype(np.uint8)).astype(float)
        if before is not None:
            changes.append(np.std(found - before))
        before = found
    assert np.mean(changes) < 0.5 * noise * 2**0.5


def test_a_cut_starts_anew() -> None:
    smooth = Smoother()
    for _ in range(3):
        smooth(texture(0), texture(1))
    np.testing.assert_array_equal(smooth(texture(2), texture(3)), texture(3))


def test_another_size_starts_anew() -> None:
    smooth = Smoother()
    smooth(texture(0), texture(1))
    picture = texture(3, 80, 120)
    np.testing.assert_array_equal(smooth(texture(2, 80, 120), picture), picture)


def test_inputs_are_left_alone_and_the_range_is_kept() -> None:
    frame = texture(0)
    picture = np.where(texture(1) > 128, 255, 0).astype(np.uint8)
    before = frame.copy(), picture.copy()
    smooth = Smoother()
    for shift in range(4):
        found = smooth(np.roll(frame, shift, axis=1), np.roll(picture, shift, axis=1))
        assert (found.dtype, found.shape) == (np.uint8, picture.shape)
        # Wrapped values would be far from the picture where it is black or white.
        middle = (slice(20, -20), slice(20, -20))
        error = np.abs(found[middle].astype(int) - np.roll(picture, shift, axis=1)[middle])
        assert np.percentile(error, 99) < 128
    np.testing.assert_array_equal(frame, before[0])
    np.testing.assert_array_equal(picture, before[1])


def test_tiny_frames() -> None:
    for height, width in ((1, 1), (2, 7), (12, 12), (3, 150), (150, 15), (16, 16), (17, 150)):
        smooth = Smoother()
        frame = texture(0)[:height, :width]
        for _ in range(3):
            np.testing.assert_allclose(smooth(frame, frame), frame, atol=1)


@pytest.mark.parametrize("strength", [-0.1, 1.0, float("nan")])
def test_wrong_strength(strength: float) -> None:
    with pytest.raises(NstError, match="give 0 to less than 1"):
        Smoother(strength)


def test_options_of_the_command_line() -> None:
    assert smoothing(False, None) is None
    assert smoothing(True, None) == DEFAULT_STRENGTH
    assert smoothing(False, 0.3) == smoothing(True, 0.3) == 0.3
    with pytest.raises(NstError, match="strength of smoothing is 2"):
        smoothing(False, 2)


@pytest.mark.parametrize("command", ["stylise", "flicker"])
def test_the_help_says_the_default(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"by default {DEFAULT_STRENGTH}" in " ".join(capsys.readouterr().out.split())


def test_without_opencv_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(NstError, match=r"smoothing needs OpenCV: .* 'nst\[video\]'"):
        smoothing(True, None)
    assert smoothing(False, None) is None
