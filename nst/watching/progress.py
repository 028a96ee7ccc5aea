"""The progress bar: losses, level and time left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nst.optimise import Step
from nst.watching.watcher import Watcher

_PERIOD = 600.0  # seconds that the time left is estimated from: large pictures take some for a step


@dataclass(frozen=True)
class Stage:
    """A level of the pyramid, or another part whose iterations cost the same.

    Attributes:
        iterations: Its iterations.
        cost: Of one of them, in any unit; by levels, the number of pixels.
    """

    iterations: int
    cost: float = 1.0


@contextlib.contextmanager
def progress(stages: Sequence[Stage], title: str = "optimising") -> Iterator[Watcher]:
    """Show on stderr how far an optimisation is.

    The bar measures work, not iterations: those of a coarse level take a fraction of the time.

    Args:
        stages: All of them, in order; `Step.level` counts them.
        title: What is being done.

    Yields:
        The watcher.
    """
    # Narrow terminals cut the last column off: the losses, not the time left.
    columns = (
        TextColumn("{task.description}"),
        BarColumn(20),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    count = sum(stage.iterations for stage in stages)
    whole = sum(stage.iterations * stage.cost for stage in stages)
    console = Console(stderr=True)
    with Progress(*columns, console=console, speed_estimate_period=_PERIOD) as bar:
        task = bar.add_task(title, total=whole or 1, done="", losses="")

        def watch(step: Step, best: Step) -> None:
            before = stages[: step.level]
            inside = step.iteration - sum(stage.iterations for stage in before)
            work = sum(stage.iterations * stage.cost for stage in before)
            level = f" · level {step.level + 1}/{step.levels}" if step.levels > 1 else ""
            bar.update(
                task,
                completed=work + inside * stages[step.level].cost,
                done=f"{step.iteration}/{count}{level}",
                losses=losses(step),
            )

        yield watch


def losses(step: Step) -> str:
    """The losses of a record in words; total variation and affine term where they have a part."""
    text = f"total {step.total:.4g}, content {step.content:.4g}, style {step.style:.4g}"
    extra = {"tv": step.tv, "affine": step.affine}
    return text + "".join(f", {name} {value:.4g}" for name, value in extra.items() if value)
