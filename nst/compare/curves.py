"""What a network's loss means against the curves of the optimiser: pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TAIL = 0.1
"""Share of the photos that a spread leaves out at each end."""


@dataclass(frozen=True)
class Spread:
    """A number over several photos. None is "more than was tried": the optimiser never got there.

    Attributes:
        median: The middle one.
        low: With up to ten values the lowest, with more the 10th percentile by nearest rank.
        high: The same from above.
        count: Of how many values.
        never: How many of them are None.
    """

    median: float | None
    low: float | None
    high: float | None
    count: int
    never: int


def equal_iterations(totals: Sequence[float], reached: float) -> int | None:
    """The first iteration at which the optimiser is as good as a network.

    A curve may rise again; the best picture so far would be kept, so the first time counts.

    Args:
        totals: The optimiser's loss at its start and after each iteration.
        reached: The network's.

    Returns:
        0 if the start itself is no worse than the network, None if the optimiser never gets there.
    """
    return next((k for k, total in enumerate(totals) if total <= reached), None)


def optimum(curves: Iterable[Sequence[float]]) -> float:
    """The lowest loss of all curves."""
    return min(min(curve) for curve in curves)


def ratio_to_optimum(reached: float, best: float) -> float:
    """How many times the lowest loss a network's is; infinite if that is 0 and the network's not.

    Args:
        reached: The network's loss.
        best: From `optimum`.
    """
    if best == 0:
        return 1.0 if reached == 0 else math.inf
    return reached / best


def spread(values: Sequence[float | None]) -> Spread:
    """Median and interval of numbers, of which None is larger than any.

    Order statistics need no value for what is only known to be large; so the median of an even
    count is the mean of the middle two, or the lower one if the other is None.

    Args:
        values: At least one.
    """
    known = sorted(value for value in values if value is not None)
    count, never = len(values), len(values) - len(known)
    ordered: list[float | None] = [*known, *[None] * never]
    left_out = math.ceil(TAIL * count) - 1
    middle = [
        value for value in (ordered[(count - 1) // 2], ordered[count // 2]) if value is not None
    ]
    return Spread(
        median=statistics.fmean(middle) if middle else None,
        low=ordered[left_out],
        high=ordered[count - 1 - left_out],
        count=count,
        never=never,
    )


def seconds_at(seconds: Sequence[float], per_iteration: float, iterations: int) -> float:
    """Time that the optimiser takes for some iterations: measured, or else extrapolated.

    Args:
        seconds: Time at the start and after each iteration that was run.
        per_iteration: Seconds that one takes.
        iterations: How many; more than were run are extrapolated from the last one.
    """
    run = len(seconds) - 1
    if iterations <= run:
        return seconds[iterations]
    return seconds[run] + (iterations - run) * per_iteration
