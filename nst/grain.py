"""Grain: smooth noise where a photo hardly changes, so that strokes there differ.

A network paints alike what looks alike: of a clear sky it makes one small mark, repeated. The
generators of Ulyanov et al. 2016 (arXiv 1603.03417) take noise for the same reason.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from nst.images import strips

# Side in pixels of the noise's patches, about the width of a stroke.
_PATCH = 4
# Mean deviation from the neighbourhood, in 1/255, at which half of the noise is left.
_DETAIL = 4.0


def grained(rgb: NDArray[np.uint8], amount: float) -> NDArray[np.uint8]:
    """A photo with grain: the same for the same photo.

    Args:
        rgb: (H, W, 3).
        amount: Standard deviation of the noise where the photo is flat, of a range of 1. The more
            a photo changes about a pixel, the less there is.

    Returns:
        (H, W, 3), a new array.
    """
    height, width = rgb.shape[:2]
    grey = Image.fromarray(rgb).convert("L")
    detail = ImageChops.difference(grey, grey.filter(ImageFilter.BoxBlur(_PATCH)))
    busy = detail.reduce(_PATCH).filter(ImageFilter.BoxBlur(1))
    noise = np.random.default_rng(0).standard_normal((busy.height, busy.width), np.float32)
    noise *= 255 * amount / (1 + (np.asarray(busy, np.float32) / _DETAIL) ** 2)
    patches = Image.fromarray(noise)
    result = np.empty_like(rgb)
    for top, bottom in strips(height, width):
        box = (0, top / _PATCH, width / _PATCH, bottom / _PATCH)
        smooth = patches.resize((width, bottom - top), Image.Resampling.BICUBIC, box)
        changed = rgb[top:bottom] + np.asarray(smooth)[..., None]
        result[top:bottom] = (changed + 0.5).clip(0, 255)
    return result
