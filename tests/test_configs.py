"""Every configuration in the repository fits the code, and says how to run it."""

from pathlib import Path

import pytest
from pytorch_lightning.cli import LightningCLI

from nst.vgg import layer_names
from train import __main__ as train

ROOT = Path(__file__).parent.parent
VALID_LAYERS = {*layer_names("vgg16"), *layer_names("vgg19")}
TRAINING = sorted((ROOT / "configs" / "train").rglob("*.yaml"))


@pytest.mark.parametrize("path", TRAINING, ids=lambda p: p.stem)
def test_training_configuration(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made: list[LightningCLI] = []
    monkeypatch.setattr(LightningCLI, "_run_subcommand", lambda self, name: made.append(self))
    arguments = ["fit", "--config", str(path), "--trainer.accelerator", "cpu", "--wandb", "off"]
    assert train.main(arguments) == 0
    (cli,) = made
    assert cli.trainer.max_steps > 0 or cli.model.max_minutes
    assert cli.model.loss_config.style_layers.keys() <= VALID_LAYERS


@pytest.mark.parametrize("path", TRAINING, ids=lambda p: p.stem)
def test_opens_with_its_command(path: Path) -> None:
    head = path.read_text().split("model:")[0]
    name = path.relative_to(ROOT).as_posix()
    assert f"python -m train fit --config {name}" in head
    for fact in ("Hardware:", "Time", "xpect:"):
        assert fact in head
    assert "@" not in head
