"""Stable motion from still photos: what a network makes of a moved photo is its picture, moved.

Compound regularisation (Wang et al. 2020, "Consistent video style transfer via relaxation and
regularization", section III-C): a random motion and sensor noise stand for the next frame of a
video, whose motion is then known exactly, and no video is needed. The paper's motions are smooth
fields. Here they are shifts by whole pixels: to move a picture by parts of one is to resample it,
which blurs its strokes, and strokes would be penalised for being sharp (see docs/flicker.md).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_SHIFT = 10
"""Largest motion across and down, in pixels."""
NOISE = 0.02
"""Largest deviation of the noise: a camera's in poor light. (The paper has 0.001 to 0.002.)"""
RAMP = 1 / 3
"""Share of the training over which the weight of unstable motion rises."""


def random_shift(side: int) -> tuple[int, int]:
    """A random motion across and down, in pixels, of at most half a side.

    It is drawn from torch's own generator on the CPU, whose state a checkpoint keeps.
    """
    largest = min(_SHIFT, side // 2)
    across, down = torch.randint(-largest, largest + 1, (2,)).tolist()
    return across, down


def shifted(pictures: Tensor, across: int, down: int) -> Tensor:
    """What a camera sees that has moved: the pixel so far to the right and below; borders repeated.

    Args:
        pictures: (B, C, H, W).
        across: In pixels.
        down: In pixels.

    Returns:
        (B, C, H, W).
    """
    height, width = pictures.shape[2:]
    margin = max(abs(across), abs(down))
    padded = F.pad(pictures, (margin,) * 4, mode="replicate")
    top, left = margin + down, margin + across
    return padded[..., top : top + height, left : left + width]


def next_frame(photos: Tensor, across: int, down: int) -> Tensor:
    """The photos moved, with noise of a random strength for each, as a camera's next frame.

    Args:
        photos: (B, 3, H, W) in [0, 1].
        across: In pixels.
        down: In pixels.

    Returns:
        (B, 3, H, W), about [0, 1].
    """
    moved = shifted(photos, across, down)
    deviation = NOISE * torch.rand(len(photos), 1, 1, 1)
    # On the device, as there is much of it, but seeded from the generator that is kept.
    generator = torch.Generator(photos.device).manual_seed(int(torch.randint(2**62, ())))
    noise = torch.empty_like(moved).normal_(generator=generator)
    return moved + deviation.to(photos.device) * noise


def instability(pictures: Tensor, following: Tensor, across: int, down: int) -> Tensor:
    """Root mean square difference of the pictures, moved, and what was made of the moved photos.

    It is what `nst flicker` reports. A mean of absolute differences, as in the paper, is lowered
    by making most of a picture still; what flickers most is left.

    Args:
        pictures: (B, C, H, W), made of the photos.
        following: (B, C, H, W), made of `next_frame` of them.
        across: In pixels.
        down: In pixels.

    Returns:
        (B,), over the pixels that are in both.
    """
    rows, rows_after = _common(pictures.shape[2], down)
    columns, columns_after = _common(pictures.shape[3], across)
    difference = pictures[..., rows, columns] - following[..., rows_after, columns_after]
    # Not of zero, where a root has no gradient.
    return difference.square().flatten(1).mean(1).clamp_min(1e-12).sqrt()


def _common(side: int, shift: int) -> tuple[slice, slice]:
    """Where, before and after, the pixels are that both frames show."""
    return slice(max(0, shift), side + min(0, shift)), slice(max(0, -shift), side - max(0, shift))


def motion_penalty(stylise: Callable[[Tensor], Tensor], photos: Tensor, pictures: Tensor) -> Tensor:
    """How unstable a network is under a random motion and noise.

    Args:
        stylise: The network.
        photos: (B, 3, H, W) in [0, 1].
        pictures: (B, 3, H, W) that it made of them.

    Returns:
        (B,), from `instability`.
    """
    across, down = random_shift(min(photos.shape[2:]))
    following = stylise(next_frame(photos, across, down))
    return instability(pictures.float(), following.float(), across, down)
