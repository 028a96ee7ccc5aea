"""3×3 convolutions with a quarter of the products, for processors without bf16 instructions.

Winograd's minimal filtering F(4×4, 3×3) (Lavin & Gray, arXiv 1509.09308): a tile of 4×4 outputs
costs 36 products for each pair of channels in place of 144. The transforms are memory traffic,
which is why it pays with many channels only, and why the picture is worked through in pieces
that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# With fewer channels than these, on one side and on the other, the transforms cost more than the
# products saved.
_FEWER, _MORE = 64, 128
# Tiles worked on at once: enough for a good matrix product, few enough for the cache.
_TILES = 1024

# The transforms for the points 0, 1, -1, 2, -2 and infinity (arXiv 1509.09308, section 4.3).
_INPUT = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_KERNEL = (
    torch.tensor(
        [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]],
        dtype=torch.float64,
    )
    / 24
)
_OUTPUT = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
)
_INPUT_2D = torch.kron(_INPUT, _INPUT).float().view(36, 1, 6, 6)
_OUTPUT_2D = torch.kron(_OUTPUT, _OUTPUT).float()
# The adjoint of the output's transform, on its gradient.
_GRADIENT_2D = _OUTPUT_2D.t().reshape(36, 1, 4, 4)
# What is added to this one of the 36 components is added to all 16 outputs: the bias.
_CONSTANT = 7


def pays(weight: Tensor) -> bool:
    """Whether this is faster than the direct convolution on a processor.

    Args:
        weight: (outputs, inputs, 3, 3).
    """
    fewer, more = sorted(weight.shape[:2])
    return weight.dtype == torch.float32 and fewer >= _FEWER and more >= _MORE


def transform(weight: Tensor) -> Tensor:
    """A kernel in Winograd's domain.

    Args:
        weight: (outputs, inputs, 3, 3).

    Returns:
        (36, outputs, inputs) of the kernel's dtype.
    """
    kernel = _KERNEL.to(weight.dtype)
    return torch.einsum("ai,bj,ocij->aboc", kernel, kernel, weight).flatten(0, 1).contiguous()


class FrozenConv3x3(torch.autograd.Function):
    """A 3×3 convolution with zero padding of 1 and frozen weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        """The convolution.

        Args:
            ctx: torch's.
            x: (B, inputs, H, W) float32.
            kernel: (36, outputs, inputs) float32 from `transform`.
            bias: (outputs,) float32.

        Returns:
            (B, outputs, H, W) float32, contiguous.
        """
        ctx.kernel = kernel
        return convolve(x, kernel, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """The gradient with respect to x alone."""
        return convolve(gradient, ctx.kernel, turned=True), None, None


class Conv3x3(torch.autograd.Function):
    """A 3×3 convolution without padding, whose weights are trained."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution.

        Args:
            ctx: torch's.
            x: (B, inputs, H, W) float32.
            weight: (outputs, inputs, 3, 3) float32.

        Returns:
            (B, outputs, H - 2, W - 2) float32, contiguous.
        """
        ctx.save_for_backward(x, weight)
        return convolve(x, transform(weight), padding=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The gradients with respect to x and to the weights."""
        x, weight = ctx.saved_tensors
        for_x, for_weight = ctx.needs_input_grad
        return (
            convolve(gradient, transform(weight), padding=2, turned=True) if for_x else None,
            _weight_gradient(x, gradient) if for_weight else None,
        )


def convolve(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    padding: int = 1,
    *,
    turned: bool = False,
) -> Tensor:
    """3×3 convolution with zero padding.

    Args:
        x: (B, inputs, H, W) float32.
        kernel: (36, outputs, inputs) from `transform`.
        bias: (outputs,) float32, or None.
        padding: Pixels of zeros on every side.
        turned: Convolve with the kernel turned by 180° and its sides exchanged, as gradients are:
            x then has the outputs, and the result the inputs.

    Returns:
        (B, outputs, H + 2 · padding - 2, W + 2 · padding - 2) float32, contiguous.
    """
    before, behind = _INPUT_2D, _OUTPUT_2D
    if turned:
        # A tile turned before and after meets a turned kernel: that one need not be kept, too.
        before, behind = before.flip(2, 3), behind.flip(0)
        kernel = kernel.transpose(1, 2)
    batch, outputs = len(x), kernel.shape[1]
    height, width = (side + 2 * padding - 2 for side in x.shape[-2:])
    down, across = -(-height // 4), -(-width // 4)
    padded = _pad_to_tiles(x, padding, 4 * down + 2, 4 * across + 2)
    whole = x.new_empty(batch, outputs, 4 * down, 4 * across)
    result = whole.view(batch, outputs, down, 4, across, 4)
    for sample, rows in _pieces(batch, down, across):
        products = kernel @ _tiles(padded[sample, :, 4 * rows.start : 4 * rows.stop + 2], before)
        if bias is not None:
            products[_CONSTANT] += bias[:, None]
        found = (behind @ products.view(36, -1)).view(4, 4, outputs, -1, across)
        result[sample, :, rows] = found.permute(2, 3, 0, 4, 1)
    # A view of everything would do, but autograd lets nobody change a view in place.
    if whole.shape[2:] == (height, width):
        return whole
    return whole[:, :, :height, :width].contiguous()


def _weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """What the weights of a convolution of x without padding get from the output's gradient."""
    down, across = (-(-side // 4) for side in gradient.shape[-2:])
    x = _pad_to_tiles(x, 0, 4 * down + 2, 4 * across + 2)
    gradient = _pad_to_tiles(gradient, 0, 4 * down, 4 * across)
    total = x.new_zeros(36, gradient.shape[1], x.shape[1])
    for sample, rows in _pieces(len(x), down, across):
        inputs = _tiles(x[sample, :, 4 * rows.start : 4 * rows.stop + 2], _INPUT_2D)
        outputs = _tiles(gradient[sample, :, 4 * rows.start : 4 * rows.stop], _GRADIENT_2D)
        total.baddbmm_(outputs, inputs.transpose(1, 2))
    kernel = _KERNEL.float()
    return torch.einsum("ai,bj,aboc->ocij", kernel, kernel, total.view(6, 6, *total.shape[1:]))


def _pad_to_tiles(x: Tensor, before: int, height: int, width: int) -> Tensor:
    """Zeros above and to the left, and below and to the right up to a size."""
    after = (width - before - x.shape[3], height - before - x.shape[2])
    return F.pad(x, (before, after[0], before, after[1])).contiguous()


def _tiles(x: Tensor, by: Tensor) -> Tensor:
    """(C, H, W) to (36, C, tiles): taken every 4 pixels and transformed, in one convolution."""
    return F.conv2d(x[:, None], by, stride=4).flatten(2).transpose(0, 1)


def _pieces(batch: int, down: int, across: int) -> Iterator[tuple[int, slice]]:
    """Samples and rows of tiles, about `_TILES` tiles at a time."""
    rows = max(1, _TILES // across)
    for sample in range(batch):
        for row in range(0, down, rows):
            yield sample, slice(row, min(row + rows, down))
