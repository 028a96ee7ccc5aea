"""The warping error: how much a picture differs from the one before it, moved as the camera did.

E = ‖M ⊙ (o_t - W(o_{t-1}))‖² / (3 |M|), with o the pictures, W the motion and M the pixels where
it is known (Lai et al. 2018, "Learning Blind Video Temporal Consistency"). What is shown is √E, in
1/255, as in Gao et al. 2018, "ReCoNet": half of it is a quarter of Lai's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.flicker.motion import Step

BORDER = 16
"""Pixels at a frame's edges that are not judged: networks see the edge, which moves otherwise."""


@dataclass(frozen=True)
class Squares:
    """Squared differences, summed.

    Attributes:
        total: Their sum.
        count: Their number.
    """

    total: float = 0.0
    count: int = 0

    def __add__(self, other: Squares) -> Squares:
        return Squares(self.total + other.total, self.count + other.count)

    @property
    def root_mean(self) -> float:
        """The root of their mean; not a number if there are none."""
        return math.sqrt(self.total / self.count) if self.count else math.nan

    @classmethod
    def of(cls, difference: NDArray[np.float32]) -> Squares:
        """Those of any array."""
        return cls(float(np.square(difference, dtype=np.float64).sum()), difference.size)


def known_error(previous: NDArray[np.uint8], current: NDArray[np.uint8], step: Step) -> Squares:
    """The squared differences of a picture and the one before it, moved by a known step.

    Args:
        previous: (H, W, 3).
        current: (H, W, 3).
        step: Where each point of `current` was in `previous`.

    Returns:
        Those of all pixels at least `BORDER` from the edges of both pictures, in 1/255.
    """
    height, width = current.shape[:2]
    left, right = _inside(width, step.scale, step.x)
    top, bottom = _inside(height, step.scale, step.y)
    if left >= right or top >= bottom:
        return Squares()
    # Lanczos' kernel: a bicubic one blurs what moves by half a pixel more, which would be counted.
    box = (
        left * step.scale + step.x,
        top * step.scale + step.y,
        right * step.scale + step.x,
        bottom * step.scale + step.y,
    )
    moved = [
        Image.fromarray(plane.astype(np.float32)).resize(
            (right - left, bottom - top), Image.Resampling.LANCZOS, box=box
        )
        for plane in previous.transpose(2, 0, 1)
    ]
    before = np.stack([np.asarray(plane) for plane in moved], axis=2).clip(0, 255)
    return Squares.of(current[top:bottom, left:right] - before)


def _inside(side: int, scale: float, shift: float) -> tuple[int, int]:
    """First and end of the pixels that are within the borders of both pictures."""
    first = max(BORDER, (BORDER - shift) / scale)
    end = min(side - BORDER, (side - BORDER - shift) / scale)
    return math.ceil(first), math.floor(end)
