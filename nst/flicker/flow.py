"""The motion between two frames, estimated, and where it can be trusted. Needs OpenCV.

Flow: Kroeger et al. 2016, "Fast Optical Flow using Dense Inverse Search". It is valid where forward
and backward flow undo each other, and no edge of a motion runs: the conditions and thresholds of
Ruder et al. 2016, "Artistic Style Transfer for Videos", after Sundaram et al. 2010.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nst.errors import NstError
from nst.flicker.error import Squares

# OpenCV refuses or even crashes on smaller frames; in them, nothing is taken to move.
_LEAST = 32


@dataclass(frozen=True)
class Flow:
    """Where each pixel of a frame was in the frame before.

    Attributes:
        to_previous: (H, W, 2) float32: what to add to a pixel's x and y.
        valid: (H, W) bool: where that is so, and not a guess at what was hidden or out of sight.
    """

    to_previous: NDArray[np.float32]
    valid: NDArray[np.bool_]


def import_cv2(what: str) -> Any:
    """OpenCV, which only this needs.

    Args:
        what: What needs it, for the error.

    Raises:
        NstError: It is not installed.
    """
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        raise NstError(f"{what} needs OpenCV: install it with pip install 'nst[video]'.") from error


class FlowEstimator:
    """Estimates motion. It holds OpenCV's buffers: use one for all frames of a clip.

    Attributes:
        cv2: OpenCV.
    """

    def __init__(self, what: str) -> None:
        """Set up.

        Args:
            what: What needs it, for the error if OpenCV is not there.

        Raises:
            NstError: OpenCV is not installed.
        """
        self.cv2 = import_cv2(what)
        # On photos moved by fractions of a pixel it is off by 0.07 pixels; the fast preset by 0.16.
        # With a finest scale of 0 it is off by 0.04, but follows noise where nothing moves.
        self._dis = self.cv2.DISOpticalFlow.create(self.cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, previous: NDArray[np.uint8], current: NDArray[np.uint8]) -> Flow:
        """The motion from one frame to the next, both (H, W, 3) uint8 of one size."""
        if min(current.shape[:2]) < _LEAST:
            still = np.zeros((*current.shape[:2], 2), np.float32)
            return Flow(still, np.ones(current.shape[:2], np.bool_))
        before, now = (
            self.cv2.cvtColor(frame, self.cv2.COLOR_RGB2GRAY) for frame in (previous, current)
        )
        backward = self._dis.calc(now, before, None)
        forward = self.move(self._dis.calc(before, now, None), backward)
        return Flow(backward, self._consistent(backward, forward))

    def move(
        self, pixels: NDArray[Any], to_previous: NDArray[np.float32], *, sharp: bool = False
    ) -> NDArray[Any]:
        """What was in the frame before, moved to where it is now.

        Args:
            pixels: (H, W) or (H, W, channels), uint8 or float32.
            to_previous: As in `Flow`.
            sharp: Keep detail, in twice the time. Floats may then leave their range.

        Returns:
            An array like `pixels`.
        """
        x, y = _targets(to_previous)
        kernel = self.cv2.INTER_LANCZOS4 if sharp else self.cv2.INTER_LINEAR
        moved: NDArray[Any] = self.cv2.remap(
            pixels, x, y, kernel, borderMode=self.cv2.BORDER_REPLICATE
        )
        return moved

    def difference(
        self, frame: NDArray[np.float32], other: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """How much two pictures differ around each pixel, noise aside.

        Args:
            frame: (H, W, 3).
            other: Likewise.

        Returns:
            (H, W): of means over 3 × 3 pixels, in which noise cancels out, the difference in the
            channel that differs most, averaged over 5 × 5.
        """
        means = np.abs(self.cv2.blur(frame - other, (3, 3)))
        red, green, blue = np.moveaxis(means, 2, 0)
        most = np.maximum(np.maximum(red, green), blue)
        averaged: NDArray[np.float32] = self.cv2.blur(most, (5, 5))
        return averaged

    def _consistent(
        self, backward: NDArray[np.float32], forward: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Where flow leads within the frame, is undone the other way, and has no edge."""
        x, y = _targets(backward)
        height, width = x.shape
        inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        squares = _length(backward)
        undone = _length(backward + forward) <= 0.01 * (squares + _length(forward)) + 0.5
        # Central differences.
        slopes = [
            self.cv2.Sobel(backward, self.cv2.CV_32F, *axis, ksize=1, scale=0.5)
            for axis in ((1, 0), (0, 1))
        ]
        no_edge = _length(slopes[0]) + _length(slopes[1]) <= 0.01 * squares + 0.002
        valid: NDArray[np.bool_] = inside & undone & no_edge
        return valid


def _targets(to_previous: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The x and y in the frame before of every pixel, each (H, W)."""
    height, width = to_previous.shape[:2]
    rows: NDArray[np.float32] = np.arange(height).astype(np.float32)
    columns: NDArray[np.float32] = np.arange(width).astype(np.float32)
    return to_previous[..., 0] + columns, to_previous[..., 1] + rows[:, np.newaxis]


def _length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared length of each, (H, W, 2) to (H, W)."""
    x, y = vectors[..., 0], vectors[..., 1]
    length: NDArray[np.float32] = x * x + y * y
    return length


def estimated_error(
    previous: NDArray[np.uint8], current: NDArray[np.uint8], *, flow: Flow, move: FlowEstimator
) -> Squares:
    """The squared differences of a picture and the one before it, moved by estimated motion.

    Args:
        previous: (H, W, 3).
        current: (H, W, 3).
        flow: The motion of the frames that they are of.
        move: What estimated it.

    Returns:
        Those of the pixels whose motion is valid, in 1/255.
    """
    before = move.move(previous.astype(np.float32), flow.to_previous, sharp=True).clip(0, 255)
    return Squares.of((current - before)[flow.valid])
