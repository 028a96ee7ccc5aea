"""One job of `nst stylise`: a picture or a clip through the network."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nst.cli.batch import Watch
from nst.cli.targets import Job
from nst.errors import NstError
from nst.flicker.smooth import Smoother
from nst.images import Picture, encode, load, save
from nst.styliser import Styliser, check_options
from nst.video import Progress, check_target, convert


@dataclass(frozen=True)
class Options:
    """The options of `nst stylise` that say how, by their names there.

    Attributes:
        grain: That of pictures.
        clip_grain: That of clips, where it stands still.
        smooth: Strength of the smoothing of clips, or None for none.
    """

    max_size: int | None
    stroke_scale: float
    grain: float
    clip_grain: float
    strength: float
    keep_colour: bool
    format: str | None
    quality: int
    crf: int | None
    fps: float
    max_pixels: int
    smooth: float | None

    def __post_init__(self) -> None:
        # Wrong options fail here once, not again with each of many photos.
        check_options(
            max_size=self.max_size,
            stroke_scale=self.stroke_scale,
            grain=self.grain,
            strength=self.strength,
        )
        encode(np.zeros((1, 1, 3), np.uint8), ".png", quality=self.quality)
        if not 0.001 <= self.fps <= 1000:
            raise NstError(f"fps is {self.fps}: give frames per second, such as 25.")

    def check(self, jobs: list[Job]) -> None:
        """Refuse targets that cannot be written, before anything is."""
        if self.smooth is not None and not any(job.clip for job in jobs):
            raise NstError("--smooth is for clips, and there is none: leave it out for pictures.")
        for job in jobs:
            if job.clip and job.target is not None:
                check_target(job.target, self.crf)
                suffix = job.target.suffix.lower().removeprefix(".")
                if self.format and self.format.lower().removeprefix(".") != suffix:
                    raise NstError(f"{job.target} is not {self.format}: give one of the two.")
        if self.format and not all(job.clip for job in jobs):
            encode(np.zeros((1, 1, 3), np.uint8), self.format, quality=self.quality)


class Worker:
    """Does jobs.

    Attributes:
        options: How.
    """

    def __init__(
        self, find: Callable[[bool], Path], load: Callable[[Path, bool], Styliser], options: Options
    ) -> None:
        """Take what to work with.

        Args:
            find: Where the model is, for pictures (False) and for clips (True).
            load: Reads it, told whether for clips.
            options: How.
        """
        self._find, self._load = find, functools.cache(load)
        self.options = options

    def network(self, clip: bool) -> Styliser:
        """The model for pictures or for clips, read once."""
        return self._load(self._find(clip), clip)

    def __call__(self, job: Job, watch: Watch) -> None:
        """Do one job.

        Args:
            job: What to do.
            watch: Told how far it is.

        Raises:
            NstError: It failed.
            KeyboardInterrupt: Ctrl-C; of a clip, says what was kept.
        """
        if job.clip:
            self._clip(job, watch)
        else:
            self._picture(job, watch)

    def _picture(self, job: Job, watch: Watch) -> None:
        options = self.options
        result = self.network(False).stylise(
            load(job.source or sys.stdin.buffer, max_pixels=options.max_pixels),
            max_size=options.max_size,
            stroke_scale=options.stroke_scale,
            grain=options.grain,
            strength=options.strength,
            keep_colour=options.keep_colour,
            watch=lambda share: watch(share, ""),
        )
        target = job.target or sys.stdout.buffer
        save(result, target, quality=options.quality, format=options.format)

    def _clip(self, job: Job, watch: Watch) -> None:
        assert job.source is not None
        assert job.target is not None
        options, network, name = self.options, self.network(True), str(job.source)
        smoother = None if options.smooth is None else Smoother(options.smooth)

        def change(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
            stylised = network.stylise(
                Picture(rgb, name=name),
                stroke_scale=options.stroke_scale,
                grain=options.clip_grain,
                strength=options.strength,
                keep_colour=options.keep_colour,
            ).rgb
            return smoother(rgb, stylised) if smoother else stylised

        def show(progress: Progress) -> None:
            count = progress.count or 0
            share = min(1.0, progress.frames / count) if count else 0.0
            watch(share, f"frame {progress.frames}" + (f" of {count}" if count else ""))

        made = convert(
            job.frames or job.source,
            job.target,
            change,
            max_size=options.max_size,
            fps=options.fps,
            crf=options.crf,
            quality=options.quality,
            watch=show,
        )
        for note in made.notes:
            print(f"nst: note: {note}", file=sys.stderr)
        if not made.finished:
            raise KeyboardInterrupt(f"{made.path} holds the first {made.frames} frames")
