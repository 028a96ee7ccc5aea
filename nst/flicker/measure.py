"""The warping error of several models at once, on photos and on clips."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nst.errors import NstError
from nst.flicker.error import Squares, known_error
from nst.flicker.motion import MOTIONS, Step, View, sequence
from nst.images import Picture

Stylise: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""A frame, (H, W, 3), to its stylised picture of the same size."""

Smooth: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]]
"""A frame and its stylised picture to a steadier one; remembers those before."""

Judge: TypeAlias = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Squares]
"""The picture of the frame before and that of a frame to how much they differ."""

Take: TypeAlias = Iterable[tuple[NDArray[np.uint8], Judge | None]]
"""Frames in order, with what compares each with the one before; None for the first."""


@dataclass(frozen=True)
class Contender:
    """What is measured: a model, with smoothing or without.

    Attributes:
        name: What to call it.
        model: The model; contenders of one model share its pictures. None for the frames as
            they are, whose error is what resampling and noise alone give.
        smoother: Makes the smoothing of a new sequence; None for no smoothing.
    """

    name: str
    model: Stylise | None = None
    smoother: Callable[[], Smooth] | None = None


@dataclass
class Errors:
    """What was found of one contender.

    Attributes:
        squares: Of each kind of motion.
    """

    squares: dict[str, Squares] = field(default_factory=dict)

    @property
    def by_kind(self) -> dict[str, float]:
        """The warping error of each kind of motion, in 1/255."""
        return {kind: squares.root_mean for kind, squares in self.squares.items()}

    @property
    def overall(self) -> float:
        """The root of the mean square over the kinds, each of which counts the same."""
        return math.sqrt(math.fsum(error**2 for error in self.by_kind.values()) / len(self.squares))


def known_takes(
    photos: Sequence[Picture], *, size: int, count: int, seed: int
) -> Iterator[tuple[str, Take]]:
    """Frames of every photo in every kind of motion, judged by the motion as it is known.

    Args:
        photos: Still photos.
        size: Side of a frame.
        count: Frames of each photo and motion.
        seed: Of the sensor's noise.
    """
    for number, photo in enumerate(photos):
        for kind, motion in MOTIONS.items():
            frames = sequence(photo, motion, size=size, count=count, seed=seed + number)
            yield kind, _judged(frames)


def _judged(frames: Iterable[tuple[NDArray[np.uint8], View]]) -> Take:
    before: View | None = None
    for frame, view in frames:
        step = before and Step.between(before, view)
        yield frame, functools.partial(known_error, step=step) if step else None
        before = view


def measure(
    takes: Iterable[tuple[str, Take]],
    contenders: Sequence[Contender],
    watch: Callable[[], None] = lambda: None,
) -> Mapping[str, Errors]:
    """The warping errors of contenders.

    Args:
        takes: Kinds of motion and sequences of frames.
        contenders: What is measured, with different names.
        watch: Called after each frame.

    Returns:
        The errors by the contenders' names.

    Raises:
        NstError: No frame comes after another.
    """
    errors = {contender.name: Errors() for contender in contenders}
    models = {contender.model for contender in contenders if contender.model}
    for kind, take in takes:
        smoothers = [contender.smoother and contender.smoother() for contender in contenders]
        before: list[NDArray[np.uint8]] = []
        for frame, judge in take:
            made = {model: model(frame) for model in models}
            now = []
            for contender, smooth in zip(contenders, smoothers, strict=True):
                picture = made[contender.model] if contender.model else frame
                now.append(smooth(frame, picture) if smooth else picture)
            if judge:
                for contender, old, new in zip(contenders, before, now, strict=True):
                    squares = errors[contender.name].squares
                    squares[kind] = squares.get(kind, Squares()) + judge(old, new)
            before = now
            watch()
    if not all(found.squares for found in errors.values()):
        raise NstError("there is one frame only, so that nothing moves: give a longer clip.")
    return errors
