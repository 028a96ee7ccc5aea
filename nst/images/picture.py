"""A picture in memory, and the formats it can be in."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.errors import NstError, unknown

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
"""The extensions that can be written, with Pillow's name of each format."""

_READABLE_EXTENSIONS = {*FORMATS, ".jfif", ".bmp", ".gif", ".ppm"}
# Pixels of a strip.
_STRIP = 1 << 20


@dataclass(frozen=True)
class Picture:
    """A picture in memory, with what must survive the way through a network.

    Attributes:
        rgb: (H, W, 3) uint8, sRGB, upright.
        alpha: (H, W) uint8 opacity, or None if the source had none.
        tagged: Whether the source carried a colour profile. The pixels are sRGB by now, so the
            profile itself is not kept; `save` writes an sRGB one in its place.
        name: What to call the picture in error messages.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    tagged: bool = False
    name: str = "the picture"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def to_image(self) -> Image.Image:
        """The picture as a Pillow image, RGB or RGBA, tagged as sRGB if the source was tagged."""
        image = Image.fromarray(self.rgb)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.tagged:
            image.info["icc_profile"] = srgb_profile()
        return image


def pillow_format(extension: str) -> str:
    """Pillow's name of the format with this extension, such as ".jpg" or "jpg".

    Raises:
        NstError: Not an extension that can be written; lists those that can.
    """
    key = "." + extension.lower().removeprefix(".")
    if key not in FORMATS:
        raise unknown("picture format", extension, FORMATS)
    return FORMATS[key]


def is_picture_path(path: Path) -> bool:
    """Whether the extension is one of a picture that `load` reads."""
    return path.suffix.lower() in _READABLE_EXTENSIONS


def resize(picture: Picture, max_size: int) -> Picture:
    """Shrink a picture so that its long side is at most `max_size` pixels; never enlarge it.

    Args:
        picture: The picture; its alpha is resized with it.
        max_size: Longest side of the result in pixels.

    Raises:
        NstError: `max_size` is below 1.
    """
    if max_size < 1:
        raise NstError(f"the maximal size is {max_size}: give 1 pixel or more.")
    factor = max_size / max(picture.size)
    if factor >= 1:
        return picture
    width, height = picture.size
    return stretch(picture, (max(1, round(width * factor)), max(1, round(height * factor))))


def stretch(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture at exactly this size, larger or smaller, its proportions aside.

    Args:
        picture: The picture; its alpha is resized with it.
        size: Width and height in pixels, at least 1.
    """
    if picture.size == size:
        return picture

    def resized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    alpha = None if picture.alpha is None else resized(picture.alpha)
    return replace(picture, rgb=resized(picture.rgb), alpha=alpha)


def strips(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Where to cut a large picture for work that takes several copies of its pixels.

    Yields:
        The first row of a strip and the one after its last, from the top.
    """
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def on_white(image: Image.Image) -> Image.Image:
    """An image without transparency, on white where it had some."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


@functools.cache
def srgb_profile() -> bytes:
    """A colour profile that says sRGB, the same bytes each time."""
    # Most pictures carry no profile: only those that do pay for this import.
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Bytes 24 to 35 hold the time of creation: without it, equal pictures give equal files.
    return profile[:24] + bytes([7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]) + profile[36:]
