"""Animated GIF, WebP and PNG out, a frame at a time.

Pillow writes an animation only when it has all of its frames. Here it codes one frame after the
other, and the few bytes around them are put there by hand: memory does not grow with the length.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image

from nst.errors import NstError
from nst.images import Picture, encode
from nst.video.clip import Clip, Frame, Item, Write, opaque

GIF_UNIT = Fraction(1, 100)
"""What a GIF counts times in, in seconds."""
GIF_LEAST = 2
"""Units that a frame stays at least: browsers take less for a tenth of a second."""

_MILLISECOND = Fraction(1, 1000)


@contextlib.contextmanager
def write_animation(path: Path, clip: Clip, *, quality: int) -> Iterator[Write]:
    """Write an animation; the file is finished when the block ends.

    Args:
        path: A .gif, .webp, .png or .apng file.
        clip: What is to be written; its size is that of all frames.
        quality: 1 to 100, of WebP.

    Yields:
        What takes the frames, in order.

    Raises:
        NstError: The format cannot hold frames of this size.
    """
    kind, longest = _KINDS[path.suffix.lower()]
    if max(clip.size) > longest:
        raise NstError(
            f"{clip.name} has {clip.size[0]}×{clip.size[1]} pixels, and {path.suffix} holds "
            f"{longest} on a side: shrink it (--max-size)."
        )
    with path.open("wb") as file:
        writer = kind(file, clip, quality)

        def write(item: Item) -> None:
            if isinstance(item, Frame):
                writer.add(item)

        yield write
        writer.finish()


def _stay(frame: Frame, unit: Fraction, limit: int) -> int:
    """How long a frame stays, in units; the ends are rounded, so that no time is lost."""
    end = round((frame.start + frame.duration) / unit)
    return min(limit, max(1, end - round(frame.start / unit)))


class _Gif:
    """Palettes of its own for each frame; pixels are transparent or not.

    https://www.w3.org/Graphics/GIF/spec-gif89a.txt
    """

    def __init__(self, file: BinaryIO, clip: Clip, quality: int) -> None:
        self._file, self._clip = file, clip
        file.write(b"GIF89a" + struct.pack("<HHBBB", *clip.size, 0x70, 0, 0))
        if clip.plays != 1:
            again = min(65535, max(0, clip.plays - 1))
            file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", again) + b"\0")

    def add(self, frame: Frame) -> None:
        # The last colour of the palette is kept for transparency.
        colours = 255 if self._clip.alpha else 256
        rgb = frame.picture.rgb if self._clip.alpha else opaque(frame.picture)
        image = Image.fromarray(rgb).quantize(colours)
        options: dict[str, Any] = {}
        if self._clip.alpha and frame.picture.alpha is not None:
            hidden = Image.fromarray((frame.picture.alpha < 128).astype(np.uint8) * 255)
            image.paste(255, mask=hidden)
            # The frame is wiped away before the next one, which would show it otherwise.
            options = {"transparency": 255, "disposal": 2}
        palette = (image.getpalette() or []) + [0] * 768
        image.putpalette(palette[:768])
        shown = 10 * max(GIF_LEAST, _stay(frame, GIF_UNIT, 65535))
        options |= {"duration": shown, "include_color_table": True}
        self._file.write(b"".join(GifImagePlugin.getdata(image, **options)))

    def finish(self) -> None:
        self._file.write(b";")


class _WebP:
    """https://developers.google.com/speed/webp/docs/riff_container#animation."""

    def __init__(self, file: BinaryIO, clip: Clip, quality: int) -> None:
        self._file, self._clip, self._quality = file, clip, quality
        self._size = b"".join(struct.pack("<I", side - 1)[:3] for side in clip.size)
        file.write(b"RIFF\0\0\0\0WEBP")
        flags = 0x02 | (0x10 if clip.alpha else 0)
        self._chunk(b"VP8X", struct.pack("<I", flags) + self._size)
        self._chunk(b"ANIM", struct.pack("<IH", 0, min(65535, clip.plays)))

    def add(self, frame: Frame) -> None:
        shown = struct.pack("<I", _stay(frame, _MILLISECOND, 2**24 - 1))[:3]
        data = encode(_picture(frame, self._clip), ".webp", quality=self._quality)
        chunks, position = b"", 12
        while position < len(data):
            name, length = struct.unpack_from("<4sI", data, position)
            end = position + 8 + length + length % 2
            if name in (b"ALPH", b"VP8 ", b"VP8L"):
                chunks += data[position:end]
            position = end
        # At the corner, in place of what was there (not blended).
        self._chunk(b"ANMF", bytes(6) + self._size + shown + b"\x02" + chunks)

    def finish(self) -> None:
        length = self._file.tell() - 8
        self._file.seek(4)
        self._file.write(struct.pack("<I", length))

    def _chunk(self, name: bytes, data: bytes) -> None:
        self._file.write(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2))


class _Png:
    """https://www.w3.org/TR/png-3/#apng-frame-based-animation."""

    def __init__(self, file: BinaryIO, clip: Clip, quality: int) -> None:
        self._file, self._clip = file, clip
        self._count = self._sequence = 0
        self._place = 0

    def add(self, frame: Frame) -> None:
        data = encode(_picture(frame, self._clip), ".png")
        chunks = list(_png_chunks(data))
        if not self._count:
            self._file.write(data[:8])
            self._chunk(b"IHDR", chunks[0][1])
            self._place = self._file.tell()
            self._chunk(b"acTL", struct.pack(">II", 0, self._clip.plays))
        shown = _stay(frame, _MILLISECOND, 65535)
        control = struct.pack(">IIIIHHBB", *self._clip.size, 0, 0, shown, 1000, 0, 0)
        self._chunk(b"fcTL", self._next() + control)
        for name, content in chunks:
            if name == b"IDAT" and not self._count:
                self._chunk(b"IDAT", content)
            elif name == b"IDAT":
                self._chunk(b"fdAT", self._next() + content)
        self._count += 1

    def finish(self) -> None:
        if not self._count:
            return
        self._chunk(b"IEND", b"")
        self._file.seek(self._place)
        self._chunk(b"acTL", struct.pack(">II", self._count, self._clip.plays))

    def _next(self) -> bytes:
        self._sequence += 1
        return struct.pack(">I", self._sequence - 1)

    def _chunk(self, name: bytes, data: bytes) -> None:
        check = struct.pack(">I", zlib.crc32(name + data))
        self._file.write(struct.pack(">I", len(data)) + name + data + check)


# What writes each, and its longest side in pixels.
_KINDS: dict[str, tuple[type[_Gif | _WebP | _Png], int]] = {
    ".gif": (_Gif, 65535),
    ".webp": (_WebP, 16383),
    ".png": (_Png, 2**31 - 1),
    ".apng": (_Png, 2**31 - 1),
}


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, data[position + 8 : position + 8 + length]
        position += length + 12


def _picture(frame: Frame, clip: Clip) -> Picture:
    """With transparency, or without, as all frames of a file must be alike."""
    if not clip.alpha:
        return Picture(opaque(frame.picture))
    if frame.picture.alpha is not None:
        return frame.picture
    return Picture(frame.picture.rgb, np.full(clip.size[::-1], 255, np.uint8))
