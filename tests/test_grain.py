"""Grain: noise for flat parts of a photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nst import shipped
from nst.cli import main
from nst.errors import NstError
from nst.grain import grained
from nst.images import load, save
from nst.styliser import Styliser

MakeModel = Callable[..., Path]


def half_flat() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Grey on the left, noise on the right."""
    rgb = np.full((60, 90, 3), 128, np.uint8)
    rgb[:, 45:] = np.random.default_rng(1).integers(0, 256, (60, 45, 3), np.uint8)
    return rgb


def test_flat_parts_get_smooth_noise_and_others_none() -> None:
    rgb = half_flat()
    change = grained(rgb, 0.04).astype(int) - rgb
    assert (change == change[..., :1])[:, :45].all()  # grey noise: no colours of its own
    flat = change[:, :36, 0] / 255
    assert 0.02 < flat.std() < 0.04
    assert np.abs(flat.mean()) < 0.01
    assert np.abs(np.diff(flat, axis=1)).mean() < flat.std() / 2
    assert np.abs(change[:, 56:]).max() <= 1


def test_none_changes_nothing() -> None:
    np.testing.assert_array_equal(grained(half_flat(), 0), half_flat())


def test_it_is_the_same_each_time_and_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = half_flat()
    first = grained(rgb, 0.1)
    np.testing.assert_array_equal(grained(rgb, 0.1), first)
    monkeypatch.setattr("nst.images.picture._STRIP", 400)
    assert np.abs(grained(rgb, 0.1).astype(int) - first).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3)])
def test_small_pictures(size: tuple[int, int]) -> None:
    rgb = np.full((*size, 3), 255, np.uint8)
    assert grained(rgb, 0.5).shape == rgb.shape


def test_only_the_network_sees_it(make_model: MakeModel) -> None:
    rgb, styliser = half_flat(), Styliser(make_model())
    np.testing.assert_array_equal(styliser(rgb, grain=0.1), 255 - grained(rgb, 0.1))
    np.testing.assert_array_equal(styliser(rgb, grain=0.1, strength=0), rgb)
    with pytest.raises(NstError, match=r"grain is 2: give a number from 0 to 1\."):
        styliser(rgb, grain=2)


def test_photos_get_what_suits_the_style_and_clips_none(
    make_model: MakeModel, make_clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(make_model("styles/inverse.onnx"))
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "styles")
    monkeypatch.setattr(shipped, "_GRAIN", {"inverse": 0.1})
    rgb, target = half_flat(), tmp_path / "out.png"
    save(rgb, tmp_path / "photo.png")

    def made(*words: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        assert main(["stylise", str(tmp_path / "photo.png"), "-o", str(target), *words]) == 0
        return load(target).rgb

    np.testing.assert_array_equal(made("--style", "inverse"), 255 - grained(rgb, 0.1))
    np.testing.assert_array_equal(made("--style", "inverse", "--grain", "0"), 255 - rgb)
    np.testing.assert_array_equal(made("--model", model), 255 - rgb)
    clip = make_clip(colours=[(128, 128, 128)])
    words = ["stylise", str(clip), "--style", "inverse", "-o", str(tmp_path / "out.gif")]
    assert main(words) == 0
    first = load(tmp_path / "out.gif").rgb
    assert first[14:, 18:].std(axis=(0, 1)).max() < 2
    for number, inputs in enumerate([["photo.png", "out.gif"], ["out.gif", "photo.png"]]):
        both = tmp_path / str(number)
        words = [str(tmp_path / name) for name in inputs]
        assert main(["stylise", *words, "--style", "inverse", "-o", str(both)]) == 0
        np.testing.assert_array_equal(load(both / "photo.png").rgb, 255 - grained(rgb, 0.1))
        assert load(both / "out.gif").rgb[14:, 18:].std(axis=(0, 1)).max() < 2
