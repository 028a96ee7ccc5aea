"""Pictures of any mode in: files, bytes, streams, Pillow images or arrays."""

from __future__ import annotations

import contextlib
import io
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from nst.errors import NstError
from nst.images.picture import Picture, strips

PictureSource: TypeAlias = "str | Path | bytes | BinaryIO | Image.Image | NDArray[np.uint8]"

# Pillow's own line between a big photo and a decompression bomb: 0.5 GB of pixels.
MAX_PIXELS = 178_956_970

# Only these decoders: Pillow has dozens more, one of which runs Ghostscript.
_READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")

# What undoes each EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow's limits and Python's warning filters belong to the whole process.
_PILLOW_SETTINGS = threading.RLock()


def load(source: PictureSource, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture of any mode and make it 8-bit sRGB, upright, with the alpha kept aside.

    EXIF orientation is applied; other EXIF data (place, camera) is dropped on purpose, as the
    result is no longer that photo. A colour profile is applied, a broken one ignored. Sixteen bits
    are scaled from their full range. Of an animation, the first frame is taken.

    Args:
        source: Path, encoded bytes, binary stream, Pillow image, or (H, W), (H, W, 3) or
            (H, W, 4) uint8 array.
        max_pixels: Refuse pictures with more pixels, before decoding them.

    Raises:
        NstError: Missing, unreadable, empty, damaged or too large, or not a picture.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    name = _name(source)
    with contextlib.ExitStack() as files:
        image = source
        if not isinstance(image, Image.Image):
            image = files.enter_context(opened(image, max_pixels))
        with _clear_errors(name, max_pixels), _pillow_settings(max_pixels):
            _check_size(image, name, max_pixels)
            return replace(_normalise(image), name=name)


@contextlib.contextmanager
def opened(source: str | Path | bytes | BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture file, of which only the beginning is read.

    Args:
        source: Path, encoded bytes, or binary stream.
        max_pixels: As for `load`.

    Yields:
        The Pillow image, at its first frame.

    Raises:
        NstError: As for `load`.
    """
    name = _name(source)
    with contextlib.ExitStack() as files:
        with _clear_errors(name, max_pixels), _pillow_settings(max_pixels):
            stream = files.enter_context(_open(source, name))
            if not stream.peek(1):
                raise NstError(f"{name} is empty: give a picture.")
            image = files.enter_context(Image.open(stream, formats=_READABLE))
            _check_size(image, name, max_pixels)
        yield image


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    pixels = image.width * image.height
    if not 1 <= pixels <= max_pixels:
        raise _wrong_size(name, f"{pixels} pixels", max_pixels)


@contextlib.contextmanager
def _clear_errors(name: str, max_pixels: int) -> Iterator[None]:
    try:
        yield
    except NstError:
        raise
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+ pixels", str(error))
        value = found.group() if found else "too many pixels"
        raise _wrong_size(name, value, max_pixels) from error
    except UnidentifiedImageError as error:
        raise NstError(
            f"{name} is not a picture that nst can read: give a JPEG, PNG, WebP, TIFF, BMP or GIF."
        ) from error
    except MemoryError as error:
        raise NstError(f"{name} does not fit into memory: give a smaller picture.") from error
    # Damaged files make decoders raise almost anything.
    except Exception as error:
        raise NstError(f"{name} is damaged or cut short ({error}): get the file again.") from error


@contextlib.contextmanager
def _pillow_settings(max_pixels: int) -> Iterator[None]:
    """Pillow's own bomb check at our limit, and its warnings about damaged tags unheard."""
    with _PILLOW_SETTINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        # Pillow warns at this number and refuses at twice the number, while it reads the header,
        # and again at the tiles inside a TIFF.
        Image.MAX_IMAGE_PIXELS = (max_pixels + 1) // 2
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _name(source: str | Path | bytes | BinaryIO | Image.Image) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    attribute = "filename" if isinstance(source, Image.Image) else "name"
    return str(getattr(source, attribute, "") or Picture.name)


def _open(source: str | Path | bytes | BinaryIO, name: str) -> io.BufferedReader:
    try:
        if isinstance(source, (str, Path)):
            return Path(source).open("rb")
        data = source if isinstance(source, bytes) else source.read()
        return io.BufferedReader(io.BytesIO(data))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NstError(f"cannot read {name} ({reason}): give the path of a picture.") from error


def _wrong_size(name: str, value: str, max_pixels: int) -> NstError:
    return NstError(
        f"{name} has {value}, and from 1 to {max_pixels} are allowed: "
        "shrink it first, or raise the limit (max_pixels) if you trust it."
    )


def _from_array(array: NDArray[np.uint8]) -> Picture:
    grey = array.ndim == 2
    if array.dtype != np.uint8 or not array.size or not (grey or array.shape[2:] in ((3,), (4,))):
        raise NstError(
            f"a picture array has shape {array.shape} and dtype {array.dtype}: "
            "give (H, W), (H, W, 3) or (H, W, 4) of uint8."
        )
    if grey:
        return Picture(np.stack([array] * 3, axis=2))
    alpha = np.ascontiguousarray(array[..., 3]) if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(array[..., :3]), alpha)


def _normalise(image: Image.Image) -> Picture:
    profile = image.info.get("icc_profile")
    image = _upright(image)
    alpha = None
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_eight_bits(image)
    elif image.has_transparency_data:
        # Grey stays grey, as the profile of a grey picture cannot be applied to RGB.
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha = np.array(image.getchannel("A"))
        image = image.convert(image.mode[:-1])
    elif image.mode in ("1", "P"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    converted = _to_srgb(image, profile) if profile else None
    return Picture(_rgb(converted or image), alpha, tagged=converted is not None)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels, (H, W, 3), a strip at a time: Pillow's ways hold a large picture four times."""
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    for top, bottom in strips(image.height, image.width):
        strip = image.crop((0, top, image.width, bottom))
        rgb[top:bottom] = np.asarray(strip.convert("RGB"))
    return rgb


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    orientation = 1
    # A damaged EXIF block is no reason to refuse the pixels. (Pillow's `exif_transpose` also
    # writes the block anew, and fails where only that fails.)
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floats as 8 bits, scaled from the range the values are in."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        full = 65535.0
    else:
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0).clip(0)
        top = float(values.max())
        # Integers are 16 bits in a wider type, mostly; floats are in [0, 1], or in 8 or 16 bits.
        ranges = (65535.0,) if image.mode == "I" else (1.0, 255.0, 65535.0)
        full = next((r for r in ranges if top <= r), top)
    return Image.fromarray((values * np.float32(255 / full) + 0.5).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture in sRGB, or None if its profile is broken or belongs to another mode."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
