"""The end of a training that is asked to end, by Ctrl-C or by SIGTERM, which clusters send."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

_ASKING = (signal.SIGINT, signal.SIGTERM)
# Seconds after which a second signal is none that a launcher passed on.
_PATIENCE = 2.0


class EndWhenAsked(Callback):
    """Ends a training after a whole step, on all of its processes at once.

    In the middle of a step, weights would be saved half updated, and of several processes one would
    wait for ever for another, as with Lightning's own way (its issue 20806). Who asks again ends it
    at once.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._asked: float | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals over; Lightning gives them back at its end."""
        if threading.current_thread() is threading.main_thread():
            for number in _ASKING:
                # Who starts it in the background of a script wants no Ctrl-C to reach it.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked is None:
            self._asked = time.monotonic()
        elif time.monotonic() > self._asked + _PATIENCE:
            raise KeyboardInterrupt

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """End, if any process was asked.

        Raises:
            KeyboardInterrupt: So it is; a checkpoint is saved on the way out.
        """
        if trainer.strategy.reduce_boolean_decision(self._asked is not None, all=False):
            raise KeyboardInterrupt


def outlive_signals(worker: int) -> None:
    """Keep a process that decodes photos alive until the training ends it.

    Terminals and clusters signal every process, and the step that is under way needs its photos.
    Of two SIGTERM the second is obeyed: by it the training ends what has not ended by itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
