"""The table of the shipped models in docs/gallery.md: losses against the optimiser, time, flicker.

    nst compare PHOTOS --model nst/styles/*.onnx --style-image ... --sizes 256 -o report
    nst flicker MODELS --json flicker.json
    python benchmarks/gallery.py report/report.json flicker.json docs/gallery.md

Times are taken here: of each model from an 8-bit picture of 512×512 to another, on all cores, the
median of three rounds in which the models take turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from nst import shipped
from nst.files import atomic_write
from nst.images import Picture
from nst.shipped import ShippedStyle
from nst.styliser import Styliser

SIDE, ROUNDS, RUNS = 512, 3, 7
BEGIN, END = "<!-- gallery: begin -->", "<!-- gallery: end -->"
HEAD = (
    "model",
    "network",
    f"ms at {SIDE} px",
    "MB",
    "= iterations from noise",
    "= from content",
    "total / optimum",
    "at 512 px",
    "flicker",
)


def milliseconds(models: list[ShippedStyle]) -> dict[str, float]:
    """Of each model, by its name. One session at a time: threads of another would spin."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    picture = Picture(noise, name="noise")
    found = defaultdict(list)
    for _ in range(ROUNDS):
        for model in models:
            styliser = Styliser(model.path)
            for _ in range(RUNS + 2):
                began = time.perf_counter()
                styliser.stylise(picture)
                found[model.path.stem].append(1000 * (time.perf_counter() - began))
            del found[model.path.stem][-RUNS - 2 : -RUNS]
    return {name: statistics.median(times) for name, times in found.items()}


def shown(summary: dict[str, Any], key: str, name: str, digits: int, size: str = "256") -> str:
    """The median over the photos, and their spread."""
    spread = summary[key].get(name, {}).get(size)
    if spread is None or spread["median"] is None:
        return "–"
    if spread["low"] == spread["high"]:  # of one photo
        return f"{spread['median']:.{digits}f}"
    low, high = (f"{spread[end]:.{digits}f}" for end in ("low", "high"))
    return f"{spread['median']:.{digits}f} ({low} to {high})"


def table(report: dict[str, Any], flicker: dict[str, Any]) -> str:
    """In Markdown."""
    models, summary = shipped.styles(), report["summary"]
    times = milliseconds(models)
    rows = [HEAD, ("---",) * len(HEAD)]
    for model in models:
        name = model.path.stem
        error = flicker["errors"].get(name)
        rows.append(
            (
                f"`{name}`",
                model.network + ("" if model.precision == "fp32" else f", {model.precision}"),
                f"{times[name]:.0f}",
                f"{model.path.stat().st_size / 1e6:.2f}",
                shown(summary, "equivalent_iterations_noise", name, 0),
                shown(summary, "equivalent_iterations_content", name, 0),
                shown(summary, "ratio_to_optimum", name, 2),
                shown(summary, "ratio_to_optimum", name, 2, "512"),
                "–" if error is None else f"{error['all']:.1f}",
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="report.json of nst compare")
    parser.add_argument("flicker", type=Path, help="what nst flicker --json wrote")
    parser.add_argument("page", type=Path, help="Markdown file with the lines of begin and end")
    arguments = parser.parse_args()
    text = arguments.page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    report, flicker = (json.loads(p.read_text()) for p in (arguments.report, arguments.flicker))
    made = f"{before}{BEGIN}\n\n{table(report, flicker)}\n\n{END}{after}"
    with atomic_write(arguments.page) as temporary:
        temporary.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
