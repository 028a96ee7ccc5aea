from types import SimpleNamespace
from typing import Any

import pytest
import torch

from train.module import StyleModule
from train.progress import StyleProgress


def test_a_resumed_training_tells_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of it was done before: the other half's first minute is a fifth of that."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    module: Any = StyleModule.__new__(StyleModule)
    torch.nn.Module.__init__(module)
    trainer: Any = SimpleNamespace(global_step=100, world_size=1, callback_metrics={})
    batch: Any = SimpleNamespace(photos=[None] * 4)
    progress = StyleProgress()
    progress.on_train_start(trainer, module)
    module.done = 0.5
    progress.on_train_batch_start(trainer, module, batch, 0)
    clock[0], module.done, trainer.global_step = 60.0, 0.6, 130
    progress.on_train_batch_end(trainer, module, None, batch, 0)
    line = capsys.readouterr().err
    assert "60% · step 130" in line
    assert "2.0 photos/s · 4:00 left" in line
