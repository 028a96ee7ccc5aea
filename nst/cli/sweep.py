"""`nst optimise --sweep NAME=A,B,...`: one or two numeric options through several values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from nst.cli.parser import members
from nst.errors import NstError, unknown

MOST = 100
"""Pictures of a sweep: more are a slip of the finger."""


@dataclass(frozen=True)
class Axis:
    """An option and the values that it takes in turn.

    Attributes:
        name: The option, with underscores.
        values: What each value is called, which is how it was written, and the value.
    """

    name: str
    values: tuple[tuple[str, float], ...]


Point = tuple[tuple[str, str, float], ...]
"""One picture of a sweep: name, text and value of each option."""


def read_axes(texts: Sequence[str], groups: Sequence[object]) -> list[Axis]:
    """The axes that `--sweep` describes.

    Args:
        texts: One or two of the form NAME=A,B,...
        groups: Dataclass instances, whose numeric fields can be swept.

    Raises:
        NstError: Another form or number of them, an option that there is not or that takes no
            number, or too many pictures.
    """
    axes = [_read_axis(text, groups) for text in texts]
    if len(axes) > 2 or len({axis.name for axis in axes}) < len(axes):
        names = ", ".join(axis.name for axis in axes)
        raise NstError(f"--sweep is given for {names}: give one or two different options.")
    count = len(points(axes))
    if count > MOST:
        raise NstError(f"--sweep would make {count} pictures: give values for {MOST} at most.")
    return axes


def points(axes: Sequence[Axis]) -> list[Point]:
    """Every combination of the axes' values, the last axis fastest."""
    rows = itertools.product(*(axis.values for axis in axes))
    return [
        tuple((axis.name, *value) for axis, value in zip(axes, row, strict=True)) for row in rows
    ]


def placed(group: Any, point: Point) -> Any:
    """A dataclass instance with those values of a point that are its fields.

    Raises:
        NstError: It refuses one of them.
    """
    own = {field.name for field in fields(group)}
    return replace(group, **{name: value for name, _, value in point if name in own})


def label(point: Point) -> str:
    """What a picture is called on the sheet."""
    return "  ".join(f"{name}={text}" for name, text, _ in point)


def beside(path: Path, point: Point) -> Path:
    """The file of one picture beside that of the sheet: OUT-content_weight-0.01.png."""
    return path.with_stem("-".join([path.stem, *(f"{name}-{text}" for name, text, _ in point)]))


def _read_axis(text: str, groups: Sequence[object]) -> Axis:
    given, equals, values = text.partition("=")
    name = given.strip().lstrip("-").replace("-", "_")
    words = [word.strip() for word in values.split(",")]
    if not equals or not all(words):
        raise NstError(f"--sweep is {text!r}: give NAME=A,B,... as content_weight=0.01,0.1,1.")
    if len(set(words)) < len(words):
        raise NstError(f"--sweep is {text!r}: give each value once.")
    return Axis(name, tuple((word, _number(name, word, _kinds(groups))) for word in words))


def _kinds(groups: Sequence[object]) -> dict[str, tuple[Any, ...]]:
    """The types that each option takes; of one name the first counts, as for the parser."""
    found: dict[str, tuple[Any, ...]] = {}
    for group in groups:
        for name, hint in get_type_hints(type(group)).items():
            found.setdefault(name, members(hint))
    return found


def _number(name: str, word: str, kinds: Mapping[str, tuple[Any, ...]]) -> float:
    numeric = [key for key, kind in kinds.items() if {int, float} & set(kind)]
    if name not in kinds:
        raise unknown("option to sweep", name, numeric)
    if name not in numeric:
        raise NstError(f"--sweep {name}: it takes no number. Choose one of {', '.join(numeric)}.")
    wanted: type[float] = float if float in kinds[name] else int
    try:
        return wanted(word)
    except ValueError:
        kind = "number" if wanted is float else "whole number"
        raise NstError(f"--sweep {name}: {word!r} is no {kind}.") from None
