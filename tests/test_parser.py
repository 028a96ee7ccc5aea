"""The command line of a typed function: dataclasses made flat, presets, lists, clear errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from nst.cli.parser import Given, run
from nst.errors import NstError


@dataclass(frozen=True)
class Loss:
    """What is minimised.

    Attributes:
        style_weight: Strength of the style.
        style_layers: Weight of each layer.
        clip: Whether to clip.
    """

    style_weight: float = 5.0
    style_layers: dict[str, float] = field(default_factory=lambda: {"relu1_1": 1.0})
    clip: bool = False


@dataclass(frozen=True)
class Method:
    """How it is minimised.

    Attributes:
        iterations: Of one level, or of each.
        similarity: To what.
        size: Another one than that of `paint`.
    """

    iterations: list[int] | int = 300
    similarity: Literal["content", "style"] | None = None
    size: str = "own"


CALLS: list[dict[str, Any]] = []


def paint(
    content: str,
    style: list[str],
    *,
    output: str,
    loss: Loss,
    method: Method,
    given: Given,
    preset: str = "plain",
    size: int | str | None = None,
    weights: list[float] | None = None,
    masks: list[str] | None = None,
) -> None:
    """Paint a picture.

    Args:
        content: The photo.
        style: The paintings.
        output: File to write.
        loss: Not an option itself.
        method: Not an option itself.
        given: No option either.
        preset: Where the defaults come from.
        size: In pixels.
        weights: One for each painting.
        masks: One for each painting.
    """
    CALLS.append(locals())


PRESETS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "strong": {"style_weight": 20, "iterations": [9, 3], "clip": True, "style_layers": {"a": 2}},
    "wrong": {"style_wieght": 20},
}


def call(line: str) -> dict[str, Any]:
    CALLS.clear()
    assert run(paint, line.split(), "nst paint", PRESETS.__getitem__) == 0
    (values,) = CALLS
    return values


def test_fields_of_dataclasses_are_plain_options() -> None:
    got = call("p.jpg s.jpg -o o.jpg --style-weight 3 --iterations 7 --similarity style")
    assert got["loss"] == Loss(style_weight=3.0)
    assert got["method"] == Method(7, "style")
    assert (got["content"], got["style"], got["output"]) == ("p.jpg", ["s.jpg"], "o.jpg")


def test_of_one_name_the_first_option_counts() -> None:
    got = call("p s -o o --size 40")
    assert got["size"] == 40
    assert got["method"].size == "own"


def test_both_spellings() -> None:
    for words in ("--style-weight 3 --style-layers b=2", "--style_weight=3 --style_layers=b=2"):
        assert call(f"p s -o o {words}")["loss"] == Loss(3.0, {"b": 2.0})
    assert call("p s -o o --clip --style_weight 3")["loss"] == Loss(3.0, clip=True)


def test_lists() -> None:
    got = call("p s t -o o --weights 1 2.5 --masks a.png b,c.png --iterations 200,100")
    assert got["style"] == ["s", "t"]
    assert got["weights"] == [1.0, 2.5]
    assert got["masks"] == ["a.png", "b,c.png"]
    assert got["method"].iterations == [200, 100]
    assert call("p s -o o --weights 1,2.5")["weights"] == [1.0, 2.5]
    assert call("p s -o o --weights=1,2.5 --weights 3")["weights"] == [1.0, 2.5, 3.0]
    assert call("p s -o o --size 40x30")["size"] == "40x30"
    assert call("p s -o o --size 40")["size"] == 40


def test_layers() -> None:
    assert call("p s -o o --style-layers b=2,c=.5")["loss"].style_layers == {"b": 2.0, "c": 0.5}
    assert call("p s -o o --style-layers b,c")["loss"].style_layers == {"b": 0.5, "c": 0.5}


def test_a_preset_sets_defaults_that_options_override() -> None:
    got = call("p s -o o --preset strong --iterations 5")
    assert got["loss"] == Loss(20, {"a": 2.0}, clip=True)
    assert got["method"] == Method(5)
    got = call("p s -o o --preset=strong --no-clip --style-layers b=1")
    assert got["loss"] == Loss(20, {"b": 1.0}, clip=False)
    assert got["method"] == Method([9, 3])


def test_a_preset_in_a_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("preset: strong\nsimilarity: content\n")
    got = call(f"p s -o o --config {tmp_path / 'c.yaml'} --style-weight 4")
    assert got["loss"] == Loss(4.0, {"a": 2.0}, clip=True)
    assert got["method"] == Method([9, 3], "content")
    assert got["given"] >= {"preset", "similarity", "style_weight"}
    assert not got["given"] & {"clip", "iterations"}


def test_names_of_what_was_given() -> None:
    got = call("p s -o o --preset strong --style-weight 5")
    assert got["given"] == {"content", "style", "output", "preset", "style_weight"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("p s -o o --style-wieght 3", "'--style-wieght': did you mean '--style-weight'?"),
        ("p s -o o --iterations abc", "--iterations is 'abc': give a value of type int, or sev"),
        ("p s -o o --iterations 1,x", "--iterations is"),
        ("p s -o o --style-weight x", "--style-weight is 'x': give a value of type float."),
        ("p s -o o --style_weight=x", "--style-weight is 'x': give a value of type float."),
        ("p s -o o --weights 1 x", "--weights is 'x': give a value of type float."),
        ("p s -o o --style-layers b=x", "--style-layers is"),
        ("p s -o o --similarity sytle", "did you mean 'style'? Choose one of content, style."),
        ("p s -o o --style-weight", "--style-weight: expected one argument"),
        ("p s -o o --preset", "--preset: expected one argument"),
        ("p s -o o --clip yes", "unexpected 'yes'"),
        ("p s -o o t", "unexpected 't': give the inputs in one row"),
        ("p s", "--output missing: nst paint --help"),
        ("p -o o", "STYLE missing: nst paint --help"),
        ("p s -o o --loss 3", "unknown option '--loss'"),
        ("p s -o o --given 3", "unknown option '--given'"),
        ("p s -o o --preset wrong", "preset wrong 'style_wieght': did you mean 'style_weight'?"),
    ],
)
def test_errors_say_what_is_near(words: str, says: str) -> None:
    with pytest.raises(NstError) as caught:
        call(words)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_help_shows_the_docstrings_and_the_defaults_of_the_preset(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        call("--preset strong --help")
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Paint a picture." in text
    assert "What is minimised" in text
    assert "--style-weight STYLE_WEIGHT Strength of the style. (type: float, default: 20" in text
    assert "--loss" not in text
    assert "--given" not in text


def test_printed_settings_can_be_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        call("p s -o o --preset strong --weights 1 --print-config")
    (tmp_path / "c.yaml").write_text(capsys.readouterr().out)
    got = call(f"p s -o o --config {tmp_path / 'c.yaml'}")
    assert got["loss"] == Loss(20, {"a": 2.0}, clip=True)
    assert got["weights"] == [1.0]
