"""Progress of a training: losses, photos per second, time left."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from train.data import Batch
from train.module import StyleModule

_LINE_EVERY = 30.0
"""Seconds between lines where there is no terminal."""


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
        self._first = (0.0, 0, 0.0)
        self._last_line = 0.0

    def disable(self) -> None:
        """Lightning asks this of all processes but the first."""
        self._console = Console(quiet=True)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the bar."""
        assert isinstance(pl_module, StyleModule)
        self._first = (time.monotonic(), trainer.global_step, pl_module.progress)
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
        now, done = time.monotonic(), pl_module.progress
        line = self._describe(trainer, now, done, len(batch.photos) * trainer.world_size)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, description=line)
        elif now - self._last_line >= _LINE_EVERY or done >= 1.0:
            self._last_line = now
            self._console.print(line, soft_wrap=True, highlight=False)

    def _describe(self, trainer: pl.Trainer, now: float, done: float, batch: int) -> str:
        started, first_step, first_done = self._first
        steps = trainer.global_step - first_step
        rate = steps * batch / max(now - started, 1e-9)
        left = (now - started) * (1 - done) / max(done - first_done, 1e-9)
        losses = " ".join(
            f"{name} {float(trainer.callback_metrics[key]):.3f}"
            for name in ("total", "content", "style")
            if (key := f"train/{name}") in trainer.callback_metrics
        )
        held_out = trainer.callback_metrics.get("val/total")
        held = f" · held out {float(held_out):.3f}" if held_out is not None else ""
        return (
            f"{done:4.0%} · step {trainer.global_step} · {losses}{held} · "
            f"{rate:.1f} photos/s · {clock(left)} left"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bar away."""
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
