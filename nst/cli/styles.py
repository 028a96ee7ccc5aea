"""`nst styles`: the styles that come with nst."""

from __future__ import annotations

import dataclasses
import json as json_text
import sys
from pathlib import Path
from typing import Any

from nst import shipped
from nst.cli.bar import bar
from nst.cli.targets import check_not_inputs
from nst.errors import NstError
from nst.images import load, save
from nst.sheet import contact_sheet
from nst.shipped import ShippedStyle

_COLUMNS = 5
"""The most pictures in a row of a sheet."""


def styles(
    *, json: bool = False, sheet: str | None = None, output: str | None = None, cell: int = 320
) -> None:
    """List the styles that come with nst, or show what they make of a photo.

    Args:
        json: Print a list of objects with all that is known of each model, for programs.
        sheet: Photo to make one sheet of: itself, and what every model in full precision makes of
            it.
        output: File of the sheet; by default PHOTO-styles.jpg in the current folder.
        cell: Side in pixels of each picture of the sheet. The photo is stylised at this size: in
            larger ones the strokes are as large in pixels, and so finer in the picture.
    """
    if output is not None and sheet is None:
        raise NstError(f"--output {output} is for a sheet: give --sheet PHOTO, too.")
    if json and sheet is not None:
        raise NstError(f"both --json and --sheet {sheet} are given: give one of them.")
    found = shipped.styles()
    if json:
        print(json_text.dumps([_record(style) for style in found], indent=1, ensure_ascii=False))
    elif not found:
        print("nst: no styles come with this nst", file=sys.stderr)
    elif sheet is not None:
        target = Path(output) if output else Path(f"{Path(sheet).stem}-styles.jpg")
        _write_sheet(found, Path(sheet), target, cell)
    else:
        _print_table(found)


def _record(style: ShippedStyle) -> dict[str, Any]:
    return dataclasses.asdict(style.facts) | {
        "name": style.name,
        "path": str(style.path),
        # The painting's file; the facts hold its name only.
        "style_image": str(style.style_image or style.facts.style_image),
    }


def _write_sheet(found: list[ShippedStyle], photo: Path, target: Path, cell: int) -> None:
    from nst.styliser import Styliser

    if cell < 1:
        raise NstError(f"--cell is {cell} px: give 1 or more.")
    check_not_inputs([target], [photo])
    picture = load(photo)
    pictures, labels = [picture.rgb], [photo.name]
    shown = [style for style in found if style.full]
    with bar("stylise", len(shown)) as advance:
        for style in shown:
            made = Styliser(style.path).stylise(picture, max_size=cell, grain=style.grain)
            pictures.append(made.rgb)
            labels.append(style.path.stem)
            advance()
    rows = -(-len(pictures) // _COLUMNS)
    columns = -(-len(pictures) // rows)
    save(contact_sheet(pictures, labels, columns=columns, cell=cell), target)
    print(f"nst: {target}")


def _print_table(found: list[ShippedStyle]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("style", "size", "content", "style loss", "licence"):
        table.add_column(column, no_wrap=column in ("style", "licence"))
    for style in found:
        losses = [style.facts.held_out.get(key) for key in ("content", "style")]
        table.add_row(
            style.path.stem,  # as --style takes it
            f"{style.path.stat().st_size / 1e6:.1f} MB",
            *("" if loss is None else f"{loss:.3f}" for loss in losses),
            style.facts.style_licence,
        )
    Console().print(table)
