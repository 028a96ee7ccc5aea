"""Loss and gradient of each preset against its recipe's formula, which uses nothing of nst."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from recipe_formulas import (
    CHANNELS,
    CONV,
    FORMULAS,
    RELU,
    ZERO,
    Network,
    caffe,
    gram,
    matting,
    narrow_vgg,
    size,
    square,
)
from torch import Tensor

from nst.losses import LossConfig, PerceptualLoss
from nst.recipes import recipes
from nst.vgg import PIXELS, Weights

# Architecture of each backbone, and how its pixels are prepared if the preset does not say.
BACKBONES = {
    "vgg19": ("vgg19", "caffe"),
    "vgg19-torchvision": ("vgg19", "torchvision"),
    "vgg16-original": ("vgg16", "caffe-rgb"),
}


def built(name: str) -> PerceptualLoss:
    """The preset's loss on the narrow VGG, in float64."""
    settings = recipes()[name].settings
    names = {field.name for field in fields(LossConfig)}
    config = LossConfig(**{key: value for key, value in settings.items() if key in names})
    architecture, own = BACKBONES[config.backbone]
    convolutions = narrow_vgg(architecture)
    if own == "caffe-rgb":
        # Torchvision's file of the original weights has their first layer turned to RGB.
        convolutions[0] = (convolutions[0][0].flip(1), convolutions[0][1])
    pixels = config.pixels or own
    weights = Weights("narrow", architecture, convolutions, pixels, "0" * 64)
    loss = PerceptualLoss(config, weights=weights, dtype=torch.float64)
    # In float64 like all else: they are kept in float32.
    for what in ("mean", "std"):
        exact = torch.tensor(getattr(PIXELS[pixels], what), dtype=torch.float64)
        setattr(loss.vgg, what, exact.view(1, 3, 1, 1))
    if config.affine_weight:
        loss.set_matting(matting())
    return loss


def picture(seed: int, height: int = 32, width: int = 48) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64)


def agree(ours: Tensor, theirs: Tensor, x: Tensor) -> None:
    """The losses are the same number, and their gradients at x the same picture."""
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=0)
    got, expected = (torch.autograd.grad(loss, x, retain_graph=True)[0] for loss in (ours, theirs))
    scale = expected.abs().max()
    torch.testing.assert_close(got / scale, expected / scale, rtol=1e-9, atol=1e-10)


def test_every_preset_has_a_formula() -> None:
    assert FORMULAS.keys() == recipes().keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_preset_is_its_formula(name: str) -> None:
    loss = built(name)
    x, p = picture(1).requires_grad_(), picture(2)
    # Raw Grams have a meaning for pictures of one size only; the others take any style.
    same = recipes()[name].settings.get("style_size") == "content" or name == "luan2017-text"
    a = picture(3) if same else picture(3, 48, 40)
    loss.set_style(a)
    ours = vars(loss(x, loss.content_targets(p)))
    theirs = FORMULAS[name](x, p, a)
    agree(ours["total"][0], sum(theirs.values(), ZERO), x)
    for term in ("content", "style", "tv", "affine"):
        weighted = getattr(loss.config, f"{term}_weight") * ours[term][0]
        if term in theirs:
            # One by one, too: in some totals a term is too small to be seen.
            agree(weighted, theirs[term], x)
        else:
            assert weighted == 0


def averaged(mask: Tensor, shape: torch.Size) -> Tensor:
    """A mask (H, W) at a layer whose sides divide its own."""
    height, width = shape[-2:]
    rows, columns = mask.shape[0] // height, mask.shape[1] // width
    return mask.reshape(height, rows, width, columns).mean((1, 3))


def guided(name: str, f: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The Gram matrix of a region as the recipe has it, and the factor of its loss."""
    t = averaged(mask, f.shape)
    n, m = size(f)
    if name == "luan2017-text":
        return gram(f * t), torch.tensor(1.0)
    if name == "luan2017":
        return gram(f * t) / (n * m * t.mean()), mask.mean()
    return gram(f * t / (t**2).sum().sqrt()), torch.tensor(1.0)


@pytest.mark.parametrize("name", ["gatys2017", "luan2017", "luan2017-text"])
def test_regions(name: str) -> None:
    loss = built(name)
    x, p, a = picture(1).requires_grad_(), picture(2), picture(3)
    masks, style_masks = picture(4)[0, :2], picture(5)[0, :2]
    loss.set_styles([(a, 1.0)], content_masks=masks, style_masks=[style_masks])
    vgg = Network("vgg19", bgr=True)
    f, a_ = vgg(caffe(x)), vgg(caffe(a))
    style = ZERO
    for number, (c, s) in enumerate(zip(RELU, CONV, strict=True)):
        layer = s if name == "luan2017-text" else c
        n, _ = size(f[layer])
        for mask, style_mask in zip(masks, style_masks, strict=True):
            g, share = guided(name, f[layer], mask)
            target, _ = guided(name, a_[layer], style_mask)
            if name == "luan2017-text":
                style = style + square(g, target) / (2 * n**2) / 5
            elif name == "luan2017":
                style = style + share * ((g - target) ** 2).mean() / 5
            else:
                style = style + 1e3 / CHANNELS[number] ** 2 * ((g - target) ** 2).mean()
    agree(loss(x, loss.content_targets(p)).style[0], style, x)
