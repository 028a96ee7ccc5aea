"""What happens around a training: averaged weights, pictures to look at, a report at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, WeightAveraging
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from nst.errors import NstError
from nst.files import atomic_write
from nst.tensors import to_array
from train.data import MAX_UNREADABLE, Batch
from train.module import StyleModule


class AverageWeights(WeightAveraging):
    """Exponential moving average of the weights; validation, checkpoints and the end use it.

    The decay starts low and rises to its value, (1 + n) / (10 + n) after n updates, so that short
    trainings are not held back by their first, random weights.
    """

    def __init__(self, decay: float = 0.99):
        """Set the decay.

        Args:
            decay: Share of the average that each step keeps, once it has risen.

        Raises:
            NstError: Not in [0, 1).
        """
        if not 0 <= decay < 1:
            raise NstError(f"the decay of the averaged weights is {decay}: give 0 to below 1.")

        def average(means: list[Tensor], currents: list[Tensor], count: Tensor | int) -> None:
            n = int(count)
            torch._foreach_lerp_(means, currents, 1 - min(decay, (1 + n) / (10 + n)))

        # All at once: one by one it would be a hundred small kernels and waits on a GPU.
        super().__init__(use_buffers=False, multi_avg_fn=average)
        self._swapped = False

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the average in."""
        super().on_validation_epoch_start(trainer, pl_module)
        self._swapped = True

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the trained weights back."""
        super().on_validation_epoch_end(trainer, pl_module)
        self._swapped = False

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Put the trained weights back, before the checkpoint callback saves them."""
        if self._swapped:
            self.on_validation_epoch_end(trainer, pl_module)


class Checkpoints(ModelCheckpoint):
    """The latest checkpoint, every so many steps and after Ctrl-C or SIGTERM.

    Not after errors: a training that has diverged must not replace its last good checkpoint.
    """

    def __init__(self, every: int):
        """Set the interval.

        Args:
            every: Steps between checkpoints.

        Raises:
            NstError: Below 1.
        """
        if every < 1:
            raise NstError(f"--checkpoint_every is {every}: give 1 step or more.")
        super().__init__(
            filename="step-{step:06d}",
            auto_insert_metric_name=False,
            every_n_train_steps=every,
            save_top_k=1,
            save_last=True,
            save_on_exception=True,
            enable_version_counter=False,
        )

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Save if the training was asked to end."""
        if isinstance(exception, KeyboardInterrupt):
            super().on_exception(trainer, pl_module, exception)


class Panel(Callback):
    """The first held-out photos and their stylised versions, as a picture of each validation.

    Written to `panels/step-NNNNNN.png` in the run's folder, and to wandb where it logs.
    """

    def __init__(self, count: int = 4):
        """Choose the number of photos.

        Args:
            count: Photos in the panel.
        """
        self.count = count
        self._columns: list[Tensor] = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep photo above result until there are enough."""
        if batch_idx == 0:
            self._columns = []
        for photo, result in zip(batch.photos, outputs, strict=True):
            if len(self._columns) < self.count:
                self._columns.append(torch.cat([photo.float() / 255, result.float()], dim=1))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the panel."""
        folder = trainer.log_dir  # asks the first process: all must take part
        if not self._columns or folder is None or not trainer.is_global_zero:
            return
        picture = Image.fromarray(to_array(torch.cat(self._columns, dim=2)[None]))
        panels = Path(folder) / "panels"
        panels.mkdir(parents=True, exist_ok=True)
        with atomic_write(panels / f"step-{trainer.global_step:06d}.png") as path:
            picture.save(path)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_image("panel", [picture], step=trainer.global_step)


class CountUnreadable(Callback):
    """Reports photos that could not be read, and ends a training that meets too many."""

    _every = 100

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Compare with what was read, on all processes together.

        Raises:
            NstError: More than `MAX_UNREADABLE` of the photos cannot be read.
        """
        assert isinstance(pl_module, StyleModule)
        pl_module.seen += len(batch.photos)
        pl_module.unreadable += batch.unreadable
        if (batch_idx + 1) % self._every:
            return
        own = torch.tensor([pl_module.unreadable, pl_module.seen], device=pl_module.device)
        unreadable, seen = trainer.strategy.reduce(own, reduce_op="sum").tolist()
        if unreadable > MAX_UNREADABLE * seen:
            raise NstError(
                f"{unreadable:.0f} of {seen:.0f} photos could not be read: repair the folder "
                "given as --data.photos."
            )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how often it happened."""
        assert isinstance(pl_module, StyleModule)
        if pl_module.unreadable and trainer.is_global_zero:
            print(f"{pl_module.unreadable} times a photo could not be read and was passed over.")


class CheckGradient(Callback):
    """Logs the size of the gradient, and ends a training before an infinite one is applied."""

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Look at the gradient, which all processes share by now, so that all end together.

        Raises:
            NstError: It is infinite or not a number; nothing was updated with it.
        """
        grads = [p.grad for p in pl_module.parameters() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(grads)
        # A gradient scaler (16-mixed) meets such gradients on purpose and skips their steps.
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        if not scaled and not torch.isfinite(norm):
            raise NstError(
                f"the training diverged at step {trainer.global_step} (infinite gradient): resume "
                "from the last checkpoint with a lower --model.learning_rate."
            )
        pl_module.log("train/gradient_norm", norm)
