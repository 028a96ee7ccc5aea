"""`nst styles`: the styles that come with nst."""

from __future__ import annotations

import dataclasses
import json as json_text
import sys
from typing import Any

from nst import shipped
from nst.shipped import ShippedStyle


def styles(*, json: bool = False) -> None:
    """List the styles that come with nst.

    Args:
        json: Print a list of objects with all that is known of each model, for programs.
    """
    found = shipped.styles()
    if json:
        print(json_text.dumps([_record(style) for style in found], indent=1, ensure_ascii=False))
    elif found:
        _print_table(found)
    else:
        print("nst: no styles come with this nst", file=sys.stderr)


def _record(style: ShippedStyle) -> dict[str, Any]:
    return dataclasses.asdict(style.facts) | {
        "name": style.name,
        "path": str(style.path),
        # The painting's file; the facts hold its name only.
        "style_image": str(style.style_image or style.facts.style_image),
    }


def _print_table(found: list[ShippedStyle]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("style", "network", "precision", "size", "content", "style loss", "licence")
    for style in found:
        losses = [style.facts.held_out.get(key) for key in ("content", "style")]
        table.add_row(
            style.name,
            style.network,
            style.precision,
            f"{style.path.stat().st_size / 1e6:.1f} MB",
            *("" if loss is None else f"{loss:.3f}" for loss in losses),
            style.facts.style_licence,
        )
    Console().print(table)
