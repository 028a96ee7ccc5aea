"""The perceptual loss that the optimiser and the trainer share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nst.errors import NstError, unknown
from nst.losses import functional as L
from nst.vgg import DEFAULT_BACKBONE, PIXELS, POOLING, Vgg, Weights, load_weights


def _averaged(*names: str) -> dict[str, float]:
    return {name: 1 / len(names) for name in names}


@dataclass(frozen=True)
class LossConfig:
    """What the perceptual loss is made of.

    The defaults were measured to work, unchanged, for very different paintings.

    Attributes:
        content_weight: Factor of the content term.
        style_weight: Factor of the style term; 1 is faint, 5 is right for most, 20 is strong.
        tv_weight: Factor of the total variation.
        content_layers: Weight of each content layer; names as relu4_2, conv4_2 or block4_conv2.
        style_layers: Weight of each style layer; the defaults average.
        content_convention: A name in `functional.CONTENT_CONVENTIONS`.
        style_convention: A name in `functional.STYLE_CONVENTIONS`.
        tv_convention: A name in `functional.TOTAL_VARIATIONS`.
        tv_range: Largest pixel value of the total variation's formula, 1 or 255.
        pooling: "max" or "average".
        backbone: A source of `nst backbone` or a weights file.
        pixels: Preparation of the pixels if not the backbone's own, a name in `nst.vgg.PIXELS`.
    """

    content_weight: float = 1.0
    style_weight: float = 5.0
    tv_weight: float = 0.0
    content_layers: dict[str, float] = field(default_factory=lambda: _averaged("relu3_1"))
    style_layers: dict[str, float] = field(
        default_factory=lambda: _averaged("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    )
    content_convention: str = L.RELATIVE
    style_convention: str = L.RELATIVE
    tv_convention: str = L.RELATIVE
    tv_range: float = 1.0
    pooling: str = "max"
    backbone: str = DEFAULT_BACKBONE
    pixels: str | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning, naming the valid choices.

        Raises:
            NstError: An unknown convention or pooling, a negative weight, or no layer at all.
        """
        choices = {
            "content convention": (self.content_convention, L.CONTENT_CONVENTIONS),
            "style convention": (self.style_convention, L.STYLE_CONVENTIONS),
            "total variation": (self.tv_convention, tuple(L.TOTAL_VARIATIONS)),
            "pooling": (self.pooling, POOLING),
            "preparation of pixels": (self.pixels or "none", tuple(PIXELS)),
        }
        for what, (value, valid) in choices.items():
            if value not in valid:
                raise unknown(what, value, valid)
        weights = {
            "content_weight": self.content_weight,
            "style_weight": self.style_weight,
            "tv_weight": self.tv_weight,
            "tv_range": self.tv_range,
            **{f"weight of {k}": v for k, v in self.content_layers.items()},
            **{f"weight of {k}": v for k, v in self.style_layers.items()},
        }
        for name, weight in weights.items():
            if not 0 <= weight < float("inf"):
                raise NstError(f"{name} is {weight}: give a number of at least 0.")
        if not self.content_layers and not self.style_layers:
            raise NstError("the loss has no layer: name a content or a style layer.")


@dataclass(frozen=True)
class LossTerms:
    """The loss of each sample of a batch, all (B,), weights included only in `total`.

    Attributes:
        total: content_weight · content + style_weight · style + tv_weight · tv.
        content: Weighted sum over the content layers.
        style: Weighted sum over the style layers.
        tv: Total variation.
    """

    total: Tensor
    content: Tensor
    style: Tensor
    tv: Tensor


class PerceptualLoss(nn.Module):
    """Content, style and total variation of pictures on one frozen VGG.

    The style's Gram matrices are computed once, by `set_style`; content features once for each
    photo, by `content_targets`, and only as deep as the content layers go.
    """

    def __init__(
        self,
        config: LossConfig,
        *,
        weights: Weights | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Build the loss.

        Args:
            config: Layers, weights and conventions.
            weights: The backbone's weights; by default `config.backbone` is loaded.
            dtype: Type of VGG's convolutions; Grams and losses are at least float32.

        Raises:
            NstError: Unknown layer, or the backbone cannot be loaded.
        """
        super().__init__()
        self.config = config
        self.weights = weights or load_weights(config.backbone, config.pixels)
        layers = [*config.content_layers, *config.style_layers]
        self.vgg = Vgg(self.weights, layers, pooling=config.pooling, dtype=dtype)
        self._grams: dict[str, Tensor] = {}

    @torch.no_grad()
    def set_style(self, style: Tensor) -> None:
        """Compute the style's Gram matrices.

        Args:
            style: (1, 3, H, W) in [0, 1].
        """
        if self.config.style_layers:
            features = self.vgg(style, self.config.style_layers)
            self._grams = {name: L.gram(f) for name, f in features.items()}

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
            NstError: `set_style` was not called.
        """
        config = self.config
        if config.style_layers and not self._grams:
            raise NstError("the loss has no style yet: call set_style first.")
        features = self.vgg(image, dict.fromkeys([*config.content_layers, *config.style_layers]))
        pixels = image.shape[-2] * image.shape[-1]
        zero = L.at_least_float32(image.new_zeros(image.shape[0]))
        content, style = zero, zero
        for name, weight in config.content_layers.items():
            content = content + weight * L.content_loss(
                features[name], targets[name], config.content_convention, pixels
            )
        for name, weight in config.style_layers.items():
            style = style + weight * L.style_loss(
                features[name],
                self._grams[name].to(image.device),
                config.style_convention,
                pixels,
            )
        tv = zero
        if config.tv_weight:
            scaled = L.at_least_float32(image) * config.tv_range
            tv = L.TOTAL_VARIATIONS[config.tv_convention](scaled)
        total = config.content_weight * content + config.style_weight * style
        return LossTerms(total + config.tv_weight * tv, content, style, tv)
