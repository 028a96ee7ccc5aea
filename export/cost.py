"""What a variant of a model costs in quality, against the model in float32."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nst.compare.models import Judge
from nst.errors import NstError
from nst.styliser import Styliser
from nst.tensors import to_tensor

MOST_LOSS = 1.03
LEAST_PSNR = 30.0
"""Bounds of a variant: its held-out total over that of float32, and PSNR in decibels."""


@dataclass(frozen=True)
class Cost:
    """Of a variant, on photos.

    Attributes:
        total: Mean of its totals over that of the model in float32.
        psnr: Mean over the photos of the pictures' PSNR against those in float32, in decibels.
        lowest_psnr: The lowest of them.
        photos: How many photos.
    """

    total: float
    psnr: float
    lowest_psnr: float
    photos: int

    def as_facts(self) -> dict[str, float]:
        """The numbers as a sidecar keeps them."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        """In words."""
        return (
            f"{self.total:.3f} times the held-out total of fp32, and {self.psnr:.1f} dB PSNR "
            f"against it ({self.lowest_psnr:.1f} at the least) over {self.photos} photos"
        )

    def after(self, earlier: Mapping[str, float]) -> Cost:
        """This cost and what the model had lost before, with squared errors that add up.

        Args:
            earlier: `as_facts` of that; empty if it had lost nothing.
        """
        if not earlier:
            return self

        def both(now: float, before: float) -> float:
            return -10 * math.log10(10 ** (-now / 10) + 10 ** (-before / 10))

        return Cost(
            self.total * earlier["total"],
            both(self.psnr, earlier["psnr"]),
            both(self.lowest_psnr, earlier["lowest_psnr"]),
            self.photos,
        )

    def check(self, precision: str) -> None:
        """Refuse what costs too much.

        Raises:
            NstError: It does.
        """
        if self.total > MOST_LOSS or self.psnr < LEAST_PSNR:
            raise NstError(
                f"{precision} has {self.total:.3f} times the held-out total of fp32 and "
                f"{self.psnr:.1f} dB PSNR against it, where {MOST_LOSS} and {LEAST_PSNR:.0f} dB "
                "are the bounds: export fp32, or give --allow-loss."
            )


def measure(full: Path, variant: Path, judge: Judge, photos: Sequence[NDArray[np.uint8]]) -> Cost:
    """Run both models on photos and compare their 8-bit pictures.

    Args:
        full: The model in float32.
        variant: The other one.
        judge: The loss they were trained with.
        photos: (H, W, 3) each.
    """
    stylisers = [Styliser(path, provider="cpu") for path in (full, variant)]
    totals: list[list[float]] = []
    decibels: list[float] = []
    for photo in photos:
        pictures = [styliser(photo) for styliser in stylisers]
        with torch.no_grad():
            targets = judge.loss.content_targets(to_tensor(photo))
            totals.append([judge.loss(to_tensor(p), targets).total.item() for p in pictures])
        decibels.append(psnr(*pictures))
    of_full, of_variant = np.mean(totals, axis=0)
    return Cost(float(of_variant / of_full), float(np.mean(decibels)), min(decibels), len(photos))


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two 8-bit pictures in decibels; 99 where they are the same."""
    error = float(((one.astype(np.float64) - other) ** 2).mean())
    return 99.0 if not error else float(min(99.0, 10 * np.log10(255**2 / error)))
