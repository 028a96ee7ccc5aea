"""A penalty on grids, which networks that up-sample paint and the perceptual loss does not see."""

from __future__ import annotations

from torch import Tensor

PERIOD = 4


def grid_power(pictures: Tensor) -> Tensor:
    """Power of what repeats every four pixels, and so every two, in each quarter of pictures.

    Of the pixels that one pixel was up-sampled to, each has other taps of the convolution and so
    another variance; what a ReLU makes of that has another mean, the same in all of a picture. In a
    photo the means over all pixels of a phase hardly differ.

    Args:
        pictures: (B, C, H, W), H and W at least 8.

    Returns:
        (B,): variance over the 4×4 phases of the mean over their pixels, mean over quarters and
        channels.
    """
    batch, channels, height, width = pictures.shape
    rows, columns = height // (2 * PERIOD), width // (2 * PERIOD)
    whole = pictures[..., : 2 * PERIOD * rows, : 2 * PERIOD * columns]
    cells = whole.reshape(batch, channels, 2, rows, PERIOD, 2, columns, PERIOD)
    means = cells.mean((3, 6)).transpose(3, 4)  # (B, C, quarter, quarter, phase, phase)
    return means.flatten(4).var(-1, unbiased=False).flatten(1).mean(1)
