"""`nst optimise --sweep`: one or two numeric options through several values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from nst.cli import main, optimise  # noqa: E402
from nst.cli.scene import Controls  # noqa: E402
from nst.cli.sweep import beside, label, placed, points, read_axes  # noqa: E402
from nst.errors import NstError  # noqa: E402
from nst.images import load  # noqa: E402
from nst.losses import LossConfig  # noqa: E402
from nst.optimise import Method  # noqa: E402

GROUPS = (Controls(), LossConfig(), Method())


def test_every_pair_of_values_is_a_point() -> None:
    axes = read_axes(["content-weight=.1,1e0", "--iterations=3,4,5"], GROUPS)
    found = points(axes)
    assert len(found) == 6
    assert found[1] == (("content_weight", ".1", 0.1), ("iterations", "4", 4))
    assert label(found[1]) == "content_weight=.1  iterations=4"
    assert beside(Path("a/out.png"), found[1]) == Path("a/out-content_weight-.1-iterations-4.png")
    assert placed(LossConfig(style_weight=9), found[1]) == LossConfig(0.1, 9)
    assert placed(Method(), found[1]) == Method(iterations=4)
    assert placed(Controls(), found[1]) == Controls()


@pytest.mark.parametrize("name", ["size", "style_size", "seed", "tv_weight", "scale_step"])
def test_whatever_takes_a_number_can_be_swept(name: str) -> None:
    (axis,) = read_axes([f"{name}=3"], GROUPS)
    assert axis.values == (("3", 3),)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["content_wieght=1,2"], "did you mean 'content_weight'?"),
        (["start=content,noise"], "--sweep start: it takes no number. Choose one of size, "),
        (["clip=0,1"], "--sweep clip: it takes no number"),
        (["style_layers=1,2"], "--sweep style_layers: it takes no number"),
        (["content_weight=1,two"], "'two' is no number"),
        (["iterations=1.5"], "'1.5' is no whole number"),
        (["content_weight"], "give NAME=A,B,... as"),
        (["content_weight=1,,2"], "give NAME=A,B,... as"),
        (["content_weight=1,1"], "give each value once"),
        (["seed=1", "size=20", "history=3"], "for seed, size, history: give one or two"),
        (["seed=1", "seed=2"], "give one or two different options"),
        (["seed=" + ",".join(map(str, range(101)))], "would make 101 pictures"),
    ],
)
def test_axes_that_cannot_be(texts: list[str], says: str) -> None:
    with pytest.raises(NstError) as caught:
        read_axes(texts, GROUPS)
    assert says in str(caught.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a photo and a style."""
    rng = np.random.default_rng(0)
    for name in ("photo", "style"):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        coarse.resize((24, 20), Image.Resampling.BICUBIC).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMMAND = ["optimise", "photo.png", "style.png", "-o", "out.png", "--iterations", "3"]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"photo.png", "style.png"}


def test_a_sweep_writes_every_picture_and_a_sheet(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sheets: list[Any] = []
    real = optimise.contact_sheet

    def noted(pictures: Any, labels: Any, **options: Any) -> Any:
        sheets.append((list(labels), options["columns"]))
        return real(pictures, labels, **options)

    monkeypatch.setattr(optimise, "contact_sheet", noted)
    sweep = ["--sweep", "style_weight=0,20", "--log", "l.csv"]
    sweep += ["--start", "content", "--tv-weight", "0"]
    assert main([*COMMAND, *sweep]) == 0
    names = [f"style_weight-{value}" for value in ("0", "20")]
    assert files(here) == {
        "out.png",
        *(f"out-{name}.png" for name in names),
        *(f"l-{name}.{extension}" for name in names for extension in ("csv", "png")),
    }
    assert sheets == [(["style_weight=0", "style_weight=20"], 2)]
    faint, strong = (load(f"out-{name}.png").rgb.astype(int) for name in names)
    photo = load("photo.png").rgb
    assert np.abs(faint - photo).mean() < 1 < np.abs(strong - photo).mean()
    # Pictures of 24×20 pixels, 320 across, and labels.
    assert load("out.png").size == (2 * 328 + 8, 267 + 28 + 8)
    assert "nst: out.png, a sheet of 2 pictures" in capsys.readouterr().out


def test_two_options_make_a_grid(here: Path) -> None:
    words = ["--sweep", "style-weight=1,20", "size=20,22,24", "--iterations", "0"]
    assert main([*COMMAND, *words]) == 0
    assert load("out-style_weight-20-size-20.png").size == (20, 17)
    assert load("out.png").size == (3 * 328 + 8, 2 * (272 + 28) + 8)


@pytest.mark.parametrize(("at", "pictures"), [(2, 1), (4, 1), (6, 2)])
def test_ctrl_c_keeps_what_there_is(
    here: Path, interrupt: Callable[[int], None], at: int, pictures: int
) -> None:
    interrupt(at)  # each picture has four steps
    assert main([*COMMAND, "--sweep", "style_weight=1,5,20"]) == 130
    made = [f"out-style_weight-{value}.png" for value in (1, 5)[:pictures]]
    assert files(here) == {"out.png", *made}
    assert load("out.png").size[0] == pictures * 328 + 8


def test_ctrl_c_before_the_first_picture(here: Path, interrupt: Callable[[int], None]) -> None:
    interrupt(0)
    assert main([*COMMAND, "--sweep", "style_weight=1,5"]) == 130
    assert files(here) == set()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("style_wieght=1,2", "did you mean 'style_weight'?"),
        ("style_weight=1,-2", "style_weight is -2.0"),
        ("iterations=1,-2", "-2 iterations"),
        ("backbone=1,2", "it takes no number"),
    ],
)
def test_bad_input_is_said_before_the_first_picture(
    here: Path, capsys: pytest.CaptureFixture[str], words: str, says: str
) -> None:
    assert main([*COMMAND, "--sweep", words]) == 2
    _, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1
    assert files(here) == set()


def test_a_picture_never_overwrites_an_input(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "photo.png").rename(here / "out-seed-1.png")
    command = ["optimise", "out-seed-1.png", *COMMAND[2:], "--sweep", "seed=1,2"]
    assert main(command) == 2
    assert "out-seed-1.png is one of the inputs" in capsys.readouterr().err
