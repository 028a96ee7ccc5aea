"""The pictures that a network is trained on are those that are saved: in [0, 1], nothing beyond.

A network whose loss sees more than that learns to paint whiter than white and blacker than black,
where VGG finds the style cheaply; what is then cut off was up to a half of the loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pictures: Tensor) -> Tensor:
        ctx.save_for_backward(pictures)
        return pictures.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        pictures: Tensor = ctx.saved_tensors[0]
        outwards = ((pictures < 0) & (gradient > 0)) | ((pictures > 1) & (gradient < 0))
        return gradient.masked_fill(outwards, 0)


def clipped(pictures: Tensor) -> Tensor:
    """Pictures clamped to [0, 1], from beyond which the gradient still leads back.

    Args:
        pictures: Of any shape and floating type.

    Returns:
        The same, clamped. Of its gradient what would move a pixel further out is left out, as in a
        projected descent; a clamp's own gradient leaves such a pixel where it is for good.
    """
    result: Tensor = _Clip.apply(pictures)
    return result
