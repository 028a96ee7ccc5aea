"""The style pictures of our own are what the script in examples/styles draws."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "examples" / "styles" / "draw.py"


def draw(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, str(SCRIPT), *words, "-o", str(folder)], check=True)


def test_the_shipped_picture_is_drawn_again(tmp_path: Path) -> None:
    draw(tmp_path, "stained-glass")
    drawn, kept = (
        np.asarray(Image.open(folder / "stained-glass.jpg")).astype(float)
        for folder in (tmp_path, ROOT / "nst" / "styles")
    )
    assert np.abs(drawn - kept).mean() < 2


@pytest.mark.parametrize("name", ["ink", "mosaic", "paper-cut"])
def test_a_small_one_is_full_of_texture(tmp_path: Path, name: str) -> None:
    draw(tmp_path, name, "--side", "96")
    picture = np.asarray(Image.open(tmp_path / f"{name}.jpg").convert("L")).astype(float)
    assert picture.shape == (96, 96)
    # No quarter of it is empty.
    for rows in (picture[:48], picture[48:]):
        for quarter in (rows[:, :48], rows[:, 48:]):
            assert quarter.std() > 15
