"""A bar on stderr for work whose parts are counted."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def bar(title: str, count: int) -> Iterator[Callable[[], None]]:
    """Show a bar, if stderr is a terminal.

    Args:
        title: What is being done.
        count: How many parts there are.

    Yields:
        To be called after each part.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=count)
        yield lambda: shown.advance(task)
