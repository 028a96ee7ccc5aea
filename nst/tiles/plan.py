"""Which tiles a picture is cut into, and what each must read to be right."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Span:
    """A tile along one side of the picture, in pixels.

    Attributes:
        read: From where to where it reads.
        core: From where to where its result counts, a part of `read`.
    """

    read: tuple[int, int]
    core: tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """A part of a picture.

    Attributes:
        rows: Along the height.
        columns: Along the width.
    """

    rows: Span
    columns: Span


def tiles(width: int, height: int, side: int, halo: int, multiple: int) -> list[Tile]:
    """Tiles whose cores cover a picture once, row by row.

    Args:
        width: Of the picture, in pixels.
        height: Of the picture.
        side: Of what a tile reads; a multiple of `multiple`, and more than twice the halo.
        halo: Pixels around a core that its result depends on; a multiple of `multiple`.
        multiple: Every tile and core begins at a multiple of it: strided convolutions then fall
            on the same pixels as in the whole picture.
    """
    rows, columns = (spans(length, side, halo, multiple) for length in (height, width))
    return [Tile(*pair) for pair in product(rows, columns)]


def spans(length: int, side: int, halo: int, multiple: int) -> list[Span]:
    """The same along one side. All read equally much, but for up to `multiple` - 1 of the last."""
    found = []
    begin, done = 0, 0
    while begin + side < length:
        core = begin + side - halo
        found.append(Span((begin, begin + side), (done, core)))
        begin, done = core - halo, core
    begin = max(0, (length - side) // multiple * multiple)
    return [*found, Span((begin, length), (done, length))]
