"""What the perceptual loss is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nst.errors import NstError, unknown
from nst.losses import functional as L
from nst.losses import regions
from nst.vgg import BORDERS, DEFAULT_BACKBONE, PIXELS, POOLING

# What an option stood for before it existed, where that is not its default.
_BEFORE = {"border": "zeros"}


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
        content_convention: Form of the content term: relative, sum, half_sum, mean, half_mean or
            quarter_mean.
        style_convention: Form of the style term: relative, gatys, mean_gram, johnson, tutorial,
            mean_raw, luan, ac209b or scinet.
        tv_convention: Form of the total variation: relative, sum, common_grid or absolute.
        tv_range: Largest pixel value of the total variation's formula, 1 or 255.
        pooling: "max" or "average".
        border: What VGG sees around the picture: "zeros" as trained, or "replicate", the
            outermost pixels again, against rims in optimised pictures.
        backbone: A source of `nst backbone` or a weights file.
        pixels: Preparation of the pixels if not the backbone's own: caffe, caffe-rgb, torchvision
            or none.
        guidance: How masks guide the style: gatys2017, luan2017 or luan2017_code.
        affine_weight: Factor of the photorealism term of luan2017, which keeps the photo's edges.
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
    border: str = "replicate"
    backbone: str = DEFAULT_BACKBONE
    pixels: str | None = None
    guidance: str = "gatys2017"
    affine_weight: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what has no meaning, naming the valid choices.

        Raises:
            NstError: An unknown convention, pooling or guidance, a negative weight, or no layer.
        """
        choices = {
            "content convention": (self.content_convention, L.CONTENT_CONVENTIONS),
            "style convention": (self.style_convention, L.STYLE_CONVENTIONS),
            "total variation": (self.tv_convention, tuple(L.TOTAL_VARIATIONS)),
            "pooling": (self.pooling, POOLING),
            "border": (self.border, BORDERS),
            "preparation of pixels": (self.pixels or "none", tuple(PIXELS)),
            "guidance": (self.guidance, tuple(regions.DIVISORS)),
        }
        for what, (value, valid) in choices.items():
            if value not in valid:
                raise unknown(what, value, valid)
        weights = {
            "content_weight": self.content_weight,
            "style_weight": self.style_weight,
            "tv_weight": self.tv_weight,
            "tv_range": self.tv_range,
            "affine_weight": self.affine_weight,
            **{f"weight of {k}": v for k, v in self.content_layers.items()},
            **{f"weight of {k}": v for k, v in self.style_layers.items()},
        }
        for name, weight in weights.items():
            if not 0 <= weight < float("inf"):
                raise NstError(f"{name} is {weight}: give a number of at least 0.")
        if not self.content_layers and not self.style_layers:
            raise NstError("the loss has no layer: name a content or a style layer.")

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> LossConfig:
        """The loss that a checkpoint or a model was trained with.

        Args:
            stored: Its fields; those that are younger than the file are missing.

        Raises:
            NstError: A field or value that this nst does not know.
        """
        try:
            return cls(**{**_BEFORE, **stored})
        except TypeError as error:
            raise NstError(
                f"the loss has an option that this nst does not know ({error}): upgrade nst."
            ) from error
