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
    """Lay pictures out in a grid on white, each fitted into a square cell above its label.

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
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    step, line = cell + _GAP, cell + _GAP + _LABEL
    sheet = Image.new("RGB", (columns * step + _GAP, rows * line + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for k, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        fitted = ImageOps.contain(Image.fromarray(picture), (cell, cell), Image.Resampling.LANCZOS)
        left, top = _GAP + k % columns * step, _GAP + k // columns * line
        sheet.paste(fitted, (left + (cell - fitted.width) // 2, top + cell - fitted.height))
        draw.text((left + cell // 2, top + cell + 2), label, "black", font, anchor="ma")
    return np.asarray(sheet)
