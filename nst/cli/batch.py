"""Do many jobs, with a bar, so that one failing does not stop the rest."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from nst.cli.targets import Job
from nst.errors import NstError

Watch: TypeAlias = Callable[[float, str], None]
"""Told the share of a job that is done, to 1, and more in words."""

_PERIOD = 600.0  # seconds that the time left is estimated from: a large frame takes some


def run(jobs: list[Job], work: Callable[[Job, Watch], None]) -> int:
    """Do the jobs in order.

    Args:
        jobs: All of them.
        work: Does one.

    Returns:
        0, or 1 if some of many failed.

    Raises:
        NstError: The only one failed.
    """
    start, failed = time.perf_counter(), 0
    with _progress(len(jobs)) as show:
        for number, job in enumerate(jobs):

            def watch(share: float, words: str = "", before: int = number) -> None:
                show(before + share, words)

            try:
                work(job, watch)
            except NstError as error:
                if len(jobs) == 1:
                    raise
                failed += 1
                print(f"nst: error: {error}", file=sys.stderr)
            if len(jobs) > 1:
                show(number + 1, "")
    seconds = time.perf_counter() - start
    kind = "files" if any(job.clip for job in jobs) else "pictures"
    if failed:
        print(f"nst: {failed} of {len(jobs)} {kind} failed", file=sys.stderr)
        return 1
    if jobs[0].target:
        made = jobs[0].target if len(jobs) == 1 else f"{len(jobs)} {kind}"
        print(f"nst: {made} in {seconds:.2f} s")
    return 0


@contextlib.contextmanager
def _progress(count: int) -> Iterator[Watch]:
    """A bar on stderr if it is a terminal, as soon as it is told how many jobs are done."""
    if not sys.stderr.isatty():
        yield lambda done, words: None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[words]}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, speed_estimate_period=_PERIOD) as bar:
        task = bar.add_task("stylise", total=count, visible=count > 1, words="")
        yield lambda done, words: bar.update(task, completed=done, words=words, visible=True)
