"""Keep a photo's colours, or give a painting the colours of a photo.

Both are from Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer",
section 5. Pure functions on pictures as (H, W, 3) arrays, uint8 or floats in [0, 1].
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from nst.errors import NstError

Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32], NDArray[np.float64])
AnyPixels: TypeAlias = "NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]"

# Rec. 601, the Y of the YIQ space that the paper uses.
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def keep_luminance(photo: AnyPixels, stylised: Pixels) -> Pixels:
    """The stylised picture's luminance with the photo's chroma ("luminance-only transfer").

    In YIQ, a change of Y alone adds the same amount to R, G and B, so no conversion is needed:
    result = photo + (Y(stylised) - Y(photo)), clipped to [0, 1].

    Args:
        photo: (H, W, 3), the picture whose colours to keep.
        stylised: (H, W, 3), the picture whose brightness to take.

    Returns:
        A picture of the size and dtype of `stylised`.

    Raises:
        NstError: The two differ in size, or are no RGB pictures.
    """
    original, painted = _as_floats(photo), _as_floats(stylised)
    if original.shape != painted.shape:
        raise NstError(
            f"the photo has shape {original.shape} and the stylised picture {painted.shape}: "
            "give two pictures of one size."
        )
    change = painted @ _LUMINANCE - original @ _LUMINANCE
    return _like(original + change[..., None], stylised)


def luminance(picture: Pixels) -> Pixels:
    """The picture in grey: its luminance in all three channels.

    Args:
        picture: (H, W, 3).

    Returns:
        A picture of the same size and dtype.

    Raises:
        NstError: It is no RGB picture.
    """
    return _like(_grey(picture), picture)


def match_luminance(style: Pixels, content: AnyPixels) -> Pixels:
    """The style picture in grey, with the mean and deviation of the content's luminance.

    L_s' = (σ_c / σ_s) (L_s - μ_s) + μ_c: what "luminance-only transfer" takes the style from.

    Args:
        style: (H, W, 3), the painting.
        content: (H, W, 3) of any size, the photo.

    Returns:
        A picture of the size and dtype of `style`, clipped to [0, 1] (to 255 for uint8).

    Raises:
        NstError: One of the two is no RGB picture.
    """
    painting, photo = _grey(style), _grey(content)
    deviation = max(float(painting.std()), 1e-5)  # of a flat painting there is none to match
    return _like(photo.std() / deviation * (painting - painting.mean()) + photo.mean(), style)


def match_colours(style: Pixels, content: AnyPixels) -> Pixels:
    """The style picture in the colours of the content: equal mean and covariance.

    Args:
        style: (H, W, 3), the painting.
        content: (H, W, 3) of any size, the photo.

    Returns:
        A picture of the size and dtype of `style`, clipped to [0, 1] (to 255 for uint8).

    Raises:
        NstError: One of the two is no RGB picture.
    """
    matrix, offset = colour_transform(style, content)
    return _like(_as_floats(style) @ matrix.T + offset, style)


def colour_transform(
    style: AnyPixels, content: AnyPixels, *, epsilon: float = 1e-5
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map x' = A x + b of the style's colours to the content's.

    A = Σ_c^½ Σ_s^-½ and b = μ_c - A μ_s, with Σ the 3 × 3 covariances and μ the means of the
    colours in [0, 1].

    Args:
        style: (H, W, 3).
        content: (H, W, 3) of any size.
        epsilon: Added to the diagonals, which keeps the map finite for a grey picture, whose
            covariance has no inverse.

    Returns:
        A, (3, 3), and b, (3,).

    Raises:
        NstError: One of the two is no RGB picture.
    """
    style_mean, style_covariance = _statistics(style, epsilon)
    content_mean, content_covariance = _statistics(content, epsilon)
    matrix = _power(content_covariance, 0.5) @ _power(style_covariance, -0.5)
    return matrix, content_mean - matrix @ style_mean


def _statistics(
    picture: AnyPixels, epsilon: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    colours = _as_floats(picture).reshape(-1, 3).astype(np.float64)
    mean = colours.mean(axis=0)
    centred = colours - mean
    return mean, centred.T @ centred / len(colours) + epsilon * np.eye(3)


def _power(symmetric: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(symmetric)
    result: NDArray[np.float64] = (vectors * values**exponent) @ vectors.T
    return result


def _as_floats(picture: AnyPixels) -> NDArray[np.floating[Any]]:
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise NstError(f"a picture has shape {picture.shape}: give (H, W, 3).")
    if picture.dtype == np.uint8:
        return picture.astype(np.float32) / 255
    return picture.astype(np.float64 if picture.dtype == np.float64 else np.float32, copy=False)


def _grey(picture: AnyPixels) -> NDArray[np.floating[Any]]:
    """Its luminance in [0, 1], (H, W, 3)."""
    grey = _as_floats(picture) @ _LUMINANCE
    return np.repeat(grey[..., None], 3, axis=2)


def _like(values: NDArray[np.floating[Any]], model: Pixels) -> Pixels:
    values = values.clip(0, 1)
    if model.dtype == np.uint8:
        values = values * 255 + 0.5
    return values.astype(model.dtype)
