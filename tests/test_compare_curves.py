"""What a network's loss means against synthetic curves of the optimiser."""

from __future__ import annotations

import math

import pytest

from nst.compare.curves import (
    Spread,
    equal_iterations,
    optimum,
    ratio_to_optimum,
    seconds_at,
    spread,
)


@pytest.mark.parametrize(
    ("totals", "reached", "iterations"),
    [
        ((9.0, 5.0, 3.0, 2.0), 3.5, 2),
        ((9.0, 5.0, 3.0, 2.0), 3.0, 2),  # as good is enough
        ((9.0, 5.0, 3.0, 2.0), 1.9, None),  # never reached
        ((9.0, 5.0, 3.0, 2.0), 7.0, 1),  # reached at the first
        ((9.0, 5.0, 3.0, 2.0), 9.5, 0),  # worse than the start
        ((9.0, 2.0, 8.0, 1.0), 4.0, 1),  # not monotone: the first time counts
        ((9.0, math.inf, 8.0, 1.0), 4.0, 3),  # exploded in between
        ((9.0,), 3.0, None),
    ],
)
def test_equal_iterations(
    totals: tuple[float, ...], reached: float, iterations: int | None
) -> None:
    assert equal_iterations(totals, reached) == iterations


def test_the_optimum_is_the_lowest_of_all_curves_wherever_it_is() -> None:
    assert optimum([(9.0, 2.0, 8.0), (5.0, 4.0, 3.0)]) == 2


def test_ratio_to_optimum() -> None:
    assert ratio_to_optimum(3.0, 2.0) == 1.5
    assert ratio_to_optimum(0.0, 0.0) == 1
    assert ratio_to_optimum(3.0, 0.0) == math.inf


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7], Spread(7, 7, 7, 1, 0)),
        ([3, 1, 2], Spread(2, 1, 3, 3, 0)),
        ([4, 1, 2, 3], Spread(2.5, 1, 4, 4, 0)),
        ([3, None, 1], Spread(3, 1, None, 3, 1)),
        ([3, None, None], Spread(None, 3, None, 3, 2)),
        # The mean of 3 and "more" is not known; 3 is the least it can be.
        ([1, 3, None, None], Spread(3, 1, None, 4, 2)),
        ([None, None], Spread(None, None, None, 2, 2)),
        # Of eleven, one at each end is left out; of ten, none.
        ([*range(1, 11)], Spread(5.5, 1, 10, 10, 0)),
        ([*range(1, 12)], Spread(6, 2, 10, 11, 0)),
        ([*range(1, 11), None], Spread(6, 2, 10, 11, 1)),
    ],
)
def test_spread(values: list[float | None], expected: Spread) -> None:
    assert spread(values) == expected
    assert spread(values[::-1]) == expected


def test_seconds_are_measured_where_they_were_run_and_extrapolated_beyond() -> None:
    seconds = (1.0, 3.0, 4.0)
    assert seconds_at(seconds, 10.0, 1) == 3
    assert seconds_at(seconds, 10.0, 2) == 4
    assert seconds_at(seconds, 10.0, 5) == 34
