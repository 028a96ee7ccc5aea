"""Coordinates of the picture in which the loss is about as steep one way as another.

VGG sees middle frequencies of brightness some hundred times better than fine colour or very slow
changes, and the second derivatives of the loss differ as much: L-BFGS in pixels spends hundreds of
iterations on what is flat. VGG is the same everywhere in the picture, so that its curvature is
nearly diagonal over frequencies. Here it is measured, one 3×3 matrix over the colour channels for
each band of frequencies, with Hutchinson's estimator (1990): the mean of conj(F v) · F H v over
random v is the diagonal of F H F⁻¹.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nst.optimise.steps import Objective, evaluate

EVALUATIONS = 2
"""Evaluations of the objective that a measurement takes."""

# Bounds of the bands in cycles a pixel; √½ is the highest there is, in the corner.
_EDGES = (0, 0.015, 0.03, 0.05, 0.08, 0.11, 0.15, 0.2, 0.25, 0.3, 0.36, 0.43, 0.5, 0.6, 0.71)
# Half the distance of the difference of gradients, in pixels' units.
_DISTANCE = 0.02
# The curvature is of one picture, and changes on the way: full scaling would overdo it. 0.5 was
# seven iterations behind 0.75 after 40.
_POWER = 0.8
# Curvatures below this part of the largest one count as it: negative ones and noise do, too.
_SMALLEST = 0.003


def curvature(objective: Objective, image: Tensor, seed: int = 0) -> Tensor:
    """Second derivatives of an objective at a picture, by bands of frequencies.

    Args:
        objective: Any that is twice differentiable nearly everywhere.
        image: (1, 3, H, W).
        seed: Of the random direction.

    Returns:
        (bands, 3, 3), symmetric, float32; a band that a small picture lacks has its neighbour's.
    """
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(image.shape, generator=generator).to(image)
    step = _DISTANCE * direction
    ahead, behind = (evaluate(objective, image + sign * step).gradient for sign in (1, -1))
    curved = (ahead - behind) / (2 * _DISTANCE)
    before, after = (torch.fft.fft2(x[0].float()).flatten(1) for x in (direction, curved))
    vertical = torch.fft.fftfreq(image.shape[2], device=image.device)[:, None]
    across = torch.fft.fftfreq(image.shape[3], device=image.device)[None]
    edges = torch.tensor(_EDGES, device=image.device)
    band = torch.bucketize(vertical.hypot(across).flatten(), edges, right=True) - 1
    products = (before.conj()[:, None] * after[None]).real.permute(2, 0, 1)
    total = torch.zeros(len(_EDGES) - 1, 3, 3, device=image.device).index_add_(0, band, products)
    count = torch.bincount(band, minlength=len(total))
    there = count.nonzero()[:, 0]
    nearest = (there[None] - torch.arange(len(total), device=image.device)[:, None]).abs().argmin(1)
    mean = (total / count.clamp(min=1)[:, None, None])[there[nearest]] / image[0, 0].numel()
    return (mean + mean.transpose(1, 2)) / 2


def scales(measured: Tensor) -> Tensor:
    """The scaling of each band, a power of the inverse curvature.

    Args:
        measured: Curvatures, (bands, 3, 3).

    Returns:
        (bands, 3, 3), symmetric and positive definite; 1 along what is steepest, more elsewhere.
        Where nothing curves upwards, the identity.
    """
    values, vectors = torch.linalg.eigh(measured)
    largest = values.max()
    if not largest > 0:
        return torch.eye(3, device=measured.device).expand_as(measured)
    factors = (values / largest).clamp(min=_SMALLEST) ** (-_POWER / 2)
    scaled: Tensor = vectors @ torch.diag_embed(factors) @ vectors.transpose(1, 2)
    return scaled


def apply(bands: Tensor, image: Tensor, *, inverse: bool = False) -> Tensor:
    """Multiply each frequency of a picture with the matrix of its band.

    The map S is symmetric: with pixels x = S z, the gradient for z is S times that for x. Between
    the middles of the bands the matrices are interpolated. The picture counts as periodic.

    Args:
        bands: What `scales` gives.
        image: (1, 3, H, W).
        inverse: Multiply with the inverses of the matrices.
    """
    height, width = image.shape[2:]
    vertical = torch.fft.fftfreq(height, device=image.device)[:, None]
    across = torch.fft.rfftfreq(width, device=image.device)[None]
    edges = torch.tensor(_EDGES, device=image.device)
    middles = (edges[1:] + edges[:-1]) / 2
    frequency = vertical.hypot(across).clamp(middles[0], middles[-1])
    above = torch.bucketize(frequency, middles).clamp(1, len(middles) - 1)
    share = (frequency - middles[above - 1]) / (middles[above] - middles[above - 1])
    spectrum = torch.fft.rfft2(image[0].float())
    matrices = torch.lerp(bands[above - 1], bands[above], share[..., None, None])
    matrices = torch.linalg.inv(matrices) if inverse else matrices
    product = torch.einsum("hwij,jhw->ihw", matrices.to(spectrum.dtype), spectrum)
    scaled: Tensor = torch.fft.irfft2(product, s=(height, width))[None]
    return scaled.to(image)
