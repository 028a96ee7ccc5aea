"""`report.json`: all that was measured, and what follows from it. docs/compare.md is its schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from nst.compare.curves import Spread
from nst.compare.records import (
    CONTENT,
    NOISE,
    Curve,
    Losses,
    Machine,
    ModelRecord,
    NetworkRun,
    OptimiserRun,
    Photo,
    Report,
    Skipped,
)
from nst.compare.summary import Standing, rows, standings
from nst.compare.words import JOHNSON, headlines, remarks
from nst.errors import NstError
from nst.sidecar import ModelFacts

SCHEMA = "nst compare"
SCHEMA_VERSION = 1
# A newline within the brackets: no string has one.
_NUMBERS = r"\[\n[\s\d.,eE+-]*(?:null[\s\d.,eE+-]*)*\]"
_T = TypeVar("_T")


def to_json(report: Report) -> str:
    """The report as JSON text. Infinity, the loss of an exploded optimisation, becomes null."""
    record = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "headlines": headlines(report),
        "remarks": remarks(report),
        "summary": _summary(standings(report)),
        "johnson2016": {size: asdict(line) for size, line in JOHNSON.items()},
        "rows": [asdict(row) for row in rows(report)],
        **asdict(report),
    }
    text = json.dumps(_finite(record), indent=1, ensure_ascii=False, allow_nan=False)
    # A number a line would make thousands of lines of the curves.
    return re.sub(_NUMBERS, lambda found: " ".join(found[0].split()), text) + "\n"


def from_json(text: str, source: str | Path) -> Report:
    """Read back what was measured; what follows from it is computed anew.

    Args:
        text: What `to_json` wrote.
        source: The file it came from, for error messages.

    Raises:
        NstError: Not such a report, or one of a newer version.
    """
    try:
        record = json.loads(text)
        # A record of something else has a version of something else.
        version = int(record["schema_version"]) if record["schema"] == SCHEMA else None
    except (ValueError, KeyError, TypeError):
        version = None
    if version is None:
        raise NstError(f"{source} is no report of nst compare: give a report.json that it wrote.")
    if version > SCHEMA_VERSION:
        raise NstError(
            f"{source} has report version {version}, this nst reads up to {SCHEMA_VERSION}: "
            "upgrade nst (pip install -U nst)."
        )
    try:
        return Report(
            machine=_read(Machine, record["machine"]),
            models=_all(_model, record["models"]),
            photos=_all(lambda r: _read(Photo, r), record["photos"]),
            networks=_all(_network, record["networks"]),
            optimisers=_all(_optimiser, record["optimisers"]),
            skipped=_all(lambda r: _read(Skipped, r), record["skipped"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise NstError(f"{source} is damaged ({error}): measure again.") from error


def read_report(path: Path) -> Report:
    """The report of a file.

    Raises:
        NstError: It cannot be read, or is no report.
    """
    try:
        return from_json(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise NstError(f"cannot read {path} ({reason}): give a report.json.") from error


def _summary(everything: Sequence[Standing]) -> dict[str, dict[str, dict[str, Any]]]:
    """Measure -> model -> size -> numbers."""
    measures: dict[str, Callable[[Standing], Any]] = {
        "speedup_vs_500": lambda s: asdict(s.speedup_vs_500),
        "equivalent_iterations_noise": lambda s: _equivalent(s, NOISE),
        "equivalent_iterations_content": lambda s: _equivalent(s, CONTENT),
        "ratio_to_optimum": lambda s: asdict(s.ratio_to_optimum),
        "network_seconds": lambda s: asdict(s.network_seconds),
        "torch_seconds": lambda s: s.torch_seconds and asdict(s.torch_seconds),
        "optimiser_seconds_per_iteration": lambda s: asdict(s.seconds_per_iteration),
        "optimiser_seconds_at": lambda s: s.seconds_at | {"extrapolated": s.extrapolated},
        "peak_bytes": lambda s: {"network": s.network_bytes, "optimiser": s.optimiser_bytes},
    }
    models = dict.fromkeys(s.model for s in everything)
    return {
        name: {
            model: {str(s.size): measure(s) for s in everything if s.model == model}
            for model in models
        }
        for name, measure in measures.items()
    }


def _equivalent(standing: Standing, start: str) -> dict[str, Any] | None:
    if start not in standing.equivalent:
        return None
    found = standing.equivalent[start]
    values: Spread = found.spread
    return asdict(values) | {
        "iterations": found.iterations,
        "worse_than_start": found.worse_than_start,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(kind: type[_T], record: dict[str, Any]) -> _T:
    """A dataclass of a record; unknown keys, of a newer nst, are passed over."""
    assert is_dataclass(kind)
    known = {f.name for f in fields(kind)}
    return kind(**{key: value for key, value in record.items() if key in known})


def _all(read: Callable[[dict[str, Any]], _T], records: list[dict[str, Any]]) -> tuple[_T, ...]:
    return tuple(read(record) for record in records)


def _model(record: dict[str, Any]) -> ModelRecord:
    return _read(ModelRecord, record | {"facts": _read(ModelFacts, record["facts"])})


def _network(record: dict[str, Any]) -> NetworkRun:
    return _read(NetworkRun, record | {"losses": _read(Losses, record["losses"])})


def _optimiser(record: dict[str, Any]) -> OptimiserRun:
    curve = record["curve"]
    series = {
        name: tuple(math.inf if value is None else value for value in curve[name])
        for name in ("total", "content", "style", "tv", "seconds")
    }
    return _read(OptimiserRun, record | {"curve": _read(Curve, curve | series)})
