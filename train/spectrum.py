"""A penalty on marks that repeat: hatching, lattices of dots, one stamp over and over.

Where a photo hardly changes a network paints one mark at equal distances, which the perceptual loss
does not mind: a Gram matrix tells how much there is of a pattern, not how regular it is. The power
spectrum does: Liu et al. 2016 (arXiv 1605.01141, "Texture synthesis through convolutional neural
networks and spectrum constraints") make regular textures by it; here it keeps out what neither the
style picture nor the photo has.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIDE = 32
"""Side of the windows in pixels: a few strokes."""
# Periods in a window below which power is of shapes, not of marks.
_SLOWEST = 3.5
# Factor by which a picture may have more power than the photo and the style together.
_ALLOWED = 2.0


def power_spectrum(pictures: Tensor) -> Tensor:
    """Power of pictures at each frequency, the mean over half-overlapping Hann windows (Welch).

    Args:
        pictures: (B, C, H, W), H and W at least `SIDE`.

    Returns:
        (B, C, SIDE, SIDE // 2 + 1), as `torch.fft.rfft2` orders it.
    """
    taper = torch.hann_window(SIDE, periodic=False, device=pictures.device)
    windows = pictures.unfold(2, SIDE, SIDE // 2).unfold(3, SIDE, SIDE // 2)
    windows = (windows - windows.mean((-2, -1), keepdim=True)) * taper[:, None] * taper
    power: Tensor = torch.fft.rfft2(windows).abs().square()
    return power.mean((2, 3))


def excess_power(pictures: Tensor, photos: Tensor, style: Tensor) -> Tensor:
    """How far pictures exceed, at single frequencies, what their photos and the style have there.

    Args:
        pictures: (B, C, H, W) in [0, 1], made of the photos.
        photos: (B, C, H, W) in [0, 1].
        style: Power spectrum of the style picture, (1, C, SIDE, SIDE // 2 + 1).

    Returns:
        (B,): square of the logarithm of the excess beyond twice their sum, mean over channels and
        frequencies of marks.
    """
    beyond = _excess(pictures, photos, style) / _ALLOWED
    return beyond.clamp(min=1).log().square().mean((1, 2))


def most_excess(pictures: Tensor, photos: Tensor, style: Tensor) -> Tensor:
    """The most power at one frequency over what photos and style have there, mean over channels.

    Args:
        pictures: As for `excess_power`.
        photos: As for `excess_power`.
        style: As for `excess_power`.

    Returns:
        (B,).
    """
    return _excess(pictures, photos, style).mean(1).amax(1)


def _excess(pictures: Tensor, photos: Tensor, style: Tensor) -> Tensor:
    """Power over that of photos and style at the frequencies of marks, (B, C, frequencies)."""
    allowed = power_spectrum(photos) + style
    # Of a channel that has next to nothing somewhere, nothing is next to nothing.
    floor = 1e-3 * allowed.mean((-2, -1), keepdim=True)
    down = torch.fft.fftfreq(SIDE, 1 / SIDE, device=pictures.device)
    across = torch.fft.rfftfreq(SIDE, 1 / SIDE, device=pictures.device)
    marks = torch.hypot(down[:, None], across) >= _SLOWEST
    return ((power_spectrum(pictures) + floor) / (allowed + floor))[..., marks]
