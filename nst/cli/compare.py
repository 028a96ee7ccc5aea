"""`nst compare`: the fast network against the slow optimiser, on the same loss."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import onnxruntime
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nst import shipped
from nst.cli.targets import find_sources
from nst.compare.folder import Folder, unlike
from nst.compare.machine import machine
from nst.compare.models import Contender, read_contenders
from nst.compare.records import STARTS, Photo, Report
from nst.compare.report_json import read_report
from nst.compare.report_text import print_summary, write_readme
from nst.compare.session import Plan, Round, Session, Watch, work
from nst.errors import NstError, unknown
from nst.files import sha256_of
from nst.images import load
from nst.styliser import Styliser
from nst.tensors import keep_freed_memory
from nst.vgg import MIN_SIDE

_PERIOD = 600.0  # seconds that the time left is estimated from


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        sizes: Sides in pixels of the squares that the photos are cut to, the smallest first.
        iterations: Of the optimiser; one number, or one for each size.
        photos: How many photos, the first ones; one number, or one for each size. By default all.
        start: What the optimiser starts from: noise, content, or both as noise,content.
        seed: Seed of the noise.
    """

    sizes: int | list[int] = field(default_factory=lambda: [256, 512, 1024])
    iterations: int | list[int] = 500
    photos: int | list[int] | None = None
    start: str = "noise,content"
    seed: int = 0


def compare(
    inputs: list[str],
    *,
    effort: Effort,
    output: str = "report",
    style: str | None = None,
    model: list[str] | None = None,
    style_image: list[str] | None = None,
    torch: bool = False,
    backbone: str | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 0,
    precision: Literal["float32", "bfloat16"] = "float32",
    resume: bool = False,
    readme: str | None = None,
) -> int:
    """Compare networks with the slow optimiser, on the loss they were trained with.

    Args:
        inputs: Photos, folders of photos, or patterns such as "*.jpg"; with --readme, the
            report.json of a comparison.
        effort: How much is measured.
        output: Folder for report.html, report.json and the pictures.
        style: Name of a style that comes with nst; `nst styles` lists them.
        model: Model files that `python -m export` wrote, in place of a style.
        style_image: Style pictures that the models were trained on; those of shipped styles are
            known.
        torch: Time the networks in torch, too.
        backbone: Source of the loss network's weights in place of the one the models name.
        device: Where the optimiser runs, and the network if onnxruntime can; auto takes CUDA if
            there is one.
        threads: CPU threads of network and optimiser; 0 for one per core.
        precision: Of the loss network's convolutions, for the optimiser and for what judges both;
            bfloat16 takes half the time on processors that have it.
        resume: Go on with the comparison in the output folder.
        readme: Measure nothing: write the results of a report.json into this Markdown file,
            between the lines <!-- nst compare: begin --> and <!-- nst compare: end -->.

    Returns:
        0, or 130 after Ctrl-C, with the report of what is done written.
    """
    if readme is not None:
        return _into_readme(inputs, Path(readme))
    if style is not None and model is not None:
        raise NstError(f"both style {style!r} and model {model[0]!r} are given: give one of them.")
    if threads < 0:
        raise NstError(f"threads is {threads}: give 0 (one per core) or more.")
    # On stderr there is one line per error, and it is ours.
    onnxruntime.set_default_logger_severity(4)
    keep_freed_memory()
    photos = _photos(inputs)
    models = [Path(name) for name in model] if model else [shipped.find(style or "").path]
    contenders = read_contenders(models, style_image or [], backbone)
    plan = _plan(effort, len(photos), contenders, device, threads, torch, precision)
    fresh = Report(
        machine=machine(
            threads=plan.threads,
            network_device=plan.provider,
            device=plan.device,
            precision=plan.precision,
        ),
        models=tuple(contender.record for contender in contenders),
        photos=tuple(photo for photo, _ in photos),
    )
    return _measure(plan, contenders, photos, Folder(Path(output), fresh, resume=resume))


def _into_readme(inputs: Sequence[str], readme: Path) -> int:
    if len(inputs) != 1 or Path(inputs[0]).suffix != ".json":
        raise NstError(f"--readme takes one report.json, not {' '.join(inputs)}.")
    report = read_report(Path(inputs[0]))
    if not report.networks:
        raise NstError(f"{inputs[0]} holds no measurement yet: run nst compare first.")
    write_readme(readme, report)
    print(f"nst: {readme}")
    return 0


def _photos(inputs: Sequence[str]) -> list[tuple[Photo, Path]]:
    """The photos, each read once, so that what is wrong with one is said before the work."""
    found: dict[str, tuple[Photo, Path]] = {}
    for path in find_sources(inputs):
        if path is None:
            raise NstError("nst compare reads no photo from stdin: give files or folders.")
        width, height = load(path).size
        digest = sha256_of(path)
        found.setdefault(digest, (Photo(path.name, digest, width, height), path))
    names = unlike([photo for photo, _ in found.values()])
    return list(zip(names, (path for _, path in found.values()), strict=True))


def _plan(
    effort: Effort,
    photos: int,
    contenders: Sequence[Contender],
    device: str,
    threads: int,
    with_torch: bool,
    precision: Literal["float32", "bfloat16"],
) -> Plan:
    if device == "cuda" and not torch.cuda.is_available():
        raise NstError("device 'cuda' is not there, or torch cannot use it: give cpu or auto.")
    cuda = torch.cuda.is_available() and device != "cpu"
    if threads:
        torch.set_num_threads(threads)
    return Plan(
        rounds=_rounds(effort, photos),
        starts=_starts(effort.start),
        seed=effort.seed,
        # The same number for both, whatever each would choose by itself.
        threads=torch.get_num_threads(),
        provider=_provider(contenders[0]) if cuda else "cpu",
        device=torch.device("cuda" if cuda else "cpu"),
        precision=precision,
        with_torch=with_torch,
    )


def _provider(contender: Contender) -> str:
    """CUDA, if this onnxruntime can."""
    try:
        return Styliser(contender.path, provider="cuda").provider
    except NstError:
        return "cpu"


def _rounds(effort: Effort, available: int) -> tuple[Round, ...]:
    sizes = effort.sizes if isinstance(effort.sizes, list) else [effort.sizes]
    if not sizes or min(sizes) < MIN_SIDE or len(set(sizes)) < len(sizes):
        raise NstError(
            f"--sizes is {','.join(map(str, sizes))}: give different numbers of pixels from "
            f"{MIN_SIDE} up, as 256,512."
        )
    iterations = _for_each(effort.iterations, len(sizes), "--iterations")
    wanted = available if effort.photos is None else effort.photos
    photos = _for_each(wanted, len(sizes), "--photos")
    counts = [min(count, available) for count in photos]
    # The small ones first: an interruption then leaves the most.
    return tuple(Round(*turn) for turn in sorted(zip(sizes, iterations, counts, strict=True)))


def _for_each(value: int | list[int], count: int, option: str) -> list[int]:
    """One number for each size."""
    values = value if isinstance(value, list) else [value]
    if len(values) not in (1, count) or not values or min(values) < 1:
        raise NstError(
            f"{option} is {','.join(map(str, values))}: give a number above 0, or one for each of "
            f"the {count} sizes."
        )
    return values * count if len(values) == 1 else values


def _starts(text: str) -> tuple[str, ...]:
    names = text.split(",")
    for name in names:
        if name not in STARTS:
            raise unknown("start", name, STARTS)
    return tuple(dict.fromkeys(names))


def _measure(
    plan: Plan, contenders: Sequence[Contender], photos: list[tuple[Photo, Path]], folder: Folder
) -> int:
    """Measure and write all; Ctrl-C leaves what is done."""
    finished = True
    try:
        with _progress(work(plan.rounds, contenders, plan.starts)) as watch:
            for found in Session(plan, contenders, photos, folder.report, watch):
                folder.add(found.record, found.pictures)
    except KeyboardInterrupt:
        finished = False
    if not folder.report.optimisers:
        if not finished:
            raise KeyboardInterrupt
        raise NstError(f"nothing could be measured: {folder.report.skipped[0].reason}.")
    folder.finish()
    print_summary(folder.report)
    print(f"nst: {folder.html}")
    if not finished:
        print("nst: interrupted: the same command with --resume goes on", file=sys.stderr)
        return 130
    return 0


@contextlib.contextmanager
def _progress(whole: float) -> Iterator[Watch]:
    """A bar on stderr that measures work: an iteration at 512 px takes four times one at 256."""
    columns = (BarColumn(20), TimeRemainingColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, speed_estimate_period=_PERIOD, auto_refresh=False
    ) as bar:
        task = bar.add_task("", total=whole)

        def watch(done: float, text: str) -> None:
            # Between what is timed, and not by a thread of its own beside it.
            bar.update(task, advance=done, description=text, refresh=True)

        yield watch
