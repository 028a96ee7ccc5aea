"""Work in threads beside the caller's, a few items ahead or behind."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = 0.1  # seconds between two looks at whether the other side has gone


class _End(Exception):
    """The other side has gone."""


def _put(items: queue.Queue[T], item: T, gone: threading.Event) -> None:
    while not gone.is_set():
        with contextlib.suppress(queue.Full):
            return items.put(item, timeout=_PATIENCE)
    raise _End


@contextlib.contextmanager
def ahead(items: Iterator[T], count: int) -> Iterator[Iterator[T]]:
    """Take from an iterator in a thread.

    Args:
        items: Used in the thread alone, and not after the block.
        count: As many items wait at most.

    Yields:
        The same items, in order. What the iterator raises is raised in their place.
    """
    ready: queue.Queue[T | BaseException] = queue.Queue(count)
    gone = threading.Event()

    def work() -> None:
        try:
            for item in items:
                _put(ready, item, gone)
            _put(ready, StopIteration(), gone)
        except _End:
            pass
        except BaseException as error:
            with contextlib.suppress(_End):
                _put(ready, error, gone)

    def taken() -> Iterator[T]:
        while not isinstance(item := ready.get(), BaseException):
            yield item
        if not isinstance(item, StopIteration):
            raise item

    thread = threading.Thread(target=work, name="nst-ahead", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        gone.set()
        thread.join()


@contextlib.contextmanager
def behind(work: Callable[[T], None], count: int) -> Iterator[Callable[[T], None]]:
    """Do work in a thread, in order.

    Args:
        work: Called in the thread alone. When it fails, the rest is not done.
        count: As many items wait at most.

    Yields:
        What hands an item over; it waits while too many do, and raises what `work` raised. When
        the block ends well, all is done; else what waits is dropped.
    """
    waiting: queue.Queue[T] = queue.Queue(count)
    gone, closing, abandoned = threading.Event(), threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            while not abandoned.is_set():
                try:
                    item = waiting.get(timeout=_PATIENCE)
                except queue.Empty:
                    if closing.is_set():
                        return
                    continue
                work(item)
        except BaseException as error:
            failed.append(error)
        finally:
            gone.set()

    def put(item: T) -> None:
        try:
            _put(waiting, item, gone)
        except _End:
            raise failed[0] from None

    thread = threading.Thread(target=run, name="nst-behind", daemon=True)
    thread.start()
    try:
        yield put
        closing.set()
        thread.join()
    finally:
        # Whatever went wrong, a second Ctrl-C included: nobody else may work before it stops.
        abandoned.set()
        thread.join()
    if failed:
        raise failed[0]
