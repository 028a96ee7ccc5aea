"""What the shipped models make of walls, skies and nights: no grid, no blobs, no rims, no lattice.

A flat picture has no contrast that instance norm could stretch; with the noise of a camera it has.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nst import shipped
from nst.compare.pictures import read_square
from nst.images import load as read
from nst.shipped import ShippedStyle
from nst.styliser import Styliser
from nst.tensors import resize_short_side, to_tensor
from train.spectrum import excess_power, power_spectrum

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"

MODELS = [style.path for style in shipped.styles()]
SIZES = [(203, 301), (256, 256)]
GREYS = {"black": 0, "grey": 128, "white": 255}

model = pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
shade = pytest.mark.parametrize("grey", GREYS.values(), ids=GREYS.keys())
size = pytest.mark.parametrize("size", SIZES, ids=str)


@cache
def load(path: Path) -> Styliser:
    return Styliser(path, provider="cpu")


def flat(size: tuple[int, int], grey: int, noise: float = 0.0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    pixels = grey + noise * rng.standard_normal((*size, 3))
    return pixels.round().clip(0, 255).astype(np.uint8)


def peak(picture: NDArray[np.uint8], period: int) -> float:
    """How far the power at a period stands out of that around it, the larger of both directions."""
    found = []
    for axis in (0, 1):
        rows = np.moveaxis(picture.astype(float).mean(2), axis, 0)
        # Whole periods, with nothing at the borders that would leak.
        rows = rows[8 : 8 + (len(rows) - 16) // 8 * 8]
        power = (np.abs(np.fft.rfft(rows - rows.mean(), axis=0)) ** 2).mean(1)
        at = len(rows) // period
        around = np.r_[power[max(1, at - 6) : at - 1], power[at + 2 : at + 7]]
        found.append(power[at] / (around.mean() + 1e-9 + 1e-3 * power[1:].mean()))
    return max(found)


def test_the_measure_finds_a_grid_that_can_hardly_be_seen() -> None:
    picture = flat((256, 256), 128, noise=8.0)
    for period in (2, 4, 8):
        assert peak(picture, period) < 2
        grid = picture.copy()
        grid[::period] = np.minimum(grid[::period].astype(int) + 6, 255)
        assert peak(grid, period) > 4


@model
@shade
@size
def test_flat_stays_flat(path: Path, grey: int, size: tuple[int, int]) -> None:
    result = load(path)(flat(size, grey)).astype(int)
    assert np.ptp(result, axis=(0, 1)).max() <= 1


@model
@shade
@size
def test_a_noisy_wall_gets_no_grid_blobs_or_rims(
    path: Path, grey: int, size: tuple[int, int]
) -> None:
    result = load(path)(flat(size, grey, noise=2.0))
    for period in (2, 4, 8):
        assert peak(result, period) < 4, period
    light = result.astype(float).mean(2)
    inner = light[16:-16, 16:-16]
    # A blob is a spot that is far from all else, a rim a border that is.
    trimmed = inner[: inner.shape[0] // 8 * 8, : inner.shape[1] // 8 * 8]
    spots = trimmed.reshape(trimmed.shape[0] // 8, 8, -1, 8).mean((1, 3))
    assert np.abs(spots - np.median(spots)).max() < 6 * spots.std() + 4
    for rim in (light[:4], light[-4:], light[:, :4], light[:, -4:]):
        assert abs(rim.mean() - inner.mean()) < 2 * inner.std() + 4


# Those whose painting is here.
@pytest.mark.parametrize(
    "style", [s for s in shipped.styles() if s.style_image], ids=lambda s: s.path.stem
)
def test_no_mark_repeats_more_than_in_the_style_and_the_photo(style: ShippedStyle) -> None:
    assert style.style_image is not None
    painting = resize_short_side(read(style.style_image).rgb, style.facts.style_size)
    allowed = power_spectrum(to_tensor(painting))
    found = []
    for name in ("mont-saint-michel", "owl", "bridge-at-night"):
        photo = read_square(PHOTOS / f"{name}.jpg", 256)
        made = to_tensor(load(style.path)(photo))
        found.append(excess_power(made, to_tensor(photo), allowed).item())
    assert np.mean(found) < 0.04
