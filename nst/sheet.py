"""Contact sheets: pictures side by side, with labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from nst.errors import NstError

_GAP = 8
_LABEL = 20


def contact_sheet(
    pictures: Sequence[NDArray[np.uint8]],
    labels: Sequence[str],
    *,
    columns: int = 4,
    cell: int = 320,
) -> NDArray[np.uint8]:
    """Lay pictures out in a grid on white, each fitted into a square and above its label.

    Args:
        pictures: (H, W, 3) uint8 each, of any sizes.
        labels: One for each picture.
        columns: Pictures in a row.
        cell: Side of a cell in pixels.

    Returns:
        (H, W, 3) uint8.

    Raises:
        NstError: No pictures, or numbers below 1.
    """
    if not pictures or columns < 1 or cell < 1:
        raise NstError(
            f"a sheet of {len(pictures)} pictures in {columns} columns of {cell} px: "
            "give at least one of each."
        )
    fitted = [
        ImageOps.contain(Image.fromarray(picture), (cell, cell), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    columns = min(columns, len(pictures))
    rows = [fitted[first : first + columns] for first in range(0, len(fitted), columns)]
    heights = [max(picture.height for picture in row) + _GAP + _LABEL for row in rows]
    step = cell + _GAP
    sheet = Image.new("RGB", (columns * step + _GAP, sum(heights) + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for k, (picture, label) in enumerate(zip(fitted, labels, strict=True)):
        left = _GAP + k % columns * step
        bottom = sum(heights[: k // columns + 1]) - _LABEL
        sheet.paste(picture, (left + (cell - picture.width) // 2, bottom - picture.height))
        draw.text((left + cell // 2, bottom + 2), label, "black", font, anchor="ma")
    return np.asarray(sheet)
