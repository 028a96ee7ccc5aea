"""The frames of a real clip, compared by motion that is estimated from them."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from nst.flicker.flow import FlowEstimator, estimated_error
from nst.flicker.measure import Take
from nst.video.clip import Clip, Frame, Item, opaque, resized, squared
from nst.video.convert import reading

# What differs by more than this between a frame and the one before it, moved, is another thing, in
# 1/255: forward and backward flow may agree by chance, above all where another scene begins.
_OTHER = 12.0


@contextlib.contextmanager
def clip_take(path: Path, *, size: int, count: int) -> Iterator[tuple[int, Take]]:
    """The first frames of a clip, each judged where the motion since the one before is valid.

    Args:
        path: A video or animation.
        size: Frames are shrunk to this short side in pixels.
        count: Of so many frames.

    Yields:
        About how many frames there are, and the frames.

    Raises:
        NstError: The clip cannot be read, or PyAV or OpenCV is not installed.
    """
    estimator = FlowEstimator("--clip")
    with reading(path) as (clip, items):
        frames = resized(items, _shrunk(squared(clip), size))
        known = count if clip.count is None else min(count, clip.count)
        yield known, itertools.islice(_judged(frames, estimator), count)


def _shrunk(clip: Clip, size: int) -> tuple[int, int]:
    factor = min(1.0, size / min(clip.size))
    width, height = clip.size
    return max(1, round(width * factor)), max(1, round(height * factor))


def _judged(items: Iterator[Item], estimator: FlowEstimator) -> Take:
    before = None
    for item in items:
        if not isinstance(item, Frame):
            continue
        frame = opaque(item.picture)
        judge = None
        if before is not None:
            flow = estimator(before, frame)
            moved = estimator.move(before.astype(np.float32), flow.to_previous)
            alike = estimator.difference(frame.astype(np.float32), moved) < _OTHER
            flow = replace(flow, valid=flow.valid & alike)
            judge = functools.partial(estimated_error, flow=flow, move=estimator)
        yield frame, judge
        before = frame
