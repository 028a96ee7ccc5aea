"""The original VGG-19 in the place of weights that cannot be had."""

from __future__ import annotations

import torch

from nst.vgg.sources import DEFAULT_BACKBONE, PIXELS, Weights, load_weights


def stand_in(backbone: str, pixels: str | None = None) -> Weights:
    """The original VGG-19 for a loss whose weights were chosen for another backbone.

    Torchvision's networks take RGB of about unit variance, and their features are about as large;
    the original's take BGR up to 255. A ratio of content to style means little then, as one grows
    with the square of the features and the other with the fourth power. So for a backbone of
    torchvision's the original is brought to its pixels: ReLU and pooling are homogeneous, so that
    the first layer's weights and all biases carry the change exactly.

    Args:
        backbone: The name of the one that cannot be had.
        pixels: How the pixels are prepared, as for `load_weights`.

    Raises:
        NstError: The original cannot be had either.
    """
    if not backbone.endswith("-torchvision"):
        return load_weights(DEFAULT_BACKBONE, pixels)
    original = load_weights()
    std = torch.tensor(PIXELS["torchvision"].std)
    weight, bias = original.convolutions[0]
    first = (weight.flip(1) * (std / std.mean()).view(1, 3, 1, 1), bias)
    smaller = 255 * std.mean()
    convolutions = [(w, b / smaller) for w, b in (first, *original.convolutions[1:])]
    return Weights(
        original.name, original.architecture, convolutions, pixels or "torchvision", original.sha256
    )
