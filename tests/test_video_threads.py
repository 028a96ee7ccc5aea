"""Threads ahead and behind, and the pure functions on clips."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nst.images import Picture
from nst.video.clip import Beside, Frame, fit, in_order, opaque, thinned, timed
from nst.video.threads import ahead, behind

PIXEL = Picture(np.zeros((1, 1, 3), np.uint8))


def frames(*starts: float) -> Iterator[Frame | Beside]:
    yield from (Frame(PIXEL, Fraction(s).limit_denominator(1000), Fraction(1)) for s in starts)


def test_ahead_keeps_order_and_stays_a_few_items_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for n in range(20):
            taken.append(n)
            yield n

    with ahead(items(), 2) as ready:
        for n in ready:
            time.sleep(0.005)
            assert n == len(taken) - 1 or n < len(taken) <= n + 5
            assert threading.current_thread() is threading.main_thread()
    assert taken == list(range(20))


def test_ahead_raises_in_place_and_can_be_left_early() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("cause")

    with ahead(items(), 2) as ready:
        assert next(ready) == 1
        with pytest.raises(KeyError, match="cause"):
            next(ready)
    before = threading.active_count()
    with ahead(iter(range(10**9)), 2) as ready:
        assert next(ready) == 0
    assert threading.active_count() == before


def test_behind_does_all_in_order() -> None:
    done: list[int] = []
    with behind(done.append, 2) as put:
        for n in range(50):
            put(n)
    assert done == list(range(50))


def test_behind_raises_what_failed() -> None:
    def work(n: int) -> None:
        if n == 3:
            raise KeyError("cause")

    def many() -> None:
        with behind(work, 2) as put:
            for n in range(1000):
                put(n)

    with pytest.raises(KeyError, match="cause"):
        many()
    with pytest.raises(KeyError, match="cause"), behind(work, 2) as put:
        put(3)  # seen at the end at the latest


def test_behind_drops_what_waits_when_its_block_fails() -> None:
    done: list[int] = []

    def work(n: int) -> None:
        time.sleep(0.05)
        done.append(n)

    def fail() -> None:
        with behind(work, 8) as put:
            for n in range(8):
                put(n)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(done) < 4


def test_both_overlap() -> None:
    """Three stages of 10 ms take 10 ms a frame, not 30."""

    def slow(items: Iterator[int]) -> Iterator[int]:
        for n in items:
            time.sleep(0.01)
            yield n

    begin = time.perf_counter()
    with behind(lambda n: time.sleep(0.01), 2) as put, ahead(slow(iter(range(30))), 2) as ready:
        for n in ready:
            time.sleep(0.01)
            put(n)
    assert time.perf_counter() - begin < 0.6


def test_in_order_and_timed() -> None:
    kept = list(timed(in_order(frames(0, 0.5, 0.5, 0.4, 2))))
    assert [(float(f.start), float(f.duration)) for f in kept if isinstance(f, Frame)] == [
        (0, 0.5),
        (0.5, 1.5),
        (2, 1),
    ]
    assert [f.index for f in kept if isinstance(f, Frame)] == [0, 1, 4]
    assert list(timed(iter([Beside(None)]))) == [Beside(None)]


@given(st.integers(1, 240))
def test_thinned(rate: int) -> None:
    items = iter([Frame(PIXEL, Fraction(n, rate), Fraction(1)) for n in range(300)])
    left = thinned(iter(items), Fraction(1, 100), 2)
    kept = [round(frame.start * 100) for frame in left if isinstance(frame, Frame)]
    assert kept[0] == 0
    assert all(b - a >= 2 for a, b in itertools.pairwise(kept))
    if rate <= 50:
        assert len(kept) == 300


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000))
def test_fit(width: int, height: int, limit: int) -> None:
    size = fit((width, height), limit)
    if max(width, height) <= limit:
        assert size == (width, height)
        return
    assert max(size) <= max(limit, 2)
    assert limit == 1 or all(side % 2 == 0 for side in size)
    exact = [side * limit / max(width, height) for side in (width, height)]
    assert all(abs(side - wanted) <= 2 for side, wanted in zip(size, exact, strict=True))


def test_opaque() -> None:
    rgb = np.full((1, 3, 3), 100, np.uint8)
    alpha = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_array_equal(opaque(Picture(rgb, alpha))[0, :, 0], [255, 224, 100])
    assert opaque(Picture(rgb)) is rgb
