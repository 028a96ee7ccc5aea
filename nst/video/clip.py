"""What every clip comes to, whatever file it is in: frames with their times, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nst.images import Picture, stretch
from nst.video.colour import SRGB, Colour


@dataclass(frozen=True)
class Frame:
    """One picture of a clip.

    Attributes:
        picture: The pixels, upright.
        start: When it appears, in seconds.
        duration: How long it stays, in seconds.
        number: The number in its file's name, if it is a numbered picture.
        index: Its place among the source's frames, from 0.
    """

    picture: Picture
    start: Fraction
    duration: Fraction
    number: int | None = None
    index: int = 0


@dataclass(frozen=True)
class Beside:
    """A packet of sound or subtitles, to be copied as it is.

    Attributes:
        packet: PyAV's packet.
    """

    packet: Any


Item: TypeAlias = "Frame | Beside"
Write: TypeAlias = "Callable[[Item], None]"


@dataclass(frozen=True)
class Clip:
    """What is known of a clip before its frames are.

    Attributes:
        name: What to call it in error messages.
        size: Width and height of the upright frames in pixels.
        count: About how many frames there are, or None where nothing says.
        rate: Frames per second, on average.
        time_base: Unit of its times, in seconds.
        pixel_aspect: Width of a pixel over its height.
        colour: How its colours are coded.
        alpha: Whether frames may be transparent.
        plays: How often an animation is shown; 0 for without end.
        beside: PyAV's streams of sound and subtitles.
    """

    name: str
    size: tuple[int, int]
    count: int | None
    rate: Fraction
    time_base: Fraction
    pixel_aspect: Fraction = Fraction(1)
    colour: Colour = SRGB
    alpha: bool = False
    plays: int = 0
    beside: tuple[Any, ...] = ()


def squared(clip: Clip) -> Clip:
    """The clip with square pixels: as wide as it looks."""
    width = max(1, round(clip.size[0] * clip.pixel_aspect))
    return replace(clip, size=(width, clip.size[1]), pixel_aspect=Fraction(1))


def fit(size: tuple[int, int], max_size: int | None) -> tuple[int, int]:
    """The size at which a clip is stylised.

    Args:
        size: Width and height in pixels.
        max_size: Longest side of the result. It only ever shrinks, and then to even sides, which
            every codec takes.
    """
    if max_size is None or max(size) <= max_size:
        return size
    factor = Fraction(max_size, max(size))
    limit = max(1, max_size - max_size % 2)
    width, height = (min(limit, max(2, 2 * round(side * factor / 2))) for side in size)
    return width, height


def resized(items: Iterator[Item], size: tuple[int, int]) -> Iterator[Item]:
    """All frames at one size, also where a clip changes its own half-way."""
    for item in items:
        if isinstance(item, Frame):
            item = replace(item, picture=stretch(item.picture, size))
        yield item


def thinned(items: Iterator[Item], unit: Fraction, least: int) -> Iterator[Item]:
    """Leave out frames that come too soon after the last one kept.

    Args:
        items: Frames, and what is between them.
        unit: What a file counts times in, in seconds.
        least: As many units are between two frames.
    """
    last: int | None = None
    for item in items:
        if isinstance(item, Frame):
            now = round(item.start / unit)
            if last is not None and now - last < least:
                continue
            last = now
        yield item


def timed(items: Iterator[Item]) -> Iterator[Item]:
    """Make each frame stay until the next one; the last keeps its own duration.

    Files often say nothing, or nothing true, of how long a frame stays.
    """
    held: Frame | None = None
    for item in items:
        if isinstance(item, Frame):
            if held is not None:
                yield replace(held, duration=item.start - held.start)
            held = item
        else:
            yield item
    if held is not None:
        yield held


def in_order(items: Iterator[Item]) -> Iterator[Item]:
    """Count frames, and leave out those that do not come after the one before.

    No file can hold two at one time.
    """
    last: Fraction | None = None
    index = -1
    for item in items:
        if isinstance(item, Frame):
            index += 1
            if last is not None and item.start <= last:
                continue
            last = item.start
            item = replace(item, index=index)
        yield item


def opaque(picture: Picture) -> NDArray[np.uint8]:
    """Its pixels, (H, W, 3), on white where they are transparent."""
    if picture.alpha is None:
        return picture.rgb
    share = picture.alpha[..., None].astype(np.uint16)
    mixed = picture.rgb * share + 255 * (255 - share)
    return ((mixed + 127) // 255).astype(np.uint8)
