"""Larger strokes: a photo is stylised shrunk, and what comes of it is enlarged again.

A network's strokes are so many pixels large, whatever the photo's size, and no strokes any more to
who looks at a photo of 4000 pixels as a whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.colour import luminance
from nst.images import strips

Finish = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.uint8]]
# Rows beyond its own that a pixel of an enlarged picture depends on.
_REACH = 4


def enlarge(
    painted: NDArray[np.uint8],
    shrunk: NDArray[np.uint8],
    photo: NDArray[np.uint8],
    finish: Finish,
) -> NDArray[np.uint8]:
    """A picture of the photo's size, with the detail that the photo lost when it was shrunk.

    The detail is the photo's luminance less that of the shrunk photo enlarged: lines stay sharp,
    and the colours are the painting's.

    Args:
        painted: (h, w, 3), what became of the shrunk photo.
        shrunk: (h, w, 3), the shrunk photo.
        photo: (H, W, 3).
        finish: From rows of the photo and of the result, (rows, W, 3) about [0, 1], to 8 bits.

    Returns:
        (H, W, 3).
    """
    result = np.empty_like(photo)
    for top, bottom in strips(*photo.shape[:2]):
        large, blurred = (_rows(pixels, photo.shape, top, bottom) for pixels in (painted, shrunk))
        sharp = photo[top:bottom].astype(np.float32) / np.float32(255)
        detail = luminance(sharp) - luminance(blurred)
        result[top:bottom] = finish(sharp, large + detail)
    return result


def _rows(
    pixels: NDArray[np.uint8], shape: tuple[int, ...], top: int, bottom: int
) -> NDArray[np.float32]:
    """Some rows of an enlarged picture, (rows, W, 3) in [0, 1], as if all of it were enlarged."""
    height, width = pixels.shape[:2]
    first, last = top * height / shape[0], min(height, bottom * height / shape[0])
    # What Lanczos' filter reaches, and no more: Pillow takes four bytes a pixel of its own.
    above = max(0, int(first) - _REACH)
    image = Image.fromarray(pixels[above : int(last) + 1 + _REACH])
    box = (0, first - above, width, last - above)
    part = image.resize((shape[1], bottom - top), Image.Resampling.LANCZOS, box)
    return np.asarray(part, np.float32) / np.float32(255)
