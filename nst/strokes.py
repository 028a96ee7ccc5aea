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

Finish = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.uint8]]
# Pixels worked on at once, of which there are several copies in floats.
_STRIP = 1 << 20


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
    height, width = photo.shape[:2]
    result = np.empty_like(photo)
    small = [Image.fromarray(pixels) for pixels in (painted, shrunk)]
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        large, blurred = (_rows(image, (width, height), top, bottom) for image in small)
        sharp = photo[top:bottom].astype(np.float32) / np.float32(255)
        detail = luminance(sharp) - luminance(blurred)
        result[top:bottom] = finish(sharp, large + detail)
    return result


def _rows(image: Image.Image, size: tuple[int, int], top: int, bottom: int) -> NDArray[np.float32]:
    """Some rows of an enlarged image, (rows, W, 3) in [0, 1], as if all of it had been enlarged."""
    width, height = size
    scale = image.height / height
    box = (0, top * scale, image.width, min(image.height, bottom * scale))
    part = image.resize((width, bottom - top), Image.Resampling.LANCZOS, box)
    return np.asarray(part, np.float32) / np.float32(255)
