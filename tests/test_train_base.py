"""The network that trainings start from, and how they do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nst.checkpoint import read_checkpoint
from nst.errors import NstError
from train import start
from train.__main__ import main as train
from train.base import BaseModule, main
from train.module import StyleModule


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Styles and photos, and a base trained on them in `run`."""
    path = tmp_path_factory.mktemp("base")
    rng = np.random.default_rng(0)
    for kind, count in (("styles", 2), ("photos", 4)):
        (path / kind).mkdir()
        for k in range(count):
            pixels = rng.integers(0, 256, (40, 48, 3), np.uint8)
            Image.fromarray(pixels).save(path / kind / f"{k}.png")
    assert main(["fit", *options(path, path / "styles"), "--run_dir", str(path / "run")]) == 0
    return path


def options(path: Path, style: Path) -> list[str]:
    sizes = ["--model.style_sizes", "[32, 40]", "--model.palettes", "3"]
    return [
        "--model.style", str(style), "--model.network", "live", "--model.width", "2",
        "--model.blocks", "1", "--model.warmup_steps", "2",
        *(sizes if style.is_dir() else ["--model.style_size", "32"]),
        "--model.loss.content_layers", "{relu1_2: 1.0}",
        "--model.loss.style_layers", "{relu1_1: 1.0}",
        "--data.photos", str(path / "photos"), "--data.size", "32", "--data.val_size", "32",
        "--data.batch_size", "2", "--data.val_count", "2", "--data.workers", "0",
        "--trainer.accelerator", "cpu", "--trainer.max_steps", "6",
        "--trainer.val_check_interval", "3", "--wandb", "off",
    ]  # fmt: skip


def test_each_style_has_norms_of_its_own_and_the_base_their_mean(folder: Path) -> None:
    state = torch.load(folder / "run" / "final.ckpt", weights_only=True)["state_dict"]
    # Two pictures, two sizes and three palettes.
    assert state["norms"].shape[0] == 12
    assert len(state["norms"].unique(dim=0)) == 12
    net, facts = read_checkpoint(folder / "run" / "base.ckpt")
    flat = torch.cat([net.get_parameter(name).detach() for name in net.norm_parameters])
    torch.testing.assert_close(flat, state["norms"].mean(0))
    assert (facts.style, facts.network, facts.style_image_sha256) == ("base", "live", "")
    assert (folder / "run" / "base.ckpt").stat().st_size < 50_000


def test_soap_turns_the_convolutions_and_not_the_rows_of_styles(
    folder: Path, tmp_path: Path
) -> None:
    words = [*options(folder, folder / "styles"), "--model.optimiser", "soap"]
    assert main(["fit", *words, "--run_dir", str(tmp_path / "run")]) == 0
    saved = torch.load(tmp_path / "run" / "final.ckpt", weights_only=True)
    assert len(saved["state_dict"]["norms"].unique(dim=0)) == 12
    states = saved["optimizer_states"][0]["state"].values()
    turned = [state["mean"].shape for state in states if "left" in state]
    assert turned
    assert saved["state_dict"]["norms"].shape not in turned
    assert saved["state_dict"]["norms"].shape in [s["mean"].shape for s in states]


def test_a_batch_trains_its_style_alone(folder: Path) -> None:
    module = BaseModule(str(folder / "styles"), (32,), palettes=2, width=2, blocks=1)
    module._style = 2
    module.stylised(torch.rand(1, 3, 16, 16)).sum().backward()
    assert module.norms.grad is not None
    assert module.norms.grad.abs().sum(1).nonzero().flatten().tolist() == [2]
    weights = [p for n, p in module.net.named_parameters() if n not in module.net.norm_parameters]
    assert all(p.grad is not None for p in weights)
    deviation, mean = torch.std_mean(module.pictures[2][0].flatten(1), dim=1)
    own = module._by_name(module.norms[2])
    torch.testing.assert_close(own["photo.weight"], deviation)
    torch.testing.assert_close(own["photo.bias"], mean)


def test_trainings_start_from_the_base_where_it_fits(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "run" / "base.ckpt", tmp_path / "live.ckpt")
    monkeypatch.setattr(start, "BASES", tmp_path)
    base, _ = read_checkpoint(tmp_path / "live.ckpt")

    def module(**arguments: Any) -> StyleModule:
        style = str(folder / "styles" / "0.png")
        return StyleModule(style, 32, **({"network": "live", "width": 2} | arguments))

    def starts_from_it(found: StyleModule) -> bool:
        return torch.equal(found.net.body[0][0].weight, base.body[0][0].weight)

    found = module()
    assert starts_from_it(found)
    assert found.origin == "the base"
    # It has more blocks, the style's colours, and no steps of its own.
    assert found.net.photo is not None
    assert torch.equal(found.net.photo.bias, found.style_image.mean((0, 2, 3)))
    assert found.steps_before == 0
    assert not starts_from_it(module(init="none"))
    assert module(init="none").origin == "random weights"
    # Of another width or network there is none: it begins at random, and is no error.
    assert module(width=3).net.body[0][0].weight.shape[0] == 6
    assert module(network="standard").net.body[0][0].weight.shape[-1] == 9


def test_a_base_goes_on_from_another(folder: Path) -> None:
    before, _ = read_checkpoint(folder / "run" / "base.ckpt")
    found = BaseModule(
        str(folder / "styles"), (32,), width=2, blocks=1, init=str(folder / "run" / "base.ckpt")
    )
    assert torch.equal(found.net.body[0][0].weight, before.body[0][0].weight)
    first, second = (found._by_name(row) for row in found.norms)
    # Each style has the colours of its own, and else what the base had.
    assert not torch.equal(first["photo.bias"], second["photo.bias"])
    for name in before.norm_parameters:
        if not name.startswith("photo."):
            assert torch.equal(first[name], before.get_parameter(name))
            assert torch.equal(second[name], before.get_parameter(name))


def test_the_base_that_comes_with_nst(folder: Path) -> None:
    assert (start.BASES / "live.ckpt").stat().st_size < 8e6
    found = StyleModule(str(folder / "styles" / "0.png"), 32, network="live")
    assert found.origin == "the base"
    assert StyleModule(str(folder / "styles" / "0.png"), 32).origin == "random weights"


def test_tuning_the_norms_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = folder / "run" / "base.ckpt"
    style = folder / "styles" / "0.png"
    more = ["--model.init", str(base), "--model.tune", "norms", "--run_dir", str(tmp_path / "run")]
    assert train(["fit", *options(folder, style), "--average.decay", "0", *more]) == 0
    assert f"The network starts from {base}." in capsys.readouterr().out
    before, _ = read_checkpoint(base)
    after, _ = read_checkpoint(tmp_path / "run" / "final.ckpt")
    norms = before.norm_parameters
    for name, value in before.named_parameters():
        assert torch.equal(after.get_parameter(name), value) == (name not in norms), name


@pytest.mark.parametrize(
    "wrong", [{"palettes": 7}, {"palettes": 0}, {"style_sizes": ()}, {"style_sizes": (8,)}]
)
def test_wrong_options(folder: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(NstError, match="palettes"):
        BaseModule(str(folder / "styles"), **wrong)
