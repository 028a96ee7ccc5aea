"""Progress of a training: losses, photos per second, time left."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from train.coarse import SHARE
from train.data import Batch
from train.module import StyleModule

_BAR_EVERY = 0.25
_LINE_EVERY = 30.0
"""Seconds between updates on a terminal, and between lines where there is none."""
_WARM, _MEASURED = 2, 20
"""Steps that the estimate leaves out, as the first is slower, and after how many it is made."""
_FORWARD = 0.4
"""A held-out photo's time as a share of a training photo's of the same size: it has no gradient."""


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


class StyleProgress(ProgressBar):
    """One bar from first to last step; on a log file or pipe, a line every half minute."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._first: tuple[float, int, float] | None = None
        self._last_line = 0.0
        self._warm: float | None = None

    def disable(self) -> None:
        """Lightning asks this of all processes but the first."""
        self._console = Console(quiet=True)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar."""
        self._first = None
        self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                TextColumn("{task.description}"),
                console=self._console,
            )
            self._task = self._bar.add_task("first steps ...", total=1.0)
            self._bar.start()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Note where the training stands as it starts: a resumed one has been done in part."""
        assert isinstance(pl_module, StyleModule)
        if self._first is None:
            self._first = (time.monotonic(), trainer.global_step, pl_module.done)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Update it."""
        assert isinstance(pl_module, StyleModule)
        now = time.monotonic()
        steps = trainer.global_step - (self._first or (0, 0, 0))[1]
        if steps == _WARM:
            self._warm = now
        elif steps == _MEASURED and self._warm is not None:
            seconds = (now - self._warm) / (_MEASURED - _WARM)
            self._console.print(_estimate(trainer, pl_module, seconds), highlight=False)
        # Reading a loss makes a GPU wait: not at every step.
        if now - self._last_line < (_BAR_EVERY if self._bar else _LINE_EVERY):
            return
        self._last_line = now
        self._show(trainer, pl_module.done, len(batch.photos) * trainer.world_size)

    def _show(self, trainer: pl.Trainer, done: float, batch: int) -> None:
        line = self._describe(trainer, time.monotonic(), done, batch)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, description=line)
        elif not self._console.quiet:
            self._console.print(line, soft_wrap=True, highlight=False)

    def _describe(self, trainer: pl.Trainer, now: float, done: float, batch: int) -> str:
        started, first_step, first_done = self._first or (now, trainer.global_step, done)
        steps = trainer.global_step - first_step
        rate = steps * batch / max(now - started, 1e-9)
        # What is done is known as of the start of a step: nothing yet, after the first.
        share = done - first_done
        left = f"{clock((now - started) * (1 - done) / share)} left" if share > 0 else "..."
        losses = " ".join(
            f"{name} {float(trainer.callback_metrics[key]):.3f}"
            for name in ("total", "content", "style")
            if (key := f"train/{name}") in trainer.callback_metrics
        )
        held_out = trainer.callback_metrics.get("val/total")
        held = f" · held out {float(held_out):.3f}" if held_out is not None else ""
        return (
            f"{done:4.0%} · step {trainer.global_step} · {losses}{held} · "
            f"{rate:.1f} photos/s · {left}"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bar away."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        self._show(trainer, 1.0, datamodule.batch_size * trainer.world_size)
        self._stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Take the bar away before the error is shown."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _estimate(trainer: pl.Trainer, module: StyleModule, seconds: float) -> str:
    """How long the training will take, or how far it will get, from the seconds of a step."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    # Shares of the training that are left with small photos and with large ones.
    growth = max(1.0, data.size / (module.coarse_size or data.size)) ** 2
    early = max(0.0, SHARE - module.done) if growth > 1 else 0.0
    late = 1 - module.done - early
    large = seconds * (growth if early else 1.0)
    photo = large / data.batch_size * _FORWARD * (data.val_size / data.size) ** 2
    steps, every = trainer.max_steps, float(trainer.val_check_interval)
    validation = photo * data.val_count / (every * trainer.accumulate_grad_batches)
    small, large = seconds + validation, large + validation
    mean = (early * small + late * large) / (early + late)
    left = max(0, steps - trainer.global_step) * mean
    text = f"a step takes {seconds:.2f} s: "
    if module.max_minutes and (steps < 1 or left > 60 * (module.max_minutes - module.minutes)):
        rate = (early / small + late / large) / (early + late)
        reached = trainer.global_step + 60 * (module.max_minutes - module.minutes) * rate
        return f"{text}about {reached:.0f} steps in {module.max_minutes:g} minutes"
    return f"{text}step {steps} in about {clock(left)}, validations included"
