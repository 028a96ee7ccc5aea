"""The pictures that an optimisation can start from."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.errors import NstError, unknown
from nst.vgg import PIXELS

STARTS = ("wash", "content", "noise", "style", "content+noise", "network")

_WASHED = 0.3  # 0.15 and 0.5 were tried: as good, and worse for a photo that is mostly black.


def _uniform(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator)


def _gaussian(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator)


def _ac209b(shape: torch.Size, generator: torch.Generator) -> Tensor:
    mean = torch.tensor(PIXELS["caffe"].mean).view(1, 3, 1, 1)
    return torch.rand(shape, generator=generator) - 128 / 255 + mean


NOISES: dict[str, Callable[[torch.Size, torch.Generator], Tensor]] = {
    "uniform": _uniform,
    "gaussian": _gaussian,
    "ac209b": _ac209b,
}
"""Kinds of noise: uniform in [0, 1]; gaussian, mean 0 and deviation 1 (PyTorch's tutorial,
zhang2020-v2); ac209b, uniform in 0..255 minus 128 in VGG's mean-subtracted pixels (ac209b2018),
whose channels so lie around the ImageNet mean."""


def start_image(
    start: str,
    content: Tensor,
    seed: int = 0,
    *,
    style: Tensor | None = None,
    noise: float = 0.25,
    noise_kind: str = "uniform",
) -> Tensor:
    """The picture that an optimisation starts from.

    Args:
        start: "wash", the photo at low contrast in the style's colours, which leaves open what the
            style will paint dark and what bright; "content"; "noise"; "style", stretched to the
            content's size; "content+noise", uniform noise added and the sum clipped to [0, 1]
            (zandian2022); "network", which only says that the caller has the picture.
        content: (1, 3, H, W) in [0, 1].
        seed: Seed of the noise.
        style: (1, 3, h, w) in [0, 1].
        noise: Half-width of the noise of "content+noise".
        noise_kind: A name in `NOISES`, for "noise".

    Returns:
        (1, 3, H, W), a copy.

    Raises:
        NstError: Unknown start or noise, or a start from a picture that is not given.
    """
    check_start(start, noise, noise_kind)
    if start == "content":
        return content.clone()
    if start == "style" and style is not None:
        return resized(style, (content.shape[2], content.shape[3]))
    if start == "wash" and style is not None:
        return _wash(content, style)
    if start in ("wash", "style", "network"):
        raise NstError(f"start {start!r} needs a picture: none is given.")
    generator = torch.Generator().manual_seed(seed)
    if start == "noise":
        return NOISES[noise_kind](content.shape, generator).to(content)
    change = noise * (2 * torch.rand(content.shape, generator=generator) - 1)
    return (content + change.to(content)).clamp(0, 1)


def _wash(content: Tensor, style: Tensor) -> Tensor:
    """The style's mean, and around it the photo with a part of the style's deviation."""
    deviation, mean = torch.std_mean(content, (2, 3), correction=0, keepdim=True)
    wanted, middle = torch.std_mean(style.to(content), (2, 3), correction=0, keepdim=True)
    return (middle + _WASHED * wanted * (content - mean) / deviation.clamp(min=1 / 255)).clamp(0, 1)


def check_start(start: str, noise: float, noise_kind: str) -> None:
    """Refuse what `start_image` does not know.

    Raises:
        NstError: Unknown start or noise, or a negative half-width.
    """
    if start not in STARTS:
        raise unknown("start", start, STARTS)
    if noise_kind not in NOISES:
        raise unknown("noise", noise_kind, NOISES)
    if not 0 <= noise < float("inf"):
        raise NstError(f"the noise is {noise}: give a number of at least 0.")


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture of another size, bicubic, antialiased where it shrinks, clipped to [0, 1].

    Args:
        image: (1, 3, H, W).
        size: Height and width.
    """
    if tuple(image.shape[2:]) == size:
        return image.clone()
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)
