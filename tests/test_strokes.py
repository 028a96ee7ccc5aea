"""Larger strokes: stylised small, enlarged, and sharp."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nst.cli import main
from nst.colour import luminance
from nst.errors import NstError
from nst.images import Picture, load, resize, save, stretch
from nst.styliser import Styliser

MakeModel = Callable[..., Path]
SIZE = (50, 37)


def photo() -> Picture:
    """Smooth, but for a line."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(60, 200, (4, 5, 3), np.uint8))
    rgb = np.array(coarse.resize(SIZE, Image.Resampling.BICUBIC))
    rgb[20] = 255
    return Picture(rgb, rng.integers(0, 256, rgb.shape[:2], np.uint8), name="photo")


@pytest.mark.parametrize("strip", [1 << 20, 200, 1])
def test_the_painting_is_enlarged_and_the_photo_adds_its_detail(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, strip: int
) -> None:
    monkeypatch.setattr("nst.images.picture._STRIP", strip)
    picture = photo()
    small = resize(picture, 20)
    made = Styliser(make_model()).stylise(picture, stroke_scale=2.5)
    assert made.alpha is picture.alpha
    inverted = Picture(255 - small.rgb, name="small")
    large, blurred = (stretch(p, SIZE).rgb.astype(float) / 255 for p in (inverted, small))
    sharp = picture.rgb / 255.0
    expected = (large + luminance(sharp) - luminance(blurred)).clip(0, 1)
    # Pillow rounds each of the two to 8 bits, one way in strips and another in one piece.
    assert np.abs(made.rgb / 255.0 - expected).max() < 2.6 / 255
    # The line is in the result, though the network never saw one so thin.
    grey = luminance(made.rgb).astype(int)[..., 0]
    assert (grey[20] - grey[18]).min() > 20


def test_strength_and_colours_are_of_the_whole_photo(make_model: MakeModel) -> None:
    picture, styliser = photo(), Styliser(make_model())
    for options in ({"strength": 0.0}, {"strength": 0.0, "keep_colour": True}):
        same = styliser.stylise(picture, stroke_scale=3, **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(same.rgb, picture.rgb)
    kept = styliser.stylise(picture, stroke_scale=3, keep_colour=True).rgb.astype(int)
    inside = ((kept > 0) & (kept < 255)).all(axis=2)
    chroma = kept[..., 0] - kept[..., 1]
    expected = picture.rgb[..., 0].astype(int) - picture.rgb[..., 1]
    assert inside.mean() > 0.5
    assert np.abs(chroma - expected)[inside].max() <= 1


def test_one_is_no_scale(make_model: MakeModel) -> None:
    rgb = photo().rgb
    np.testing.assert_array_equal(Styliser(make_model())(rgb, stroke_scale=1), 255 - rgb)


def test_memory_is_left_for_the_whole_photo(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a picture of the shrunk photo's own size."""
    asked = []

    def at_once(self: Styliser, pixels: int, of_result: int) -> float:
        asked.append((pixels, of_result))
        return pixels

    monkeypatch.setattr(Styliser, "_pixels_at_once", at_once)
    styliser, rgb = Styliser(make_model()), photo().rgb
    styliser(rgb[:18, :25])
    for _ in range(2):
        styliser(rgb[:36], stroke_scale=2)
    assert asked == [(450, 450), (450, 1800)]


@pytest.mark.parametrize("scale", [0.5, float("nan"), float("inf")])
def test_wrong_scales(make_model: MakeModel, scale: float) -> None:
    with pytest.raises(NstError, match=r"the stroke scale is .*: give 1 or more\."):
        Styliser(make_model())(photo().rgb, stroke_scale=scale)


def test_too_large_for_the_photo(make_model: MakeModel) -> None:
    with pytest.raises(NstError, match=r"photo comes to 5×4 .* or a smaller stroke scale"):
        Styliser(make_model(min_size=5)).stylise(photo(), stroke_scale=10)


def test_from_the_command_line(make_model: MakeModel, make_clip: Any, tmp_path: Path) -> None:
    model = str(make_model())
    save(photo().rgb, tmp_path / "photo.png")
    for source, target in ((tmp_path / "photo.png", "out.png"), (make_clip(), "out.gif")):
        words = ["stylise", str(source), "--model", model, "-o", str(tmp_path / target)]
        assert main([*words, "--stroke-scale", "2"]) == 0
    expected = Styliser(model)(photo().rgb, stroke_scale=2)
    np.testing.assert_array_equal(load(tmp_path / "out.png").rgb, expected)
    assert load(tmp_path / "out.gif").size == (32, 24)
