"""The pictures of a comparison: photos cut to squares, and what each picture is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.compare.records import Photo
from nst.images import load

Pixels: TypeAlias = NDArray[np.uint8]
"""(H, W, 3)."""


def read_square(path: Path, size: int) -> Pixels:
    """The centre of a photo, as a square of exactly this many pixels: (size, size, 3) uint8.

    Raises:
        NstError: The photo cannot be read.
    """
    rgb = load(path).rgb
    height, width = rgb.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    crop = Image.fromarray(rgb[top : top + side, left : left + side])
    return np.asarray(crop.resize((size, size), Image.Resampling.LANCZOS))


def picture_name(photo: Photo, size: int, what: str) -> str:
    """The name of a picture in the report, without extension.

    Args:
        photo: The photo it shows.
        size: Its size.
        what: What was done to it: "photo", or from `of_network`, `of_equal` or `of_end`.
    """
    # Photos that differ in their extensions only share a stem.
    return f"{Path(photo.name).stem}-{photo.sha256[:6]}-{size}-{what}"


def named(photo: Photo, size: int, pictures: Mapping[str, Pixels]) -> dict[str, Pixels]:
    """Pictures by their names in the report, from what was done to them."""
    return {picture_name(photo, size, what): rgb for what, rgb in pictures.items()}


def of_network(model: str) -> str:
    """The picture of a network."""
    return f"network-{model}"


def of_equal(start: str, model: str) -> str:
    """The optimiser's picture once its loss is that of a network."""
    return f"equal-{start}-{model}"


def of_end(start: str, yardstick: str) -> str:
    """The optimiser's best picture."""
    return f"end-{start}-{yardstick}"
