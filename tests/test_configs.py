"""Every configuration in the repository fits the code, and says how to run it."""

from pathlib import Path

import pytest
from pytorch_lightning.cli import LightningCLI

import train.__main__ as trainer
from train.data import PhotoData
from train.module import StyleModule

ROOT = Path(__file__).parent.parent
TRAINING = sorted((ROOT / "configs" / "train").rglob("*.yaml"))


@pytest.mark.parametrize("path", TRAINING, ids=lambda p: p.stem)
def test_training_configuration(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(LightningCLI, "_run_subcommand", lambda self, subcommand: None)
    cli = trainer.StyleCLI(
        StyleModule,
        PhotoData,
        parser_class=trainer.Parser,
        trainer_defaults=dict(trainer.TRAINER_DEFAULTS),
        args=["fit", "--config", str(path), "--trainer.accelerator", "cpu", "--wandb", "off"],
    )
    assert cli.model.loss_config.content_layers
    assert cli.trainer.max_steps > 0 or cli.model.max_minutes


@pytest.mark.parametrize("path", TRAINING, ids=lambda p: p.stem)
def test_opens_with_its_command(path: Path) -> None:
    head = path.read_text().split("model:")[0]
    name = path.relative_to(ROOT).as_posix()
    assert f"python -m train fit --config {name}" in head
