"""Means and variances of a whole, put together from those of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Channels: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True)
class Moments:
    """Of some pixels, for each channel.

    Attributes:
        count: How many pixels.
        mean: Their mean, (C,).
        squares: The sum of their squared distances from it, (C,).
    """

    count: int
    mean: Channels
    squares: Channels

    def merged(self, other: Moments) -> Moments:
        """Those of both parts together (Chan, Golub and LeVeque 1979, equation 2.1)."""
        count = self.count + other.count
        away = other.mean - self.mean
        mean = self.mean + away * (other.count / count)
        between = away**2 * (self.count * other.count / count)
        return Moments(count, mean, self.squares + other.squares + between)

    def affine(
        self, scale: Channels, shift: Channels, epsilon: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Factor and summand, (1, C, 1, 1), that make of these pixels what instance norm makes.

        scale · (x - mean) / √(variance + epsilon) + shift, the variance that of the population
        (Ulyanov et al., arXiv 1607.08022).
        """
        factor = scale / np.sqrt(self.squares / self.count + epsilon)
        summand = shift - self.mean * factor
        shape = (1, -1, 1, 1)
        return factor.reshape(shape).astype(np.float32), summand.reshape(shape).astype(np.float32)
