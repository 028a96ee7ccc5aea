"""The perceptual loss that the optimiser and the trainer share."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nst.errors import NstError
from nst.losses import functional as L
from nst.losses import regions
from nst.losses.affine import affine_loss
from nst.losses.config import LossConfig
from nst.vgg import Vgg, Weights, load_weights

if TYPE_CHECKING:
    from scipy.sparse import sparray


@dataclass(frozen=True)
class LossTerms:
    """The loss of each sample of a batch, all (B,), weights included only in `total`.

    Attributes:
        total: content_weight · content + style_weight · style + tv_weight · tv
            + affine_weight · affine.
        content: Weighted sum over the content layers.
        style: Weighted sum over the style layers, of the weighted mean over the styles.
        tv: Total variation.
        affine: Distance from an affine map of the content's colours; zero where it is not used.
    """

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor
    affine: Tensor


@dataclass(frozen=True)
class _StyleTarget:
    """One style: its share of the style term, and layer -> a Gram matrix for each region."""

    share: float
    grams: dict[str, list[Tensor]]


class PerceptualLoss(nn.Module):
    """Content, style and total variation of pictures on one frozen VGG.

    The styles' Gram matrices are computed once, by `set_styles`; content features once for each
    photo, by `content_targets`, and only as deep as the content layers go.
    """

    def __init__(
        self,
        config: LossConfig,
        *,
        weights: Weights | None = None,
        dtype: torch.dtype = torch.float32,
        low_memory: bool = False,
    ) -> None:
        """Build the loss.

        Args:
            config: Layers, weights and conventions.
            weights: The backbone's weights; by default `config.backbone` is loaded.
            dtype: Type of VGG's convolutions; Grams and losses are at least float32.
            low_memory: Evaluate VGG's layers again for the gradient instead of keeping them.

        Raises:
            NstError: Unknown layer, or the backbone cannot be loaded.
        """
        super().__init__()
        self.config = config
        self.weights = weights or load_weights(config.backbone, config.pixels)
        layers = [*config.content_layers, *config.style_layers]
        self.vgg = Vgg(
            self.weights,
            layers,
            pooling=config.pooling,
            border=config.border,
            dtype=dtype,
            low_memory=low_memory,
        )
        self._styles: list[_StyleTarget] = []
        self._masks: Tensor | None = None
        self._matting: sparray | None = None

    def set_style(self, style: Tensor) -> None:
        """Take one style for the whole picture.

        Args:
            style: (1, 3, H, W) in [0, 1].
        """
        self.set_styles([(style, 1.0)])

    @torch.no_grad()
    def set_styles(
        self,
        styles: Sequence[tuple[Tensor, float]],
        *,
        content_masks: Tensor | None = None,
        style_masks: Sequence[Tensor] = (),
    ) -> None:
        """Take styles and compute their Gram matrices.

        The style term is the weighted mean of the terms of each style, so that the number of
        styles does not change its strength.

        Args:
            styles: Pictures, (1, 3, h, w) in [0, 1], and their weights.
            content_masks: Regions of the pictures whose loss is taken, (R, H, W) in [0, 1].
            style_masks: The same regions of each style, (R, h, w) in [0, 1].

        Raises:
            NstError: No style, weights that are not positive together, or masks that do not
                belong together.
        """
        weights = [weight for _, weight in styles]
        if not all(0 <= w < float("inf") for w in weights) or not sum(weights):
            raise NstError(f"the styles have weights {weights}: give numbers from 0, one above it.")
        pictures = [picture for picture, _ in styles]
        regions.check_masks(content_masks, list(style_masks), pictures)
        layers, guidance = self.config.style_layers, self.config.guidance
        self._styles, self._masks = [], content_masks
        for k, (picture, weight) in enumerate(styles):
            masks = style_masks[k] if style_masks else None
            features = self.vgg.walk(picture, layers) if layers else ()
            grams = {n: regions.guided_grams(f, masks, guidance) for n, f in features}
            self._styles.append(_StyleTarget(weight / sum(weights), grams))

    def set_matting(self, matrix: sparray | None) -> None:
        """Take the matting Laplacian of the content for the affine term.

        Args:
            matrix: Sparse, (H·W, H·W), from `nst.optimise.matting.matting_laplacian`.
        """
        self._matting = matrix

    def without_affine(self) -> PerceptualLoss:
        """This loss without the affine term, on the same VGG; its styles are set on their own."""
        other = copy.copy(self)
        other.config = replace(self.config, affine_weight=0.0)
        return other

    @torch.no_grad()
    def content_targets(self, photo: Tensor) -> dict[str, Tensor]:
        """Features of the photos at the content layers.

        Args:
            photo: (B, 3, H, W) in [0, 1].

        Returns:
            Layer -> (B, C, H', W') in VGG's dtype.
        """
        layers = self.config.content_layers
        return dict(self.vgg(photo, layers)) if layers else {}

    def forward(self, image: Tensor, targets: Mapping[str, Tensor]) -> LossTerms:
        """The loss of pictures.

        Args:
            image: (B, 3, H, W) in [0, 1] (values outside are allowed).
            targets: From `content_targets`, of the same size.

        Returns:
            The terms of each sample, float32 (float64 for float64 pictures and VGG).

        Raises:
            NstError: `set_style` was not called, or `set_matting` was not where the affine term
                has a weight, or masks or matrix are of another size than the picture.
        """
        config = self.config
        self._check(image)
        pixels = image.shape[-2] * image.shape[-1]
        zero = L.at_least_float32(image.new_zeros(image.shape[0]))
        content, style, tv, affine = zero, zero, zero, zero
        wanted = dict.fromkeys([*config.content_layers, *config.style_layers])
        for name, features in self.vgg.walk(image, wanted):
            if name in config.content_layers:
                content = content + config.content_layers[name] * L.content_loss(
                    features, targets[name], config.content_convention, pixels
                )
            if name in config.style_layers:
                style = style + config.style_layers[name] * self._style_loss(name, features, pixels)
        if config.tv_weight:
            scaled = L.at_least_float32(image) * config.tv_range
            tv = L.TOTAL_VARIATIONS[config.tv_convention](scaled)
        if config.affine_weight and self._matting is not None:
            affine = affine_loss(L.at_least_float32(image), self._matting)
        total = config.content_weight * content + config.style_weight * style
        total = total + config.tv_weight * tv + config.affine_weight * affine
        return LossTerms(total, content, style, tv, affine)

    def _check(self, image: Tensor) -> None:
        if self.config.style_layers and not self._styles:
            raise NstError("the loss has no style yet: call set_style first.")
        if self.config.affine_weight and self._matting is None:
            raise NstError("the affine term has no matting Laplacian yet: call set_matting first.")
        if self._masks is not None and self._masks.shape[1:] != image.shape[2:]:
            masks, picture = tuple(self._masks.shape[1:]), tuple(image.shape[2:])
            raise NstError(f"the content's masks are {masks}, the picture is {picture}: resize.")

    def _style_loss(self, name: str, features: Tensor, pixels: int) -> Tensor:
        """Weighted mean over the styles of the sum over the regions, of one layer: (B,)."""
        convention, guidance = self.config.style_convention, self.config.guidance
        shape = L.layer_shape(features, pixels)
        grams = regions.guided_grams(features, self._masks, guidance)
        factors = regions.region_weights(self._masks, guidance, convention)
        losses = [
            style.share * factor * L.gram_loss(gram, target.to(gram.device), convention, shape)
            for style in self._styles
            for factor, gram, target in zip(factors, grams, style.grams[name], strict=True)
        ]
        return torch.stack(losses).sum(0)
