"""`nst optimise`: stylise one photo the slow way, by optimising its pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from nst.cli.painting import Task, Watching, paint
from nst.cli.parser import Given
from nst.cli.scene import Controls
from nst.cli.sweep import Axis, Point, beside, label, placed, points, read_axes
from nst.errors import NstError
from nst.files import atomic_write
from nst.images import on_white, save
from nst.losses import LossConfig
from nst.optimise import Method
from nst.recipes import read_recipe
from nst.sheet import contact_sheet
from nst.tensors import keep_freed_memory

_SIMILARITY = {
    "content": (0.02, 0.08, 0.2, 0.3, 0.4),
    "balanced": (0.2, 0.2, 0.2, 0.2, 0.2),
    "style": (0.4, 0.3, 0.2, 0.08, 0.02),
}
"""Weights of block1_conv1 to block5_conv1 (zandian2022)."""
_CELL = 320  # side in pixels that each picture of a sheet is fitted into


def presets(name: str) -> Mapping[str, Any]:
    """The options that a preset sets."""
    return read_recipe(name).settings


def optimise(
    content: str,
    style: list[str],
    *,
    output: str,
    controls: Controls,
    watching: Watching,
    loss: LossConfig,
    method: Method,
    given: Given,
    preset: str = "nst",
    sweep: list[str] | None = None,
    low_memory: bool = False,
    threads: int = 0,
) -> int:
    """Stylise one photo by optimising its pixels: Gatys' method, slow and good.

    Args:
        content: The photo.
        style: The style pictures.
        output: File to write: the best picture, also after Ctrl-C; with --sweep, a sheet of all.
        controls: Sizes, colours, regions, start.
        watching: What to write while it goes.
        loss: What is minimised.
        method: How.
        given: The options that were given.
        preset: Recipe that sets what is not given here; `nst recipes` lists them.
        sweep: NAME=A,B,... makes a picture for each value of a numeric option, and a sheet of
            them; given for two options, for each pair of values.
        low_memory: Evaluate VGG's layers again in place of keeping them: slower, and smaller.
        threads: CPU threads; 0 for one per core.

    Returns:
        0, or 130 after Ctrl-C, with the picture so far written.
    """
    if threads < 0:
        raise NstError(f"threads is {threads}: give 0 (one per core) or more.")
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    if controls.similarity and "style_layers" in given:
        raise NstError("both --similarity and --style-layers are given: give one of them.")
    if given & {"start_model", "start_style"} and "start" in given and controls.start != "network":
        raise NstError(f"--start {controls.start} takes no network: give --start network, or none.")
    if controls.similarity:
        weights = enumerate(_SIMILARITY[controls.similarity], start=1)
        loss = replace(loss, style_layers={f"block{k}_conv1": weight for k, weight in weights})
    task = Task(
        content,
        tuple(style),
        Path(output),
        controls,
        loss,
        method,
        watching,
        low_memory,
        own_backbone="backbone" in given,
    )
    if sweep:
        return _sweep(task, read_axes(sweep, [controls, loss, method]))
    _check_files(task.outputs, task.inputs)
    return 0 if paint(task)[1] else 130


def _sweep(task: Task, axes: Sequence[Axis]) -> int:
    """Paint every point of the axes, and the sheet of what there is, also after Ctrl-C."""
    places = points(axes)
    tasks = [_at(task, point) for point in places]
    outputs = [path for variant in tasks for path in variant.outputs]
    _check_files([task.output, *outputs], task.inputs)
    cells: list[Image.Image] = []
    finished = True
    with atomic_write(task.output) as temporary:
        for k, variant in enumerate(tasks, start=1):
            try:
                picture, finished = paint(variant, f"picture {k}/{len(tasks)}")
            except KeyboardInterrupt:
                if not cells:
                    raise
                finished = False
                break
            cells.append(on_white(picture.to_image()))
            cells[-1].thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
            if not finished:
                break
        columns = len(axes[-1].values) if len(axes) > 1 else min(4, len(places))
        labels = [label(point) for point in places[: len(cells)]]
        pixels = [np.asarray(cell) for cell in cells]
        save(contact_sheet(pixels, labels, columns=columns, cell=_CELL), temporary)
    print(f"nst: {task.output}, a sheet of {len(cells)} pictures")
    return 0 if finished else 130


def _at(task: Task, point: Point) -> Task:
    """The task of one point of a sweep, with files of its own."""

    def own(name: str | None) -> str | None:
        return None if name is None else str(beside(Path(name), point))

    watching = task.watching
    return replace(
        task,
        output=beside(task.output, point),
        controls=placed(task.controls, point),
        loss=placed(task.loss, point),
        method=placed(task.method, point),
        watching=replace(watching, animate=own(watching.animate), log=own(watching.log)),
    )


def _check_files(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse files that would overwrite one another, or what is read."""
    taken = {path.resolve(): "one of the inputs" for path in inputs}
    for path in outputs:
        if what := taken.get(path.resolve()):
            raise NstError(f"{path} is {what}: choose another name.")
        taken[path.resolve()] = "written twice"
