"""`nst stylise`: photos in, stylised photos out."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nst import shipped
from nst.cli.targets import Job, find_sources, prepare
from nst.errors import NstError
from nst.images import DEFAULT_QUALITY, MAX_PIXELS, encode, load, save
from nst.memory import parse_bytes

Watch: TypeAlias = Callable[[float], None]


def stylise(
    inputs: list[str],
    *,
    output: str | None = None,
    style: str | None = None,
    model: str | None = None,
    max_size: int | None = None,
    strength: float = 1.0,
    keep_colour: bool = False,
    format: str | None = None,
    quality: int = DEFAULT_QUALITY,
    provider: str = "auto",
    threads: int = 0,
    memory: str | None = None,
    statistics: str = "quick",
    max_pixels: int = MAX_PIXELS,
) -> int:
    """Stylise photos with a trained network.

    Args:
        inputs: Photos, folders of photos, patterns such as "*.jpg", or - for stdin.
        output: File, folder (made if missing), or - for stdout. By default PHOTO-STYLE in the
            current folder.
        style: Name of a style that comes with nst; `nst styles` lists them.
        model: Model file that `python -m export` wrote, in place of a style.
        max_size: Shrink photos first, to a long side of at most this many pixels.
        strength: From 0, the photo, to 1, the stylised picture.
        keep_colour: Keep the photo's colours.
        format: jpg, png, webp or tiff. By default by the output's extension, else the photo's;
            png on stdout.
        quality: Of JPEG and WebP, from 1 to 100.
        provider: Where to run, such as cpu, cuda or coreml; auto takes the fastest there is.
        threads: CPU threads; 0 for one per core.
        memory: Memory to get by with, such as 2G; by default most of what is free. Larger photos
            are done in tiles.
        statistics: What the tiles go by: quick, the photo shrunk to half a tile, or exact, the
            whole photo, as if it were done in one piece, in several times the time.
        max_pixels: Refuse photos with more pixels than this.

    Returns:
        0, or 1 if some of many photos failed.
    """
    if style is not None and model is not None:
        raise NstError(f"both style {style!r} and model {model!r} are given: give one of them.")
    limit = None if memory is None else parse_bytes(memory)
    sources = find_sources(inputs)
    path = Path(model) if model is not None else shipped.find(style or "").path

    # onnxruntime takes longer to import than all the rest: not for `--help`, nor for wrong inputs.
    # (Nor may `if TYPE_CHECKING` name it above: jsonargparse runs such blocks.)
    import onnxruntime

    from nst.styliser import Styliser, check_options

    # On stderr there is one line per error, and it is ours.
    onnxruntime.set_default_logger_severity(4)
    styliser = Styliser(
        path, provider=provider, threads=threads, memory=limit, statistics=statistics
    )

    # Wrong options fail here once, not again with each of many photos.
    check_options(max_size=max_size, strength=strength)
    encode(np.zeros((1, 1, 3), np.uint8), format or ".png", quality=quality)
    jobs = prepare(sources, output, styliser.facts.style or styliser.path.stem, format)

    def work(job: Job, watch: Watch) -> None:
        picture = load(job.source or sys.stdin.buffer, max_pixels=max_pixels)
        result = styliser.stylise(
            picture, max_size=max_size, strength=strength, keep_colour=keep_colour, watch=watch
        )
        save(result, job.target or sys.stdout.buffer, quality=quality, format=format)

    if jobs[0].target is None and sys.stdout.isatty():
        raise NstError("a picture would be printed to the terminal: redirect it, or give -o FILE.")
    return _run(jobs, work)


def _run(jobs: list[Job], work: Callable[[Job, Watch], None]) -> int:
    """Do the jobs; one of many may fail without stopping the rest."""
    start, failed = time.perf_counter(), 0
    with _progress(len(jobs)) as show:
        for number, job in enumerate(jobs):

            def watch(share: float, before: int = number) -> None:
                show(before + share)

            try:
                work(job, watch)
            except NstError as error:
                if len(jobs) == 1:
                    raise
                failed += 1
                print(f"nst: error: {error}", file=sys.stderr)
            if len(jobs) > 1:
                show(number + 1)
    seconds = time.perf_counter() - start
    if failed:
        print(f"nst: {failed} of {len(jobs)} pictures failed", file=sys.stderr)
        return 1
    if jobs[0].target:
        made = jobs[0].target if len(jobs) == 1 else f"{len(jobs)} pictures"
        print(f"nst: {made} in {seconds:.2f} s")
    return 0


@contextlib.contextmanager
def _progress(count: int) -> Iterator[Watch]:
    """A bar on stderr if it is a terminal, as soon as it is told how many pictures are done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("stylise", total=count, visible=count > 1)
        yield lambda done: bar.update(task, completed=done, visible=True)
