"""The frames of a moving camera, made of a still photo, so that their motion is known exactly.

A frame is cut from a larger photo at a position and size of any fraction of a pixel, and resampled
once, from the photo itself. So no frame is made of another, and no border is invented.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.errors import NstError
from nst.images import Picture, stretch

DETAIL = 0.75
"""Pixels of the photo to one of a frame: the frames hold three quarters of the finest detail that
their pixels could, as a camera's do after its lens and colour filter. Finer detail could not be
moved by parts of a pixel without an error of its own (at 1.0, four times the one left at 0.75)."""


@dataclass(frozen=True)
class Motion:
    """How a camera moves from one frame to the next.

    Attributes:
        pan: To the right and down, in pixels of the frame; in upright photos down and to the right.
        zoom: Factor by which what is seen grows.
        noise: Standard deviation of the sensor's noise, in 1/255.
    """

    pan: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    noise: float = 0.0


MOTIONS: Mapping[str, Motion] = {
    "slow pan": Motion(pan=(0.7, 0.3)),
    "pan": Motion(pan=(3.3, 1.4)),
    "fast pan": Motion(pan=(9.4, 2.6)),
    "zoom": Motion(zoom=1.01),
    "noise": Motion(noise=2.0),
}
"""What is measured. No pan is by a multiple of 4 pixels, the stride of networks: for what moves by
just that, they make the same picture."""


@dataclass(frozen=True)
class View:
    """The square of a photo that a frame shows.

    Attributes:
        left: Its left edge in pixels of the photo.
        top: Its upper edge.
        scale: Pixels of the photo to one of the frame.
    """

    left: float
    top: float
    scale: float


@dataclass(frozen=True)
class Step:
    """Where a frame's content was in the frame before: the point (x, y) at `scale`·(x, y) + shift.

    Points are in pixels, from the frame's upper left corner (not from the centre of its pixel).
    """

    scale: float
    x: float
    y: float

    @classmethod
    def between(cls, previous: View, current: View) -> Step:
        """The step from one view of a photo to the next."""
        return cls(
            current.scale / previous.scale,
            (current.left - previous.left) / previous.scale,
            (current.top - previous.top) / previous.scale,
        )


def views(motion: Motion, photo: tuple[int, int], size: int, count: int) -> list[View]:
    """What each frame shows, the whole path in the photo's middle.

    Args:
        motion: How the camera moves.
        photo: Width and height of the photo.
        size: Side of a frame.
        count: How many frames.
    """
    pan = motion.pan if photo[0] >= photo[1] else motion.pan[::-1]
    found = []
    for number in range(count):
        scale = DETAIL * motion.zoom ** (count - 1 - number)
        way = number - (count - 1) / 2
        left, top = (
            side / 2 - size * scale / 2 + way * shift * DETAIL
            for side, shift in zip(photo, pan, strict=True)
        )
        found.append(View(left, top, scale))
    return found


def sequence(
    photo: Picture, motion: Motion, *, size: int, count: int, seed: int
) -> Iterator[tuple[NDArray[np.uint8], View]]:
    """The frames that a moving camera takes of a photo.

    Args:
        photo: The photo; it is shrunk until the longest way just fits into it.
        motion: How the camera moves.
        size: Side of a frame.
        count: How many frames.
        seed: Of the sensor's noise.

    Yields:
        Each frame, (size, size, 3) uint8, and what it shows of the shrunk photo.

    Raises:
        NstError: The photo is too small.
    """
    photo = _fitted(photo, size, count, motion)
    noise = np.random.default_rng(seed)
    channels = [Image.fromarray(plane.astype(np.float32)) for plane in photo.rgb.transpose(2, 0, 1)]
    for view in views(motion, photo.size, size, count):
        side = size * view.scale
        box = (view.left, view.top, view.left + side, view.top + side)
        planes = [
            np.asarray(plane.resize((size, size), Image.Resampling.LANCZOS, box=box))
            for plane in channels
        ]
        frame = np.stack(planes, axis=2)
        if motion.noise:
            frame = frame + noise.normal(0.0, motion.noise, frame.shape)
        yield (frame.clip(0, 255) + 0.5).astype(np.uint8), view


def needed(size: int, count: int, *more: Motion) -> tuple[int, int]:
    """Long and short side of the smallest photo that `MOTIONS` fit into, and more motions."""

    def side(axis: int) -> int:
        ways = (
            size * max(1.0, move.zoom ** (count - 1)) + (count - 1) * abs(move.pan[axis])
            for move in (*MOTIONS.values(), *more)
        )
        return math.ceil(DETAIL * max(ways))

    return side(0), side(1)


def check(photo: Picture, *more: Motion, size: int, count: int) -> None:
    """Refuse a photo that is too small for frames of this size and number.

    Raises:
        NstError: It is.
    """
    long, short = needed(size, count, *more)
    if max(photo.size) < long or min(photo.size) < short:
        width, height = photo.size
        raise NstError(
            f"{photo.name} has {width}×{height} pixels, and {count} frames of {size} need "
            f"{long}×{short}: give a larger photo, a smaller --size or fewer --frames."
        )


def _fitted(photo: Picture, size: int, count: int, motion: Motion) -> Picture:
    check(photo, motion, size=size, count=count)
    long, short = needed(size, count, motion)
    factor = max(long / max(photo.size), short / min(photo.size))
    width, height = photo.size
    return stretch(photo, (math.ceil(width * factor), math.ceil(height * factor)))
