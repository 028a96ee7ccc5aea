"""One picture of `nst optimise`: the loss built, the engine run, and all files of it written."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nst import watching as watch
from nst.cli.scene import Controls, Scene, on_device, read_scene
from nst.errors import NstError
from nst.files import atomic_write
from nst.images import Picture, pillow_format, save
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import Method, Step, Subject, render
from nst.optimise.memory import check_memory
from nst.optimise.photographic import photographic
from nst.optimise.pyramid import levels
from nst.optimise.start import STARTS
from nst.tensors import bf16_pays
from nst.vgg import DEFAULT_BACKBONE, Weights, load_weights
from nst.vgg.stand_in import stand_in


@dataclass(frozen=True)
class Watching:
    """Seeing it happen.

    Attributes:
        save_every: Save the picture after every so many iterations, as OUT-0050.png; 0 for never.
        animate: Write an animation (.gif, .webp, .png) or a video (.mp4, .mov, .mkv, .webm).
        log: Write a table of the losses as it goes, a .csv file, and a plot of them beside it.
    """

    save_every: int = 0
    animate: str | None = None
    log: str | None = None


@dataclass(frozen=True)
class Task:
    """One picture to make, with all that its command line says.

    Attributes:
        content: The photo's file.
        styles: Those of the style pictures.
        output: The file to write.
        controls: Sizes, colours, regions, start.
        loss: What is minimised.
        method: How; the start is that of the controls.
        watching: What to write while it goes.
        low_memory: Whether VGG's layers are evaluated again in place of being kept.
        own_backbone: Whether the backbone was asked for by name, so that there is no other.
    """

    content: str
    styles: tuple[str, ...]
    output: Path
    controls: Controls
    loss: LossConfig
    method: Method
    watching: Watching
    low_memory: bool = False
    own_backbone: bool = True

    @property
    def outputs(self) -> list[Path]:
        """Every file that is written, pictures on the way aside.

        Raises:
            NstError: One has an extension that cannot be written.
        """
        pillow_format(self.output.suffix)
        found = [self.output]
        if self.watching.animate is not None:
            found.append(Path(self.watching.animate))
            watch.check_animation(found[-1])
        if self.watching.log is not None:
            found += [Path(self.watching.log), watch.plot_path(Path(self.watching.log))]
        return found

    @property
    def inputs(self) -> list[Path]:
        """Every picture that is read."""
        controls = self.controls
        masks = [controls.content_mask or "", *(controls.style_mask or ())]
        start = "" if controls.start in STARTS else controls.start
        return [Path(name) for name in (self.content, *self.styles, *masks, start) if name]


def paint(task: Task, title: str = "optimising") -> tuple[Picture, bool]:
    """Make a picture and write its files.

    Args:
        task: What to make.
        title: What to call it on the progress bar.

    Returns:
        The picture, and whether it was finished; not so after Ctrl-C, with the best one so far.

    Raises:
        NstError: Bad input.
        KeyboardInterrupt: Ctrl-C before there was a picture.
    """
    scene = read_scene(task.content, task.styles, task.controls)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    loss = _loss(task, device)
    start = task.controls.start
    method = replace(task.method, start=start if start in STARTS else "content")
    width, height = scene.photo.size
    margin = task.controls.margin
    check_memory(loss, (height, width), method, margin=margin, low_memory=task.low_memory)
    steps, stages = _engine(loss, on_device(scene.subject, device), method, scene)
    with contextlib.ExitStack() as opened:
        # All are opened before the work: what cannot be written should fail now. The picture is
        # the last to be opened and the first to be written.
        watchers = [opened.enter_context(w) for w in _watchers(task, scene, stages)]
        temporary = opened.enter_context(atomic_write(task.output))
        with watch.progress(stages, title) as bar:
            best, finished = _follow(steps, [*watchers, bar])
        picture = scene.draw(best)
        save(picture, temporary)
    print(
        f"nst: {task.output} after {best.iteration} iterations, {best.seconds:.1f} s: "
        f"{watch.losses(best)}"
    )
    if not finished:
        _note("interrupted: this is the best picture so far")
    return picture, finished


def _loss(task: Task, device: torch.device) -> PerceptualLoss:
    dtype = torch.bfloat16 if bf16_pays(device) else torch.float32
    weights = _weights(task.loss.backbone, task.loss.pixels, task.own_backbone)
    loss = PerceptualLoss(task.loss, weights=weights, dtype=dtype, low_memory=task.low_memory)
    return loss.to(device)


@functools.lru_cache(maxsize=1)
def _weights(backbone: str, pixels: str | None, required: bool) -> Weights:
    """The backbone's weights, kept for the next picture of a sweep."""
    try:
        # A download says so on stdout, which is for results.
        with contextlib.redirect_stdout(sys.stderr):
            return load_weights(backbone, pixels)
    except NstError:
        if required or backbone == DEFAULT_BACKBONE:
            raise
        _note(f"backbone {backbone!r} cannot be had here: the original VGG-19 takes its place")
        return stand_in(backbone, pixels)


def _engine(
    loss: PerceptualLoss, subject: Subject, method: Method, scene: Scene
) -> tuple[Iterator[Step], list[watch.Stage]]:
    """The records to come, and how much work they are."""
    pictures = [subject.content, *(style.image for style in subject.styles)]
    plan = levels(method, min(min(picture.shape[2:]) for picture in pictures))
    stages = [watch.Stage(level.iterations, level.scale**2) for level in plan]
    if not loss.config.affine_weight:
        return render(loss, subject, method, start_picture=scene.start_picture), stages
    if subject.masks is None:
        _note("no masks are given: the photo takes after the style as one region")
    steps = photographic(loss, subject, method, start_picture=scene.start_picture)
    return steps, [*stages, watch.Stage(method.per_level[-1]), watch.Stage(0)]


def _watchers(
    task: Task, scene: Scene, stages: Sequence[watch.Stage]
) -> Iterator[AbstractContextManager[watch.Watcher]]:
    iterations = sum(stage.iterations for stage in stages)
    wanted = task.watching
    if wanted.save_every:
        yield watch.snapshots(task.output, wanted.save_every, iterations, scene.draw)
    if wanted.animate is not None:
        yield watch.animation(Path(wanted.animate), iterations, scene.draw)
    if wanted.log is not None:
        yield watch.loss_log(Path(wanted.log))


def _follow(steps: Iterable[Step], watchers: Sequence[watch.Watcher]) -> tuple[Step, bool]:
    """Go through the records; the best one, and whether these were all."""
    best: Step | None = None
    try:
        for step in steps:
            best = step if best is None or step.beats(best) else best
            for watcher in watchers:
                watcher(step, best)
    except KeyboardInterrupt:
        if best is None:
            raise
        return best, False
    assert best is not None
    return best, True


def _note(text: str) -> None:
    print(f"nst: {text}", file=sys.stderr)
