"""`nst optimise`: what it says of bad input, and what Ctrl-C leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from nst.images import load  # noqa: E402


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_ctrl_c_keeps_the_picture_so_far(
    optimise: Callable[..., tuple[str, str]],
    easel: Path,
    interrupt: Callable[[int], None],
) -> None:
    interrupt(3)
    out, err = optimise("--iterations 9 --animate out.webp --log losses.csv", code=130)
    assert err.endswith("nst: interrupted: this is the best picture so far\n")
    assert "after 2 iterations" in out
    assert load("out.png").size == (28, 20)
    assert load("losses.png").size[0] > 100
    with Image.open("out.webp") as image:
        assert image.size == (28, 20)


def test_ctrl_c_before_the_first_picture_leaves_nothing(
    optimise: Callable[..., tuple[str, str]],
    easel: Path,
    interrupt: Callable[[int], None],
) -> None:
    before = files(easel)
    interrupt(0)
    _, err = optimise("--animate out.gif", code=130)
    assert err.endswith("nst: interrupted\n")
    assert files(easel) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--preset zandian202", "did you mean 'zandian2022'?"),
        ("--style-wieght 3", "did you mean '--style-weight'?"),
        ("--iterations abc", "--iterations is 'abc': give a value of type int"),
        ("--iterations -1", "-1 iterations"),
        ("--style-weight -2", "style_weight is -2"),
        ("--style-layers relu1_1,relu9_9", "relu9_9"),
        ("--similarity style --style-layers relu1_1=1", "give one of them"),
        ("--start noise --start-style night", "--start noise takes no network"),
        ("--start nosie", "did you mean 'noise'?"),
        ("--start none.png", "cannot read none.png"),
        ("--start-style nihgt", "unknown style 'nihgt'"),
        ("--start-style a --start-model b", "give one of them"),
        ("--optimiser lbgfs", "did you mean 'lbfgs'?"),
        ("--backbone vgg91", "did you mean 'vgg19'"),
        ("--size 8", "photo.png comes to 8×6 pixels"),
        ("--size 0", "1×1 pixels"),
        ("--size large", "size is 'large': give a long side as 512"),
        ("--size 99999x99999", "178956970 in all are the most"),
        ("--style-size 4", "style.png comes to 4×5 pixels"),
        ("--style-size -4", "style.png comes to -4"),
        ("--style-size big", "'content' or 'area'"),
        ("--style-weights 1 2", "2 style weights for 1 styles"),
        ("--keep-colour mach", "did you mean 'match'?"),
        ("--content-mask photo-mask.png", "--content-mask without --style-mask"),
        ("--style-mask style-mask.png", "--style-mask without --content-mask"),
        ("--content-mask photo-mask.png --style-mask a.png", "cannot read a.png"),
        ("--content-mask photo.png --style-mask style-mask.png", "the content mask has"),
        ("--output out.xyz", "xyz"),
        ("--output none/out.png", "none"),
        ("--output photo.png", "photo.png is one of the inputs"),
        ("--animate out.mp5", "did you mean '.mp4'?"),
        ("--animate out.png", "out.png is written twice"),
        ("--log losses.txt", "ends in .csv"),
        ("--log out.csv", "out.png is written twice"),
        ("--save-every -1", "every -1 iterations"),
        ("--threads -1", "threads is -1"),
        ("--margin -1", "margin is -1: give 0 to 64 pixels"),
        ("--margin 65", "margin is 65"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(
    optimise: Callable[..., tuple[str, str]], easel: Path, words: str, says: str
) -> None:
    before = files(easel)
    out, err = optimise(f"--iterations 1 {words}", code=2)
    assert out == ""
    assert err.startswith("nst: error: ")
    assert err.count("\n") == 1
    assert says in err
    assert files(easel) == before


def test_a_size_that_does_not_fit_is_refused_before_the_start(
    optimise: Callable[..., tuple[str, str]], easel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(easel)
    monkeypatch.setattr("nst.optimise.memory.available_memory", lambda: 200_000)
    _, err = optimise("--iterations 1", code=2)
    assert "give --size" in err
    assert files(easel) == before
