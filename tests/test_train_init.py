from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nst import shipped
from nst.checkpoint import read_checkpoint
from nst.errors import NstError
from nst.exported import read_exported
from nst.sidecar import CHECKPOINT_KEY
from train import start
from train.__main__ import main
from train.module import StyleModule


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = []
    for seed in (1, 2):
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), np.uint8)
        paths.append(str(tmp_path / f"style{seed}.png"))
        Image.fromarray(pixels).save(paths[-1])
    return paths


@pytest.fixture
def checkpoint(tmp_path: Path, pictures: list[str]) -> tuple[str, StyleModule]:
    """A checkpoint, and the module it is of."""
    module = StyleModule(pictures[0], style_size=32, width=2, blocks=1)
    torch.nn.init.normal_(module.net.photo.weight)  # as if it had been trained
    facts = module._facts | {"steps": 1, "backbone": "vgg19", "backbone_sha256": "0" * 64}
    state = {f"net.{name}": value for name, value in module.net.state_dict().items()}
    path = str(tmp_path / "other.ckpt")
    torch.save({CHECKPOINT_KEY: facts, "state_dict": state}, path)
    return path, module


def test_starts_from_the_same_styles_network(
    checkpoint: tuple[str, StyleModule], pictures: list[str]
) -> None:
    path, before = checkpoint
    module = StyleModule(pictures[0], style_size=32, width=2, blocks=1, init=path)
    for name, value in before.net.state_dict().items():
        assert torch.equal(module.net.state_dict()[name], value), name
    assert module.steps_before == 1


def test_another_style_brings_its_own_colours(
    checkpoint: tuple[str, StyleModule], pictures: list[str]
) -> None:
    path, before = checkpoint
    module = StyleModule(pictures[1], style_size=32, width=2, blocks=1, init=path)
    assert torch.equal(module.net.body[0][0].weight, before.net.body[0][0].weight)
    deviation, mean = torch.std_mean(module.style_image[0].flatten(1), dim=1)
    assert torch.equal(module.net.photo.weight, deviation)
    assert torch.equal(module.net.photo.bias, mean)
    assert module.steps_before == 0


@pytest.mark.parametrize("number", [0, 1])
def test_a_network_starts_from_the_base_like_it(pictures: list[str], number: int) -> None:
    assert sum(path.stat().st_size for path in start.BASES) < 8e6
    base, facts = read_exported(start.BASES[number])
    like = {"network": facts.network, "width": facts.network_args["width"]}

    def module(style: str = pictures[0], **arguments: Any) -> StyleModule:
        return StyleModule(style, 32, **(like | arguments))

    def starts_from_it(found: StyleModule) -> bool:
        return torch.equal(found.net.body[0][0].weight, base.body[0][0].weight)

    found = module(blocks=6)
    assert starts_from_it(found)
    assert found.origin == "the base"
    # It has more blocks, the style's colours, and no steps of its own.
    assert found.net.photo is not None
    torch.testing.assert_close(found.net.photo.bias, found.style_image.mean((0, 2, 3)))
    assert found.steps_before == 0
    assert module(str(shipped.FOLDER / facts.style_image)).steps_before == facts.steps
    # Of another width there is none: it begins at random, and is no error.
    assert module(width=3).origin == "random weights"
    assert module(init="none").origin == "random weights"
    assert not starts_from_it(module(init="none"))


def test_tuning_the_norms_alone(
    checkpoint: tuple[str, StyleModule],
    pictures: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [
        "--model.style", pictures[1], "--model.style_size", "32", "--model.width", "2",
        "--model.blocks", "1", "--model.warmup_steps", "2", "--model.init", checkpoint[0],
        "--model.tune", "norms", "--model.loss.content_layers", "{relu1_2: 1.0}",
        "--model.loss.style_layers", "{relu1_1: 1.0}", "--average.decay", "0",
        "--data.photos", str(tmp_path), "--data.size", "32", "--data.val_size", "32",
        "--data.batch_size", "1", "--data.val_count", "1", "--data.workers", "0",
        "--trainer.accelerator", "cpu", "--trainer.max_steps", "6",
        "--trainer.val_check_interval", "3", "--wandb", "off", "--run_dir", str(tmp_path / "run"),
    ]  # fmt: skip
    assert main(["fit", *words]) == 0
    assert f"The network starts from {checkpoint[0]}." in capsys.readouterr().out
    before = checkpoint[1].net
    after, _ = read_checkpoint(tmp_path / "run" / "final.ckpt")
    for name, value in before.named_parameters():
        changed = not torch.equal(after.get_parameter(name), value)
        assert changed == (name in before.norm_parameters), name


def test_a_deeper_network_starts_from_a_shallower_one(
    checkpoint: tuple[str, StyleModule], pictures: list[str]
) -> None:
    path, before = checkpoint
    module = StyleModule(pictures[0], style_size=32, width=2, blocks=3, init=path)
    photo = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(module.net(photo), before.net(photo))
    deep = str(Path(path).with_name("deep.ckpt"))
    facts = module._facts | {"steps": 1, "backbone": "vgg19", "backbone_sha256": "0" * 64}
    state = {f"net.{name}": value for name, value in module.net.state_dict().items()}
    torch.save({CHECKPOINT_KEY: facts, "state_dict": state}, deep)
    with pytest.raises(NstError, match="as many blocks or more"):
        StyleModule(pictures[0], style_size=32, width=2, blocks=1, init=deep)


def test_starts_from_an_exported_model(
    pictures: list[str], make_model: Callable[..., Path]
) -> None:
    wave = shipped.find("great-wave-live").path
    module = StyleModule(pictures[0], style_size=32, network="live", init=str(wave))
    net, _ = read_exported(wave)
    assert torch.equal(module.net.body[0][0].weight, net.body[0][0].weight)
    assert torch.equal(module.net.body[-1].weight, net.body[-1].weight)
    assert module.steps_before == 0
    with pytest.raises(NstError, match="holds a network of"):
        StyleModule(pictures[0], style_size=32, network="standard", init=str(wave))
    with pytest.raises(NstError, match="in int8: give the same model in fp32"):
        StyleModule(pictures[0], network="live", init=str(make_model(precision="int8")))


def test_refuses_another_network(checkpoint: tuple[str, StyleModule], pictures: list[str]) -> None:
    with pytest.raises(
        NstError, match=r"--model.init .*, width and photo_skip, and as many blocks"
    ):
        StyleModule(pictures[0], style_size=32, width=3, blocks=1, init=checkpoint[0])
    with pytest.raises(NstError, match="no such checkpoint"):
        StyleModule(pictures[0], style_size=32, init="none.ckpt")
