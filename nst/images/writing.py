"""Pictures out: PNG, JPEG, WebP and TIFF files, whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.errors import NstError
from nst.files import atomic_write
from nst.images.picture import Picture, on_white, pillow_format
from nst.images.reading import load

DEFAULT_QUALITY = 92


def save(
    picture: Picture | Image.Image | NDArray[np.uint8],
    target: str | Path | BinaryIO,
    *,
    quality: int = DEFAULT_QUALITY,
    format: str | None = None,
) -> None:
    """Write a picture; a file appears whole or not at all.

    Transparency is kept in PNG, WebP and TIFF; JPEG has none, so it goes on white there.

    Args:
        picture: What `load` gave, a Pillow image, or an (H, W), (H, W, 3) or (H, W, 4) uint8 array.
        target: Path, or binary stream.
        quality: 1 to 100, for JPEG and WebP.
        format: An extension of `FORMATS`, with or without its dot. By default the path's
            extension; PNG for streams.

    Raises:
        NstError: Unknown format or quality, the format cannot hold the picture, or the target
            cannot be written.
    """
    if format is None:
        format = Path(target).suffix if isinstance(target, (str, Path)) else ".png"
    data = encode(picture, format, quality=quality)
    if isinstance(target, (str, Path)):
        with atomic_write(target) as temporary:
            temporary.write_bytes(data)
        return
    try:
        target.write(data)
        target.flush()
    except OSError as error:
        name = getattr(target, "name", "the stream")
        raise NstError(f"cannot write to {name} ({error.strerror}): write to a file.") from error


def encode(
    picture: Picture | Image.Image | NDArray[np.uint8],
    format: str,
    *,
    quality: int = DEFAULT_QUALITY,
) -> bytes:
    """The bytes of a picture file.

    Args:
        picture: As for `save`.
        format: An extension of `FORMATS`, with or without its dot.
        quality: 1 to 100, for JPEG and WebP.

    Raises:
        NstError: Unknown format or quality, or the format cannot hold the picture.
    """
    kind = pillow_format(format)
    if not 1 <= quality <= 100:
        raise NstError(f"quality is {quality}: give a number from 1 to 100.")
    if not isinstance(picture, Picture):
        picture = load(picture)
    image = picture.to_image()
    options: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    if kind == "JPEG":
        image = on_white(image)
        # Strokes have coloured edges, which halved chroma would blur.
        options |= {"quality": quality, "subsampling": "4:4:4" if quality >= 90 else "4:2:0"}
    elif kind == "WEBP":
        options["quality"] = quality
    elif kind == "TIFF":
        options["compression"] = "tiff_lzw"
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError, MemoryError) as error:
        raise NstError(
            f"cannot write {image.width}×{image.height} pixels as {kind} ({error}): "
            "choose another format or a smaller size."
        ) from error
    return buffer.getvalue()
