"""Mask pictures: which part of the photo takes after which part of the style.

A mask is a picture painted in a few flat colours, one for each region; the same colour in the
photo's mask and in a style's mask marks regions that belong together. Colours must be told apart
easily: red and orange are two, red and a darker red may be one. Lossy files and soft edges are
allowed: the colours are those of which there are flat areas, and every pixel belongs to the nearest
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nst.errors import NstError

MAX_REGIONS = 16
"""More than a person paints: a picture of more colours was not meant as a mask."""

# A pixel is in a flat area if its neighbours differ from it by less, in each channel.
_FLAT = 8
# Colours less far apart (Euclidean, of 0 to 255) are one; this leaves room for JPEG's rings.
_APART = 64.0
# The colour of the same region in two masks differs by less.
_SAME = 32.0
# Flat areas of a smaller share of the mask are accidents of compression.
_SMALLEST = 5e-4
# Colours are counted and looked up in cubes of 8 levels a side.
_BITS, _SIDE = 5, 32


@dataclass(frozen=True)
class Regions:
    """The regions of a photo and those that belong to them in each style.

    Attributes:
        colours: The R colours in the photo's mask as "#rrggbb", largest region first.
        content: (R, H, W) float32, 1 inside and 0 outside; every pixel is in one region.
        styles: (R, h, w) float32 for each style, in the same order. Parts of a style that the
            photo has no region for are in none.
    """

    colours: tuple[str, ...]
    content: NDArray[np.float32]
    styles: tuple[NDArray[np.float32], ...]


def match_regions(
    content_mask: NDArray[np.uint8],
    style_masks: Sequence[NDArray[np.uint8]],
    content_size: tuple[int, int],
    style_sizes: Sequence[tuple[int, int]],
) -> Regions:
    """Find the regions of mask pictures and match them by colour.

    Args:
        content_mask: (H', W', 3).
        style_masks: (h', w', 3) for each style.
        content_size: Height and width of the photo; its mask is stretched to it, without
            smoothing.
        style_sizes: The same of each style.

    Raises:
        NstError: Not one mask for each style, a mask without a flat area or of more than
            `MAX_REGIONS` colours, or a colour of the photo's mask that a style's mask lacks.
    """
    if len(style_masks) != len(style_sizes):
        raise NstError(
            f"{len(style_sizes)} styles with {len(style_masks)} style masks: give one mask for "
            "each style, in their order."
        )
    labels, colours = find_regions(content_mask, "the content mask")
    content = _resized(labels, content_size)
    styles = []
    for k, (mask, size) in enumerate(zip(style_masks, style_sizes, strict=True), start=1):
        name = "the style mask" if len(style_masks) == 1 else f"style mask {k}"
        theirs, their_colours = find_regions(mask, name)
        partners = _partners(colours, their_colours, name)
        styles.append(_masks(_resized(theirs, size), partners))
    return Regions(
        tuple(_hex(colour) for colour in colours),
        _masks(content, np.arange(len(colours))),
        tuple(styles),
    )


def find_regions(
    mask: NDArray[np.uint8], name: str = "the mask"
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The region of each pixel, and the colours of the regions.

    Args:
        mask: (H, W, 3).
        name: What to call the mask in error messages.

    Returns:
        Labels from 0, (H, W), and the colours, (R, 3) in 0 to 255, of the largest region first.

    Raises:
        NstError: No flat area, or more than `MAX_REGIONS` colours.
    """
    cubes = _cubes(mask)
    flat = _is_flat(mask)
    colours = _dominant(mask[flat], cubes[flat], smallest=_SMALLEST * cubes.size)
    if not 0 < len(colours) <= MAX_REGIONS:
        found = f"{len(colours)} colours" if len(colours) else "no area of one colour"
        raise NstError(
            f"{name} has {found}: paint each region in one flat colour, {MAX_REGIONS} at most."
        )
    labels = _nearest(colours)[cubes]
    order = np.argsort(-np.bincount(labels.ravel(), minlength=len(colours)), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[labels], colours[order]


def _cubes(mask: NDArray[np.uint8]) -> NDArray[np.intp]:
    """(..., 3) colours to the numbers of their cubes."""
    r, g, b = (mask[..., c].astype(np.intp) >> (8 - _BITS) for c in range(3))
    cubes: NDArray[np.intp] = (r * _SIDE + g) * _SIDE + b
    return cubes


def _cube_centres() -> NDArray[np.float64]:
    """(32768, 3), the colour in the middle of each cube."""
    numbers = np.indices((_SIDE, _SIDE, _SIDE)).reshape(3, -1).T
    centres: NDArray[np.float64] = (numbers + 0.5) * 2 ** (8 - _BITS) - 0.5
    return centres


def _is_flat(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W): whether all the 3 × 3 neighbours have about the same colour."""
    height, width = mask.shape[:2]
    padded = np.pad(mask, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(np.int16)
    flat = np.ones((height, width), bool)
    for y in range(3):
        for x in range(3):
            change = padded[y : y + height, x : x + width] - padded[1:-1, 1:-1]
            flat &= (np.abs(change) < _FLAT).all(-1)
    return flat


def _dominant(
    pixels: NDArray[np.uint8], cubes: NDArray[np.intp], smallest: float
) -> NDArray[np.float64]:
    """Colours of many pixels, the most frequent first: (R, 3).

    Args:
        pixels: (K, 3).
        cubes: (K,), the cube of each.
        smallest: Pixels that a colour must have.
    """
    counts = np.bincount(cubes, minlength=_SIDE**3).astype(np.float64)
    sums = np.stack([np.bincount(cubes, pixels[:, c], _SIDE**3) for c in range(3)], axis=1)
    centres = _cube_centres()
    colours = []
    while counts.max() > 0:
        near = np.linalg.norm(centres - centres[counts.argmax()], axis=1) < _APART
        total = counts[near].sum()
        if total >= smallest:
            colours.append(sums[near].sum(0) / total)
        counts[near], sums[near] = 0, 0
    return np.array(colours).reshape(-1, 3)


def _nearest(colours: NDArray[np.float64]) -> NDArray[np.intp]:
    """The nearest of the colours for each cube: (32768,)."""
    distances = [np.linalg.norm(_cube_centres() - colour, axis=1) for colour in colours]
    nearest: NDArray[np.intp] = np.argmin(distances, axis=0)
    return nearest


def _partners(
    colours: NDArray[np.float64], theirs: NDArray[np.float64], name: str
) -> NDArray[np.intp]:
    """The number of each colour among a style's."""
    distances = np.linalg.norm(colours[:, None] - theirs[None], axis=2)
    if len(missing := np.flatnonzero(distances.min(1) >= _SAME)):
        raise NstError(
            f"the content mask has {_hex(colours[missing[0]])}, {name} has only "
            f"{', '.join(_hex(colour) for colour in theirs)}: mark what the region takes after in "
            "the same colour."
        )
    partners: NDArray[np.intp] = distances.argmin(1)
    return partners


def _resized(labels: NDArray[np.intp], size: tuple[int, int]) -> NDArray[np.intp]:
    """The nearest label at each pixel of another size."""
    rows, columns = (
        ((2 * np.arange(wanted) + 1) * given) // (2 * wanted)
        for wanted, given in zip(size, labels.shape, strict=True)
    )
    resized: NDArray[np.intp] = labels[rows[:, None], columns]
    return resized


def _masks(labels: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.float32]:
    """(R, H, W), one mask for each of the labels wanted."""
    masks: NDArray[np.float32] = (labels == wanted[:, None, None]).astype(np.float32)
    return masks


def _hex(colour: NDArray[np.float64]) -> str:
    return "#" + "".join(f"{round(c):02x}" for c in colour)
