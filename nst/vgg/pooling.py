"""Maximum pooling that keeps less for its gradient."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class MaxPool2x2(torch.autograd.Function):
    """The maximum of each 2×2 square, as `F.max_pool2d` gives it, and the same gradient.

    torch's own keeps its input as well, of which the gradient only reads the shape, and 64 bits
    for each maximum's place: of VGG's activations for a picture those are two fifths.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The maxima.

        Args:
            ctx: torch's.
            x: (B, C, H, W) with H and W at least 2; an odd last row or column is left out.

        Returns:
            (B, C, H // 2, W // 2).
        """
        maxima, places = F.max_pool2d(x, 2, return_indices=True)
        ctx.save_for_backward(places.int())
        ctx.shape, ctx.strides = x.shape, x.stride()
        return maxima

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The gradient with respect to x."""
        (places,) = ctx.saved_tensors
        like = gradient.new_empty_strided(ctx.shape, ctx.strides)
        result: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, like, [2, 2], [2, 2], [0, 0], [1, 1], False, places.long()
        )
        return result
