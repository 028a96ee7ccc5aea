"""Stable motion from still photos: what a network makes of a moved photo is its picture, moved.

Compound regularisation (Wang et al. 2020, "Consistent video style transfer via relaxation and
regularization", section III-C): a random smooth motion and sensor noise stand for the next frame of
a video, whose motion is then known exactly, and no video is needed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_BUMPS, _SHIFT = 8.0, 10.0
"""Deviation of the smooth field, and largest shift of a whole photo, in pixels."""
_CELL = 100
"""Pixels to a cell of the grid that the smooth field is drawn on."""
NOISE = 0.02
"""Largest deviation of the noise: a camera's in poor light. (The paper has 0.001 to 0.002.)"""


def random_flow(shape: torch.Size, device: torch.device) -> Tensor:
    """A smooth random motion for each photo of a batch: where each pixel comes from, in pixels.

    Args:
        shape: (B, C, H, W) of the photos.
        device: Where the flow is wanted. It is drawn on the CPU, from torch's own generator, whose
            state a checkpoint keeps.

    Returns:
        (B, 2, H, W) float32, horizontal part first.
    """
    batch, _, height, width = shape
    cells = (2 + height // _CELL, 2 + width // _CELL)
    bumps = _BUMPS * torch.randn(batch, 2, *cells)
    shift = _SHIFT * (2 * torch.rand(batch, 2, 1, 1) - 1)
    field = (bumps + shift).to(device)
    return F.interpolate(field, (height, width), mode="bicubic", align_corners=True)


def warp(pictures: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures moved by a flow, and which pixels came from inside of them.

    Args:
        pictures: (B, C, H, W).
        flow: (B, 2, H, W) in pixels, from `random_flow`.

    Returns:
        The moved pictures, bilinear, (B, C, H, W), and a mask of 0 and 1, (B, 1, H, W).
    """
    height, width = pictures.shape[2:]
    rows = torch.arange(height, device=flow.device).view(1, -1, 1) + flow[:, 1]
    columns = torch.arange(width, device=flow.device).view(1, 1, -1) + flow[:, 0]
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    grid = torch.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], dim=3)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=True)
    return moved, inside[:, None].to(pictures.dtype)


def next_frame(photos: Tensor, flow: Tensor) -> Tensor:
    """The photos moved, with noise of a random strength for each, as a camera's next frame.

    Args:
        photos: (B, 3, H, W) in [0, 1].
        flow: (B, 2, H, W) in pixels.

    Returns:
        (B, 3, H, W), about [0, 1].
    """
    moved, _ = warp(photos, flow)
    deviation = NOISE * torch.rand(len(photos), 1, 1, 1)
    # On the device, as there is much of it, but seeded from the generator that is kept.
    generator = torch.Generator(photos.device).manual_seed(int(torch.randint(2**62, ())))
    noise = torch.empty_like(moved).normal_(generator=generator)
    return moved + deviation.to(photos.device) * noise


def instability(pictures: Tensor, following: Tensor, flow: Tensor) -> Tensor:
    """Mean absolute difference of the pictures, moved, and what was made of the moved photos.

    Args:
        pictures: (B, C, H, W), made of the photos.
        following: (B, C, H, W), made of `next_frame` of them.
        flow: (B, 2, H, W) in pixels.

    Returns:
        (B,), over the pixels that came from inside.
    """
    moved, inside = warp(pictures, flow)
    difference = (moved - following).abs().mean(1, keepdim=True) * inside
    return difference.flatten(1).sum(1) / inside.flatten(1).sum(1).clamp(min=1)


def motion_penalty(stylise: Callable[[Tensor], Tensor], photos: Tensor, pictures: Tensor) -> Tensor:
    """How unstable a network is under a random motion and noise.

    Args:
        stylise: The network.
        photos: (B, 3, H, W) in [0, 1].
        pictures: (B, 3, H, W) that it made of them.

    Returns:
        (B,), from `instability`.
    """
    # Pictures moved in half precision would differ from what was to be measured.
    with torch.autocast(photos.device.type, enabled=False):
        flow = random_flow(photos.shape, photos.device)
        frame = next_frame(photos, flow)
    following = stylise(frame)
    with torch.autocast(photos.device.type, enabled=False):
        return instability(pictures.float(), following.float(), flow)
