"""What was found of flicker: a table to read, and JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import nst
from nst.flicker.error import BORDER
from nst.flicker.measure import Errors
from nst.flicker.motion import MOTIONS

CAPTION = (
    "Warping error: root mean square difference of each picture to the one before, moved as the "
    "camera did, in 1/255; 0 is perfectly steady. Of the frames themselves: what resampling and "
    "noise alone give."
)
CLIP_CAPTION = (
    "Warping error: root mean square difference of each picture to the one before, moved by "
    "estimated motion where that is valid, in 1/255; 0 is perfectly steady. Of the frames "
    "themselves: what noise and wrong motion give."
)


@dataclass(frozen=True)
class Setting:
    """How it was measured.

    Attributes:
        photos: Names of the photos.
        clip: File of the clip that was measured in their place, or None.
        size: Side of the photos' frames, short side of a clip's, in pixels.
        frames: Frames of each photo and motion, or of the clip.
        seed: Of the sensor's noise.
        smooth_strength: Of the smoothing, or None without.
    """

    photos: tuple[str, ...]
    clip: str | None
    size: int
    frames: int
    seed: int
    smooth_strength: float | None


def print_table(found: Mapping[str, Errors], setting: Setting) -> None:
    """Print a row for each contender and a column for each kind of motion."""
    kinds = list(next(iter(found.values())).squares)
    many = len(kinds) > 1
    table = Table(pad_edge=False)  # eighty columns hold the longest shipped name
    table.add_column("", overflow="fold")
    for kind in (*kinds, *(["all"] if many else [])):
        table.add_column(kind, justify="right")
    for name, errors in found.items():
        values = [errors.by_kind[kind] for kind in kinds] + ([errors.overall] if many else [])
        table.add_row(name, *(f"{value:.2f}" for value in values))
    console = Console()
    console.print(table)
    console.print(CLIP_CAPTION if setting.clip else CAPTION, highlight=False)


def as_json(found: Mapping[str, Errors], setting: Setting) -> str:
    """All that was measured, and how."""
    motions = {kind: asdict(motion) for kind, motion in MOTIONS.items()}
    record = {
        "nst": nst.__version__,
        "unit": "1/255, root mean square",
        **asdict(setting),
        "clip": setting.clip and Path(setting.clip).name,
        **({} if setting.clip else {"border": BORDER, "motions": motions}),
        "errors": {name: _numbers(errors) for name, errors in found.items()},
    }
    return json.dumps(record, indent=1, ensure_ascii=False)


def _numbers(errors: Errors) -> dict[str, Any]:
    values = errors.by_kind | {"all": errors.overall}
    # JSON has no word for what is not a number.
    return {kind: None if math.isnan(value) else round(value, 4) for kind, value in values.items()}
