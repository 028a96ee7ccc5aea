"""3×3 convolutions with a third of the arithmetic, for processors without bf16 instructions.

Winograd's minimal filtering F(4×4, 3×3) (Lavin & Gray, arXiv 1509.09308): a tile of 4×4 outputs
costs 36 products for each pair of channels in place of 144. The transforms are memory traffic,
which is why it pays with many channels only, and why the picture is worked through in pieces
that stay in the cache. Only for frozen weights: there is no gradient with respect to them.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# Below this many channels on either side the transforms cost more than the products saved.
_MIN_CHANNELS = 128
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
_KERNEL = torch.tensor(
    [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], dtype=torch.float64
)
_OUTPUT = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
)
_INPUT_2D = torch.kron(_INPUT, _INPUT).float().view(36, 1, 6, 6)
_OUTPUT_2D = torch.kron(_OUTPUT, _OUTPUT).float()
# What is added to this one of the 36 components is added to all 16 outputs: the bias.
_CONSTANT = 7


def pays(weight: Tensor) -> bool:
    """Whether this is faster than the direct convolution on a processor.

    Args:
        weight: (outputs, inputs, 3, 3).
    """
    return weight.dtype == torch.float32 and min(weight.shape[:2]) >= _MIN_CHANNELS


def both_ways(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A kernel in Winograd's domain, for the convolution and for its gradient.

    Args:
        weight: (outputs, inputs, 3, 3).

    Returns:
        (36, outputs, inputs) and (36, inputs, outputs), float32.
    """
    return transform(weight), transform(weight.flip(2, 3).transpose(0, 1))


def transform(weight: Tensor) -> Tensor:
    """A kernel in Winograd's domain.

    Args:
        weight: (outputs, inputs, 3, 3).

    Returns:
        (36, outputs, inputs), float32.
    """
    kernel = _KERNEL / 24
    spread = torch.einsum("ai,bj,ocij->aboc", kernel, kernel, weight.double())
    return spread.flatten(0, 1).float().contiguous()


class FrozenConv3x3(torch.autograd.Function):
    """A 3×3 convolution with zero padding of 1 and frozen weights."""

    @staticmethod
    def forward(ctx: object, x: Tensor, kernel: Tensor, turned: Tensor, bias: Tensor) -> Tensor:
        """The convolution.

        Args:
            ctx: torch's.
            x: (B, inputs, H, W) float32.
            kernel: The first of `both_ways`.
            turned: The second, which the gradient is convolved with.
            bias: (outputs,) float32.

        Returns:
            (B, outputs, H, W) float32, contiguous.
        """
        ctx.turned = turned  # type: ignore[attr-defined]
        return convolve(x, kernel, bias)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient with respect to x alone."""
        return convolve(gradient, ctx.turned, None), None, None, None  # type: ignore[attr-defined]


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """3×3 convolution with zero padding of 1.

    Args:
        x: (B, inputs, H, W) float32.
        kernel: (36, outputs, inputs) from `transform`.
        bias: (outputs,) float32, or None.

    Returns:
        (B, outputs, H, W) float32, contiguous.
    """
    batch, _, height, width = x.shape
    outputs = kernel.shape[1]
    down, across = -(-height // 4), -(-width // 4)
    padded = F.pad(x, (1, 4 * across - width + 1, 1, 4 * down - height + 1)).contiguous()
    whole = x.new_empty(batch, outputs, 4 * down, 4 * across)
    result = whole.view(batch, outputs, down, 4, across, 4)
    for sample, rows in _pieces(batch, down, across):
        part = padded[sample, :, None, 4 * rows.start : 4 * rows.stop + 2]
        # Taking overlapping tiles and transforming each is a convolution in strides.
        spread = F.conv2d(part, _INPUT_2D, stride=4).flatten(2).transpose(0, 1)
        products = kernel @ spread
        if bias is not None:
            products[_CONSTANT] += bias[:, None]
        found = (_OUTPUT_2D @ products.view(36, -1)).view(4, 4, outputs, -1, across)
        result[sample, :, rows] = found.permute(2, 3, 0, 4, 1)
    # A view of everything would do, but autograd lets nobody change a view in place.
    if whole.shape[2:] == (height, width):
        return whole
    return whole[:, :, :height, :width].contiguous()


def _pieces(batch: int, down: int, across: int) -> Iterator[tuple[int, slice]]:
    """Samples and rows of tiles, about `_TILES` tiles at a time."""
    rows = max(1, _TILES // across)
    for sample in range(batch):
        for row in range(0, down, rows):
            yield sample, slice(row, min(row + rows, down))
