"""What the measurements say: a row for each photo, size, start and model, and their spreads."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from nst.compare.curves import (
    Spread,
    equal_iterations,
    optimum,
    ratio_to_optimum,
    seconds_at,
    spread,
)
from nst.compare.records import CONTENT, NOISE, NetworkRun, OptimiserRun, Report

COUNTS = (100, 300, 500)
"""Iterations of the table in Johnson et al. 2016."""


@dataclass(frozen=True)
class Row:
    """A network against one run of the optimiser.

    Attributes:
        model: Name of the model.
        yardstick: The loss and style picture that both are measured on.
        photo: Name of the photo.
        size: Side of the picture in pixels.
        start: "noise" or "content".
        iterations: That the optimiser was given.
        network_total: Loss of the network's picture.
        start_total: Loss of the optimiser's start.
        lowest_total: Lowest loss of this run.
        equivalent_iterations: First iteration that is as good as the network; None if none was.
        worse_than_start: Whether the network is worse than what the optimiser starts from.
        ratio_to_optimum: The network's loss over the lowest that the optimiser found from any
            start.
        network_seconds: Time of the network.
        seconds_per_iteration: Time of an iteration.
        seconds_at: Time of the optimiser after each of `COUNTS`.
        extrapolated: Those of `COUNTS` that were not run.
        speedup_vs_500: Time of 500 iterations over that of the network.
    """

    model: str
    yardstick: str
    photo: str
    size: int
    start: str
    iterations: int
    network_total: float
    start_total: float
    lowest_total: float
    equivalent_iterations: int | None
    worse_than_start: bool
    ratio_to_optimum: float
    network_seconds: float
    seconds_per_iteration: float
    seconds_at: dict[int, float]
    extrapolated: tuple[int, ...]
    speedup_vs_500: float


@dataclass(frozen=True)
class Equivalent:
    """How many iterations a network equals.

    Attributes:
        spread: Over the photos.
        iterations: The most that were tried: "more than" for what was never reached.
        worse_than_start: On how many photos the network is worse than the start itself.
    """

    spread: Spread
    iterations: int
    worse_than_start: int


@dataclass(frozen=True)
class Standing:
    """A model at one size, over the photos.

    Attributes:
        model: Name of the model.
        size: Side of the pictures in pixels.
        photos: How many.
        equivalent: By start.
        ratio_to_optimum: The network's loss over the lowest one found.
        network_seconds: Time of the network.
        torch_seconds: Of the same in torch, if measured.
        seconds_per_iteration: Time of an iteration of the optimiser.
        seconds_at: Median time of the optimiser after each of `COUNTS`.
        extrapolated: Those of `COUNTS` that were not run everywhere.
        speedup_vs_500: Time of 500 iterations over that of the network.
        network_bytes: Largest peak of memory of the network.
        optimiser_bytes: The same of the optimiser.
    """

    model: str
    size: int
    photos: int
    equivalent: dict[str, Equivalent]
    ratio_to_optimum: Spread
    network_seconds: Spread
    torch_seconds: Spread | None
    seconds_per_iteration: Spread
    seconds_at: dict[int, float]
    extrapolated: tuple[int, ...]
    speedup_vs_500: Spread
    network_bytes: int | None
    optimiser_bytes: int | None


def rows(report: Report) -> list[Row]:
    """Every network against every run of the optimiser on the same photo and yardstick."""
    yardsticks = {model.name: model.yardstick for model in report.models}
    found: list[Row] = []
    for network in report.networks:
        place = (yardsticks[network.model], network.photo, network.size)
        runs = [r for r in report.optimisers if (r.yardstick, r.photo, r.size) == place]
        found += [_row(network, run, runs) for run in runs]
    return found


def standings(report: Report) -> list[Standing]:
    """Every model at every size, by size and in the order of the models."""
    everything = rows(report)
    sizes = sorted({row.size for row in everything})
    return [
        _standing(report, model.name, size, chosen)
        for size in sizes
        for model in report.models
        if (chosen := [r for r in everything if (r.model, r.size) == (model.name, size)])
    ]


def _row(network: NetworkRun, run: OptimiserRun, runs: Sequence[OptimiserRun]) -> Row:
    curve, total = run.curve, network.losses.total
    seconds = {
        count: seconds_at(curve.seconds, curve.seconds_per_iteration, count) for count in COUNTS
    }
    return Row(
        model=network.model,
        yardstick=run.yardstick,
        photo=network.photo,
        size=network.size,
        start=run.start,
        iterations=curve.iterations,
        network_total=total,
        start_total=curve.total[0],
        lowest_total=min(curve.total),
        equivalent_iterations=equal_iterations(curve.total, total),
        worse_than_start=total > curve.total[0],
        ratio_to_optimum=ratio_to_optimum(total, optimum(r.curve.total for r in runs)),
        network_seconds=network.seconds,
        seconds_per_iteration=curve.seconds_per_iteration,
        seconds_at=seconds,
        extrapolated=tuple(count for count in COUNTS if count > curve.iterations),
        speedup_vs_500=seconds[500] / network.seconds,
    )


def _standing(report: Report, model: str, size: int, chosen: Sequence[Row]) -> Standing:
    photos = {row.photo: row for row in chosen}
    networks = [r for r in report.networks if (r.model, r.size) == (model, size)]
    networks = [r for r in networks if r.photo in photos]
    yardstick = next(m.yardstick for m in report.models if m.name == model)
    runs = [r for r in report.optimisers if (r.yardstick, r.size) == (yardstick, size)]
    in_torch = [r.torch_seconds for r in networks if r.torch_seconds is not None]
    starts = [start for start in (NOISE, CONTENT) if any(r.start == start for r in chosen)]
    return Standing(
        model=model,
        size=size,
        photos=len(photos),
        equivalent={s: _equivalent([r for r in chosen if r.start == s]) for s in starts},
        ratio_to_optimum=spread([row.ratio_to_optimum for row in photos.values()]),
        network_seconds=spread([r.seconds for r in networks]),
        torch_seconds=spread(in_torch) if in_torch else None,
        seconds_per_iteration=spread([r.seconds_per_iteration for r in chosen]),
        seconds_at={n: statistics.median(r.seconds_at[n] for r in chosen) for n in COUNTS},
        extrapolated=tuple(n for n in COUNTS if any(n in r.extrapolated for r in chosen)),
        speedup_vs_500=spread([r.speedup_vs_500 for r in chosen]),
        network_bytes=_largest([r.peak_bytes for r in networks]),
        optimiser_bytes=_largest([r.curve.peak_bytes for r in runs]),
    )


def _equivalent(chosen: Sequence[Row]) -> Equivalent:
    return Equivalent(
        spread=spread([row.equivalent_iterations for row in chosen]),
        iterations=min(row.iterations for row in chosen),
        worse_than_start=sum(row.worse_than_start for row in chosen),
    )


def _largest(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
