"""Photographs stay photographs: colours may change by maps that are affine in every small window.

The matting Laplacian (Levin et al. 2008, "A Closed-Form Solution to Natural Image Matting")
measures how far a picture is from that; the smoothing at the end enforces it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nst.errors import NstError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def matting_laplacian(content: Tensor, epsilon: float = 1e-7) -> csr_array:
    """The matting Laplacian of a picture (Levin et al. 2008, eq. 12).

    M_ij = Σ over windows w with both pixels of δ_ij - (1 + (I_i - μ)ᵀ (Σ_w + ε/9 E)⁻¹ (I_j - μ))/9,
    with 3 × 3 windows that lie wholly inside, and μ and Σ_w the mean and covariance of the nine
    colours. Vᵀ M V is the squared distance of V from its best affine map of the colours, summed
    over the windows, plus ε times the squared slope of that map.

    Building it takes 0.9 kB of memory a pixel, the answer 0.3 kB.

    Args:
        content: (1, 3, H, W) in [0, 1].
        epsilon: ε.

    Returns:
        M, (H·W, H·W) float64 in rows, symmetric, positive semidefinite, rows summing to zero; the
        pixels are numbered row by row.

    Raises:
        NstError: The picture is smaller than a window.
    """
    from scipy.sparse import diags_array

    picture = content.detach()[0].permute(1, 2, 0).double().cpu().numpy()
    height, width = picture.shape[:2]
    if min(height, width) < 3:
        raise NstError(f"the photo has {width}×{height} pixels: give one of at least 3×3.")
    pixels = height * width
    # M is banded: a diagonal for each offset between two pixels of a window, by its first pixel.
    diagonals: dict[int, NDArray[np.float64]] = {}
    places = list(itertools.product(range(3), range(3)))
    mean, inverse = _window_statistics(picture, epsilon)
    for n, (by, bx) in enumerate(places):
        # (Σ_w + ε/9 E)⁻¹ (I_b - μ) of every window at once.
        second = np.einsum("yxcd,yxd->yxc", inverse, _at(picture, by, bx) - mean)
        for ay, ax in places[: n + 1]:
            offset = (by - ay) * width + bx - ax
            diagonal = diagonals.setdefault(offset, np.zeros(pixels)).reshape(height, width)
            first = _at(picture, ay, ax) - mean
            value = (1 + np.einsum("yxc,yxc->yx", first, second)) / 9
            _at(diagonal, ay, ax)[...] += (offset == 0) - value
    offsets = [*diagonals, *(-k for k in diagonals if k)]
    bands = [diagonals[abs(k)][: pixels - abs(k)] for k in offsets]
    return diags_array(bands, offsets=offsets, shape=(pixels, pixels)).tocsr()


def _at(picture: NDArray[np.float64], y: int, x: int) -> NDArray[np.float64]:
    """The pixel (y, x) of every 3 × 3 window, a view: (H, W, ...) to (H-2, W-2, ...)."""
    height, width = picture.shape[:2]
    return picture[y : y + height - 2, x : x + width - 2]


def _window_statistics(
    picture: NDArray[np.float64], epsilon: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of every window the mean colour, (H-2, W-2, 3), and (Σ_w + ε/9 E)⁻¹, (H-2, W-2, 3, 3)."""
    mean = np.lib.stride_tricks.sliding_window_view(picture, (3, 3), (0, 1)).mean((-2, -1))
    covariance = np.zeros((*mean.shape, 3))
    for y, x in itertools.product(range(3), range(3)):
        # Of the differences: the mean of squares less the square of the mean loses the ε.
        centred = _at(picture, y, x) - mean
        covariance += centred[..., :, None] * centred[..., None, :]
    inverse = np.linalg.inv((covariance + epsilon * np.eye(3)) / 9)
    return mean, inverse.astype(np.float64, copy=False)


def locally_affine(
    result: Tensor, content: Tensor, radius: int = 3, epsilon: float = 1e-4
) -> Tensor:
    """The result as a map of the content's colours that is affine in every window.

    This is the guided filter with a guide in colour (He, Sun and Tang 2013, "Guided Image
    Filtering"): the best affine map by ridge regression in each window, and at each pixel the mean
    of the maps of all windows around it. The released code of luan2017 fits its maps in 3 × 3
    windows with about the same ridge, and takes their mean over 31 × 31 pixels, weighted by the
    likeness of the colours. Beside it this keeps more of the picture at the same smoothness: theirs
    leaves single pixels of rare colours with a map of their own, as specks. At the default radius
    it changes a picture about as much as theirs, for much less work.

    Args:
        result: (1, 3, H, W).
        content: (1, 3, H, W) in [0, 1], the guide.
        radius: A window has 2·radius + 1 pixels a side, fewer at the border.
        epsilon: ε of the ridge: what varies less in the content is flat in the answer.

    Returns:
        (1, 3, H, W) of the result's type; not clipped.
    """
    # In double precision: covariances are differences of means.
    guide, target = content[0].double(), result.detach()[0].double()
    mean, target_mean = _box(guide, radius), _box(target, radius)
    products = _box((guide[:, None] * guide).flatten(0, 1), radius).view(3, 3, *guide.shape[1:])
    covariance = (products - mean[:, None] * mean).permute(2, 3, 0, 1)
    products = _box((guide[:, None] * target).flatten(0, 1), radius).view_as(products)
    shared = (products - mean[:, None] * target_mean).permute(2, 3, 0, 1)
    ridge = epsilon * torch.eye(3, dtype=torch.float64, device=guide.device)
    # (H, W, guide's channel, result's channel)
    slope = torch.linalg.solve(covariance + ridge, shared).permute(2, 3, 0, 1)
    level = target_mean - (slope * mean[:, None]).sum(0)
    slope = _box(slope.flatten(0, 1), radius).view_as(slope)
    return ((slope * guide[:, None]).sum(0) + _box(level, radius))[None].to(result.dtype)


def _box(planes: Tensor, radius: int) -> Tensor:
    """Mean over the window around each pixel, of what lies inside: (C, H, W) to the same."""
    # One direction after the other: twice a side instead of its square.
    rows = F.avg_pool2d(planes, (2 * radius + 1, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, 2 * radius + 1), 1, (0, radius), count_include_pad=False)
