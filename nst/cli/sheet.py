"""`nst sheet`: pictures side by side."""

from __future__ import annotations

from pathlib import Path

from nst.cli.targets import check_not_inputs
from nst.images import load, save
from nst.sheet import contact_sheet


def sheet(inputs: list[str], *, output: str, columns: int = 4, cell: int = 320) -> None:
    """Put pictures side by side on one sheet, labelled with their names.

    Args:
        inputs: The pictures, in the order of the sheet.
        output: File to write.
        columns: Pictures in a row.
        cell: Side in pixels that each picture is fitted into.
    """
    check_not_inputs([Path(output)], map(Path, inputs))
    pictures = [load(path).rgb for path in inputs]
    labels = [Path(path).stem for path in inputs]
    save(contact_sheet(pictures, labels, columns=columns, cell=cell), output)
    print(f"nst: {output}")
