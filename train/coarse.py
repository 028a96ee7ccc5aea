"""Smaller photos in the first third of a training, whose steps take less time.

What a network learns first, a style's colours and marks, it learns from small photos as well: the
losses in relative units hardly depend on their size.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SHARE = 1 / 3
"""Share of the training in which photos are small."""


def shrunk(photos: Tensor, side: int | None, done: float) -> Tensor:
    """Photos at the size that a training has them at.

    Args:
        photos: (B, 3, H, H) uint8.
        side: Their side in the first part of the training, or None for H.
        done: Share of the training that is done.

    Returns:
        (B, 3, side, side) uint8 in the first part, and the same photos after it.
    """
    if side is None or done >= SHARE or side >= photos.shape[-1]:
        return photos
    small = F.interpolate(photos.float(), (side, side), mode="bicubic", antialias=True)
    return small.round().clamp(0, 255).to(photos.dtype)
