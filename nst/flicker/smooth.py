"""Steadier video of any model: each picture mixed with the one before, moved as the frames did.

o'_t = o_t + w (W(o'_{t-1}) - o_t), with o the model's pictures, W the frames' estimated motion, and
w the strength where that motion can be trusted, else 0.

The frames are mixed in the same way, as a witness: i'_t = i_t + w (W(i'_{t-1}) - i_t). Where the
moved witness differs from the frame, something has come into sight or was moved wrongly, now or
some frames ago, and the moved picture shows what is gone: there w is 0. So nothing is left behind
for long, however slowly it moves. (Compared with the frame before alone, as is common, an edge that
is off by less than a pixel in each frame goes unnoticed until it is smeared.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nst.errors import NstError
from nst.flicker.flow import FlowEstimator

DEFAULT_STRENGTH = 0.8
"""Damps the error of what flickers at random to a fifth, over about five frames."""

# Differences of frame and witness, in 1/255: noise and codecs make those up to the first; past the
# second it is something else.
_SAME, _OTHER = np.float32(4), np.float32(12)
# Side in pixels of the squares that trusted areas keep off others by: flow is least certain there.
_REACH = 5
# If less of a frame than this can be followed, another scene has begun.
_SCENE = 0.2


def smoothing(smooth: bool, strength: float | None) -> float | None:
    """The strength that two options come to: one that is given asks for smoothing by itself.

    Args:
        smooth: Whether to smooth.
        strength: How much, or None for the default.

    Returns:
        The strength; None for no smoothing.

    Raises:
        NstError: A strength that cannot be, or OpenCV is not installed.
    """
    if not smooth and strength is None:
        return None
    strength = DEFAULT_STRENGTH if strength is None else strength
    Smoother(strength)
    return strength


@dataclass(frozen=True)
class _Past:
    """What is kept of the frame before: itself, the witness and the result, each (H, W, 3)."""

    frame: NDArray[np.uint8]
    witness: NDArray[np.float32]
    result: NDArray[np.float32]


class Smoother:
    """Steadies the pictures of one clip, given in order."""

    def __init__(self, strength: float = DEFAULT_STRENGTH) -> None:
        """Start a clip.

        Args:
            strength: From 0, nothing, to below 1: the part of a picture that comes from the one
                before. What flickers at random is damped to about 1 - strength.

        Raises:
            NstError: Another strength, or OpenCV is not installed.
        """
        if not 0 <= strength < 1:
            raise NstError(f"the strength of smoothing is {strength}: give 0 to less than 1.")
        self._strength = np.float32(strength)
        self._flow = FlowEstimator("smoothing")
        self._past: _Past | None = None

    def __call__(self, frame: NDArray[np.uint8], stylised: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Steady a picture.

        Args:
            frame: (H, W, 3), the next frame of the clip, in sRGB.
            stylised: (H, W, 3), the model's picture of it.

        Returns:
            (H, W, 3). The first picture, and the first of another size or scene, is unchanged.
        """
        # In floats, as differences of a few levels would be lost by rounding each time.
        witness, result = frame.astype(np.float32), stylised.astype(np.float32)
        if self._past and self._past.frame.shape == frame.shape:
            flow = self._flow(self._past.frame, frame)
            seen, painted = (
                self._flow.move(pixels, flow.to_previous, sharp=True)
                for pixels in (self._past.witness, self._past.result)
            )
            trust = self._trust(witness, seen) * flow.valid
            if trust.mean() >= _SCENE:
                weight = self._strength * self._inwards(trust)[..., np.newaxis]
                witness += weight * (seen - witness)
                result += weight * (painted - result)
                result.clip(0, 255, out=result)
        self._past = _Past(frame, witness, result)
        return (result + np.float32(0.5)).astype(np.uint8)

    def _trust(self, frame: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far each pixel is what it was, (H, W) from 0 to 1."""
        difference = self._flow.difference(frame, seen)
        return ((_OTHER - difference) / (_OTHER - _SAME)).clip(0, 1)

    def _inwards(self, trust: NDArray[np.float32]) -> NDArray[np.float32]:
        """Less of it near where there is none, without steps."""
        shrunk = self._flow.cv2.erode(trust, np.ones((_REACH, _REACH), np.uint8))
        inwards: NDArray[np.float32] = self._flow.cv2.blur(shrunk, (_REACH, _REACH))
        return np.minimum(inwards, trust)
