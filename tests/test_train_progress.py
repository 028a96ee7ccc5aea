from types import SimpleNamespace
from typing import Any

import pytest
import torch

from train.module import StyleModule
from train.progress import StyleProgress


def bare_module() -> Any:
    module = StyleModule.__new__(StyleModule)
    torch.nn.Module.__init__(module)
    return module


def test_a_resumed_training_tells_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of it was done before: the other half's first minute is a fifth of that."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    module = bare_module()
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


@pytest.mark.parametrize(
    ("max_steps", "max_minutes", "coarse", "says"),
    [
        # 980 steps of 3 s, and 0.1 s of each for the validations; the first 20 took 66 s.
        (1000, None, None, "a step takes 3.00 s: step 1000 in about 50:38, validations included"),
        (1000, 500.0, None, "a step takes 3.00 s: step 1000 in about 50:38, validations included"),
        (1000, 31.0, None, "a step takes 3.00 s: about 599 steps in 31 minutes"),
        (-1, 31.0, None, "a step takes 3.00 s: about 599 steps in 31 minutes"),
        # The later steps take 12 s, and 0.4 s of each goes to the validations.
        (1000, None, 64, "a step takes 3.00 s: step 1000 in about 2:33:32, validations included"),
        (-1, 31.0, 64, "a step takes 3.00 s: about 292 steps in 31 minutes"),
    ],
)
def test_says_how_long_it_will_take_after_twenty_steps(
    max_steps: int,
    max_minutes: float | None,
    coarse: int | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    module = bare_module()
    module.max_minutes, module.done, module.coarse_size = max_minutes, 0.0, coarse
    module._minutes_before, module._started = 0.0, 0.0
    data = SimpleNamespace(batch_size=2, size=128, val_size=256, val_count=10)
    trainer: Any = SimpleNamespace(
        global_step=0, world_size=1, callback_metrics={}, max_steps=max_steps, datamodule=data,
        val_check_interval=240, accumulate_grad_batches=1,
    )  # fmt: skip
    batch: Any = SimpleNamespace(photos=[None] * 2)
    progress = StyleProgress()
    progress.on_train_start(trainer, module)
    for step in range(30):
        progress.on_train_batch_start(trainer, module, batch, step)
        # The first step is slower.
        clock[0] += 9.0 if step == 0 else 3.0
        trainer.global_step = step + 1
        progress.on_train_batch_end(trainer, module, None, batch, step)
    lines = [line for line in capsys.readouterr().err.splitlines() if "a step takes" in line]
    assert lines == [says]
