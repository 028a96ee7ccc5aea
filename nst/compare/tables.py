"""The two tables of a report, for all its forms: times as in Johnson et al. 2016, and losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nst.compare.curves import Spread
from nst.compare.records import NOISE, Report
from nst.compare.summary import COUNTS, Standing, standings
from nst.compare.words import FROM, JOHNSON, equivalent, interval, megabytes, number

PAPER = "Johnson et al., Titan X"
"""The name of the paper's lines."""


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: What it shows, and in which unit.
        heads: Of its columns.
        lines: A cell for each column.
    """

    title: str
    heads: list[str]
    lines: list[list[str]]


def tables(report: Report) -> list[Table]:
    """The tables: times, then losses and memory."""
    return [_times(report), _losses(report)]


def _times(report: Report) -> Table:
    """Johnson's table for this machine, with its own numbers before each size."""
    everything = standings(report)
    in_torch = any(s.torch_seconds for s in everything)
    heads = ["model", "px", *(f"{n} it." for n in COUNTS), "network", "speed-up"]
    lines: list[list[str]] = []
    for k, found in enumerate(everything):
        if found.size in JOHNSON and (k == 0 or everything[k - 1].size != found.size):
            lines.append(_published(found.size) + ["–"] * in_torch)
        lines.append(_time_cells(found) + [_median(found.torch_seconds)] * in_torch)
    title = (
        "seconds of 100, 300 and 500 iterations and of the network, median over the photos and "
        "starts; speed-up against 500 iterations"
    )
    if any(found.extrapolated for found in everything):
        title += "; * extrapolated from the seconds per iteration"
    return Table(title, heads + ["network in torch"] * in_torch, lines)


def _time_cells(found: Standing) -> list[str]:
    times = [number(found.seconds_at[n]) + ("*" if n in found.extrapolated else "") for n in COUNTS]
    speedup = number(found.speedup_vs_500.median)
    return [found.model, str(found.size), *times, _median(found.network_seconds), f"{speedup}×"]


def _published(size: int) -> list[str]:
    line = JOHNSON[size]
    times = [number(line.seconds_at[n]) for n in COUNTS]
    return [PAPER, str(size), *times, number(line.network_seconds), f"{line.speedup_vs_500}×"]


def _losses(report: Report) -> Table:
    """How good the networks are, and what memory both take."""
    everything = standings(report)
    starts = [start for start in FROM if any(start in s.equivalent for s in everything)]
    heads = ["model", "px", "photos", *(f"= from {s}" for s in starts)]
    heads += ["loss / optimum", "network", "optimiser"]
    lines = [_loss_cells(found, starts) for found in everything]
    if NOISE in starts and any(s.size in JOHNSON for s in everything):
        said = ["50 to 100" if start == NOISE else "–" for start in starts]
        lines.insert(0, [PAPER, "–", "50", *said, "–", "–", "–"])
    title = (
        "how many iterations of the optimiser equal the network, its loss over the optimum, and "
        "memory at the peak; median over the photos, and in brackets their spread"
    )
    return Table(title, heads, lines)


def _loss_cells(found: Standing, starts: Sequence[str]) -> list[str]:
    equals = [equivalent(found.equivalent[s]) if s in found.equivalent else "–" for s in starts]
    memory = [megabytes(found.network_bytes), megabytes(found.optimiser_bytes)]
    ratio = interval(found.ratio_to_optimum)
    return [found.model, str(found.size), str(found.photos), *equals, ratio, *memory]


def _median(found: Spread | None) -> str:
    return number(found.median if found else None)
