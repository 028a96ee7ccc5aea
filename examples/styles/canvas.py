"""What the drawings share: smooth noise, colours, shadows, and reduction to the final size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Floats = NDArray[np.float32]

SCALE = 2
"""Everything is drawn so many times as large, and reduced: smooth edges."""


def noise(
    rng: np.random.Generator, side: int, cell: float, octaves: int = 1, gain: float = 0.5
) -> Floats:
    """Smooth random field, (side, side), mean 0 and deviation 1.

    Args:
        rng: Source of randomness.
        side: Pixels.
        cell: Size in pixels of its largest features.
        octaves: How many times features of half the size are added.
        gain: Strength of each octave against the one before.
    """
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        count = max(4, int(side / (cell / 2**octave)) + 4)
        coarse = rng.standard_normal((count, count)).astype(np.float32)
        image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        total += gain**octave * np.asarray(image)
    return (total - total.mean()) / total.std()


def streaks(rng: np.random.Generator, side: int, length: float, width: float) -> Floats:
    """Noise drawn out along the rows, (side, side), mean 0 and deviation 1."""
    raw = rng.standard_normal((side, side)).astype(np.float32)
    field = ndimage.gaussian_filter(raw, (width, length), mode="wrap")
    return field / field.std()


def colour(code: str) -> Floats:
    """RGB in [0, 1] of a code such as "#1d3f8a"."""
    return np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)], np.float32) / 255


def shadow(mask: Floats, across: float, down: float, blur: float) -> Floats:
    """The soft shadow that a mask throws to the lower right."""
    return ndimage.gaussian_filter(ndimage.shift(mask, (down, across), order=1), blur)


def reduced(picture: Floats, side: int) -> Image.Image:
    """(S, S, 3) in about [0, 1] as a picture of `side` pixels."""
    pixels = (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
