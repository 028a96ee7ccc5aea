"""Spatial guidance: the style loss region by region, each with a mask of its own.

A mask T is 1 inside its region and 0 outside; at a layer it is the average over the pixels that
each position stands for. The *guided* Gram matrix of a region is G_r = Σ_i T_i² F_i F_iᵀ / n_r over
positions i. With one mask of ones it is the mean Gram matrix of `functional.gram`, so every style
convention takes it, and one region of the whole picture is no guidance at all.

The published forms differ in n_r and in the factor λ_r of each region's loss:

==============  =========  =========  =========================================================
guidance        n_r        λ_r
==============  =========  =========  =========================================================
gatys2017       Σ T²       1          F_r = T_r ∘ F with Σ T_r² = 1: the size of a region does not
                                      matter (eq. 3)
luan2017        M          1          F_c = F · mask_c (eq. 3): a region that is larger than the
                                      style's has a larger Gram
luan2017_code   M mean(T)  mean(T)    their released code, in which it has not
==============  =========  =========  =========================================================

In relative units λ_r is mean(T) of the content's mask for all of them, the region's share of the
picture: every pixel then feels its style as strongly as without masks, however many regions there
are, and cutting a region in two changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.errors import NstError
from nst.losses import functional as L

DIVISORS: dict[str, Callable[[Tensor], Tensor]] = {
    "gatys2017": lambda mask: mask.square().sum(),
    "luan2017": lambda mask: mask.new_tensor(mask.numel()),
    "luan2017_code": lambda mask: mask.sum(),
}
"""n_r of each form of guidance, from the region's mask at the layer."""


def masks_at(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks at a layer's size, each position the average of the pixels it stands for.

    Args:
        masks: (R, H, W) in [0, 1].
        size: Height and width of the layer.

    Returns:
        (R, *size).
    """
    return F.adaptive_avg_pool2d(masks, size)


def guided_gram(features: Tensor, mask: Tensor, guidance: str = "gatys2017") -> Tensor:
    """Gram matrix of one region, Σ_i T_i² F_i F_iᵀ / n_r.

    Args:
        features: F, (B, N, H, W), any floating type.
        mask: T, (H, W) in [0, 1], from `masks_at`.
        guidance: A name in `DIVISORS`.

    Returns:
        (B, N, N), float32 or float64; zeros where the mask is empty.
    """
    flat = L.at_least_float32(features.permute(0, 2, 3, 1).flatten(1, 2))
    weights = mask.flatten().to(flat)
    divisor = DIVISORS[guidance](weights).clamp_min(torch.finfo(flat.dtype).tiny)
    # Of the region's positions alone: all regions together cost as much as one whole picture.
    inside = weights.nonzero()[:, 0]
    masked = flat[:, inside] * weights[inside, None]
    with torch.autocast(features.device.type, enabled=False):
        return masked.transpose(1, 2) @ masked / divisor


def guided_grams(features: Tensor, masks: Tensor | None, guidance: str) -> list[Tensor]:
    """The Gram matrix of each region.

    Args:
        features: (B, N, H, W), any floating type.
        masks: (R, h, w) in [0, 1], of the picture; None is one region, the whole picture.
        guidance: A name in `DIVISORS`.

    Returns:
        R matrices (B, N, N), float32 or float64.
    """
    if masks is None:
        return [L.gram(features)]
    height, width = features.shape[-2:]
    return [guided_gram(features, m, guidance) for m in masks_at(masks, (height, width))]


def region_weights(masks: Tensor | None, guidance: str, convention: str) -> list[float]:
    """λ_r, the factor of each region's style loss.

    Args:
        masks: (R, H, W), of the content; None is one region, the whole picture.
        guidance: A name in `DIVISORS`.
        convention: Of the style loss, a name in `functional.STYLE_CONVENTIONS`.
    """
    if masks is None:
        return [1.0]
    if convention == L.RELATIVE or guidance == "luan2017_code":
        return [float(share) for share in masks.mean((1, 2))]
    return [1.0] * len(masks)


def check_masks(
    content_masks: Tensor | None, style_masks: list[Tensor], styles: list[Tensor]
) -> None:
    """Refuse masks that do not belong together.

    Args:
        content_masks: (R, H, W), or None for no guidance.
        style_masks: One (R, h, w) for each style; empty for no guidance.
        styles: The styles, (1, 3, h, w).

    Raises:
        NstError: Masks for one side only, another number of regions, another size than the
            style's picture, or a style that has nothing of a region.
    """
    if content_masks is None and not style_masks:
        return
    if content_masks is None or len(style_masks) != len(styles):
        raise NstError(
            f"{len(styles)} styles with {len(style_masks)} masks and "
            f"{'no' if content_masks is None else 'a'} content mask: give masks of the content "
            "and of every style, or none."
        )
    for k, (mask, style) in enumerate(zip(style_masks, styles, strict=True), start=1):
        wanted = (len(content_masks), *style.shape[-2:])
        if tuple(mask.shape) != wanted:
            raise NstError(
                f"the masks of style {k} have shape {tuple(mask.shape)}: give {wanted}, as many "
                "regions as the content and the size of the style's picture."
            )
        if empty := [r for r, region in enumerate(mask, start=1) if not region.any()]:
            raise NstError(f"style {k} has nothing of region {empty[0]}: mark some of it.")
