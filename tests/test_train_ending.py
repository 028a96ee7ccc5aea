"""Trainings that are asked to end, by Ctrl-C or SIGTERM."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from test_train import ROOT, command

from train.ending import EndWhenAsked

DDP = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("number", "to_all", "devices"),
    [
        (signal.SIGINT, True, []),
        (signal.SIGTERM, True, []),
        (signal.SIGINT, True, DDP),
        (signal.SIGTERM, True, DDP),
        (signal.SIGTERM, False, DDP),
    ],
)
def test_a_checkpoint_of_a_whole_step_is_saved(
    tmp_path: Path, number: signal.Signals, to_all: bool, devices: list[str]
) -> None:
    """Terminals and clusters ask all processes, those that decode photos among them."""
    arguments = command(
        tmp_path, "--run_dir", str(tmp_path / "run"), "--checkpoint_every", "1000",
        "--trainer.max_steps", "100000", "--data.workers", "1", *devices,
    )  # fmt: skip
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, text=True,
                               stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "panels").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    (os.killpg if to_all else os.kill)(process.pid, number)
    try:
        _, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    saved = torch.load(last, weights_only=True)
    assert saved["photos"] == (2 * saved["global_step"], 0)
    assert f"--ckpt_path {last}" in errors
    assert errors.splitlines()[-1] == "train: interrupted"


def test_who_asks_again_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a step that is stuck, too; not by one signal that comes twice, as launchers pass it on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        EndWhenAsked().on_train_start(pl.Trainer(logger=False), pl.LightningModule())
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        later = time.monotonic() + 5
        monkeypatch.setattr("train.ending.time.monotonic", lambda: later)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
