"""The optimiser's curve and pictures on one photo, and memory at its peak."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nst.compare import measure  # noqa: E402
from nst.compare.models import Judge  # noqa: E402
from nst.compare.peak import PeakMemory  # noqa: E402
from nst.optimise import Step  # noqa: E402

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)


def measured(loss: Any, start: str, reach: dict[str, float]) -> Any:
    return measure.measure_optimiser(
        Judge(loss, None),
        PHOTO,
        start=start,
        iterations=6,
        seed=3,
        reach=reach,
        end="end",
        advance=lambda: None,
    )


@pytest.mark.parametrize("start", ["noise", "content"])
def test_the_optimiser_makes_only_what_can_be_saved(
    small_loss: Any, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    real, seen = measure.optimise, list[Step]()

    def watched(*arguments: Any, **options: Any) -> Iterator[Step]:
        for step in real(*arguments, **options):
            seen.append(step)
            yield step

    monkeypatch.setattr(measure, "optimise", watched)
    curve, _ = measured(small_loss, start, {})
    assert all(step.image.min() >= 0 and step.image.max() <= 1 for step in seen)
    # The first one is the warm-up.
    assert curve.total == pytest.approx([step.total for step in seen[1:]], rel=1e-6)
    assert curve.style == pytest.approx([step.style for step in seen[1:]], rel=1e-6)
    assert curve.iterations == 6


def test_pictures_are_of_the_first_iteration_that_reaches_a_loss(small_loss: Any) -> None:
    curve, pictures = measured(small_loss, "content", {"any": math.inf, "none": 0.0})
    assert pictures.keys() == {"any", "end"}
    np.testing.assert_array_equal(pictures["any"], PHOTO)
    third, best = curve.total[3], min(curve.total)
    _, pictures = measured(small_loss, "content", {"third": third * 1.0001, "best": best * 1.0001})
    assert third < min(curve.total[:3])
    assert not np.array_equal(pictures["third"], PHOTO)
    np.testing.assert_array_equal(pictures["best"], pictures["end"])


def test_seconds_are_the_optimisers_alone(small_loss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    real = measure.optimise

    def slow(*arguments: Any, **options: Any) -> Iterator[Step]:
        for step in real(*arguments, **options):
            clock[0] += 10 if step.iteration == 1 else 2
            yield step

    def advance() -> None:
        clock[0] += 1000

    monkeypatch.setattr(measure, "optimise", slow)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])
    curve, _ = measure.measure_optimiser(
        Judge(small_loss, None),
        PHOTO,
        start="content",
        iterations=4,
        seed=0,
        reach={},
        end="end",
        advance=advance,
    )
    assert curve.seconds == (2, 12, 14, 16, 18)
    assert curve.seconds_per_iteration == 2


def test_memory_at_its_peak_counts_what_is_gone_again() -> None:
    memory = PeakMemory(torch.device("cpu"))
    np.ones(50_000_000, np.uint8).sum()
    above, kept = memory.above(), memory.kept()
    if above is None or kept is None:
        pytest.skip("this system does not say")
    # Linux counts resident pages in batches for each thread, so that some are missing.
    assert 48_000_000 <= above < 90_000_000
    assert kept < 25_000_000
