"""The picture as it comes about, as an animation or a video."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from nst.errors import unknown
from nst.files import atomic_write
from nst.images import Picture, resize
from nst.optimise import Step
from nst.video import TARGETS, Clip, Frame, check_target, opaque, writing
from nst.watching.watcher import Watcher

FRAMES = 96
"""No more than these, whatever the number of iterations."""
LONGEST = 640
"""Long side of the frames in pixels: with 96 of them, 120 MB of memory at most."""
_PER_SECOND = 12
_HOLD = Fraction(2)  # seconds that the last frame stays


def check_animation(path: Path) -> None:
    """Refuse a file that `animation` cannot write here.

    Raises:
        NstError: Another extension, or a video without PyAV.
    """
    if path.suffix.lower() not in TARGETS:
        raise unknown("kind of animation", path.suffix, TARGETS)
    check_target(path)


@contextlib.contextmanager
def animation(path: Path, iterations: int, draw: Callable[[Step], Picture]) -> Iterator[Watcher]:
    """Collect frames, and write them at the end; also when it is left early.

    Frames are close together at the beginning, where the picture changes fast. Transparent pixels
    are white.

    Args:
        path: An animation (.gif, .webp, .png) or a video (.mp4, .mov, .mkv, .webm).
        iterations: Of the whole optimisation.
        draw: The finished picture of a record; all of one size.

    Yields:
        The watcher.

    Raises:
        NstError: Another extension, PyAV is missing, or the file cannot be written.
    """
    check_animation(path)
    moments = {round(iterations * (k / (FRAMES - 1)) ** 2) for k in range(FRAMES)}
    frames: list[Picture] = []
    missed: Step | None = None

    def watch(step: Step, best: Step) -> None:
        nonlocal missed
        missed = best
        if step.iteration in moments:
            # A level of the pyramid begins with the number that the one before ended with.
            moments.remove(step.iteration)
            frames.append(_frame(draw(best)))
            missed = None

    with atomic_write(path) as temporary:
        yield watch
        if missed is not None:
            frames.append(_frame(draw(missed)))
        if frames:
            _write(frames, temporary)


def _frame(picture: Picture) -> Picture:
    return resize(Picture(opaque(picture)), LONGEST)


def _write(frames: Sequence[Picture], path: Path) -> None:
    unit = Fraction(1, _PER_SECOND)
    clip = Clip(str(path), frames[0].size, len(frames), 1 / unit, unit)
    with writing(path, clip) as write:
        for number, picture in enumerate(frames, 1):
            shown = unit if number < len(frames) else _HOLD
            write(Frame(picture, (number - 1) * unit, shown))
