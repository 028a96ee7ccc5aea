"""The losses as a table and as a plot."""

from __future__ import annotations

import contextlib
import csv
import itertools
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from nst.errors import NstError
from nst.files import atomic_write
from nst.optimise import Step
from nst.watching.watcher import Watcher

_COUNTS = ("iteration", "level", "evaluations")
_TERMS = ("total", "content", "style", "tv", "affine")


def plot_path(log: Path) -> Path:
    """The file of the plot that belongs to a log.

    Raises:
        NstError: The log is no .csv file.
    """
    if log.suffix.lower() != ".csv":
        raise NstError(f"the log is {log}: give a name that ends in .csv.")
    return log.with_suffix(".png")


@contextlib.contextmanager
def loss_log(path: Path) -> Iterator[Watcher]:
    """Write the losses of every iteration to a CSV file, and a plot of them beside it.

    The table grows as the optimisation goes, so that it can be followed; the plot is made at the
    end. Losses are without their weights, but for the total.

    Args:
        path: A .csv file; `plot_path` is the plot.

    Yields:
        The watcher.

    Raises:
        NstError: No .csv file, or one that cannot be written.
        ModuleNotFoundError: matplotlib is not installed.
    """
    # Here, for it to be missed before the work.
    import matplotlib  # noqa: F401

    with atomic_write(plot_path(path)) as plot, contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("w", newline="", encoding="utf-8"))
        except OSError as error:
            raise NstError(
                f"cannot write {path} ({error.strerror}): choose another one."
            ) from error
        writer = csv.writer(file)
        writer.writerow([*_COUNTS, "seconds", *_TERMS])
        steps: list[dict[str, float]] = []

        def watch(step: Step, best: Step) -> None:
            # Not the picture: thousands of them would stay in memory.
            steps.append({name: getattr(step, name) for name in (*_COUNTS, "seconds", *_TERMS)})
            writer.writerow([f"{value:.7g}" for value in steps[-1].values()])
            file.flush()

        yield watch
        _plot(steps, plot)


def _plot(steps: Sequence[dict[str, float]], path: Path) -> None:
    """Every term that has a part, against the iterations, on a logarithmic scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    usual = []
    for term in _TERMS:
        values = [step[term] for step in steps]
        if above := [value for value in values if value > 0]:
            axes.plot([step["iteration"] for step in steps], values, label=term)
            usual.append(statistics.median(above))
    for step, after in itertools.pairwise(steps):
        if step["level"] != after["level"]:
            axes.axvline(after["iteration"], color="0.8", linewidth=1, zorder=0)
    axes.set(xlabel="iteration", ylabel="loss", yscale="log")
    if usual:
        # From the photo itself, the content term begins at next to nothing.
        axes.set_ylim(bottom=min(usual) / 10)
        axes.legend()
    axes.grid(axis="y", color="0.9")
    figure.savefig(path, dpi=120)
