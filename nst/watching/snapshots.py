"""A picture every few iterations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from nst.errors import NstError
from nst.images import Picture, save
from nst.optimise import Step
from nst.watching.watcher import Watcher


@contextlib.contextmanager
def snapshots(
    output: Path, every: int, iterations: int, draw: Callable[[Step], Picture]
) -> Iterator[Watcher]:
    """Save the picture after every few iterations, as OUT-0050.png, OUT-0100.png, ...

    Args:
        output: The file of the result.
        every: Iterations from one picture to the next.
        iterations: Of the whole optimisation; names have as many digits, and at least four.
        draw: The finished picture of a record.

    Yields:
        The watcher.

    Raises:
        NstError: `every` is below 1; while watching, a file that cannot be written.
    """
    if every < 1:
        raise NstError(f"a picture every {every} iterations: give 1 or more.")
    digits = max(4, len(str(iterations)))
    saved = 0

    def watch(step: Step, best: Step) -> None:
        nonlocal saved
        # A level of the pyramid begins with the number that the one before ended with.
        if step.iteration % every == 0 and step.iteration > saved:
            saved = step.iteration
            save(draw(best), output.with_stem(f"{output.stem}-{saved:0{digits}d}"))

    yield watch
