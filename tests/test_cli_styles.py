from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nst import shipped
from nst.cli import main


@pytest.fixture
def folder(
    make_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The current folder, with a photo; a style that inverts colours is shipped, in two models."""
    styles = tmp_path / "styles"
    make_model("styles/inverse.onnx", style_image="inverse.png", held_out={"content": 0.5})
    Image.new("RGB", (8, 8)).save(styles / "inverse.png")
    monkeypatch.setattr(shipped, "FOLDER", styles)
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (120, 60), (255, 0, 0)).save(tmp_path / "red.png")
    return tmp_path


def test_table(folder: Path, capsys: Any, make_model: Callable[..., Path]) -> None:
    make_model("styles/inverse-live.onnx", style="inverse", network="live")
    assert main(["styles"]) == 0
    names = [line.split()[1] for line in capsys.readouterr().out.splitlines() if "MB" in line]
    assert names == ["inverse", "inverse-live"]  # each as --style takes it
    for name in names:
        assert main(["stylise", "red.png", "--style", name, "-o", "red-out.png"]) == 0


def test_json(folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["styles", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["name"] == "inverse"
    assert record["network"] == "standard"
    assert record["precision"] == "fp32"
    assert Path(record["path"]) == shipped.FOLDER / "inverse.onnx"
    assert Path(record["style_image"]) == shipped.FOLDER / "inverse.png"
    assert record["min_size"] == 4
    assert record["held_out"] == {"content": 0.5}
    monkeypatch.setattr(shipped, "FOLDER", folder)
    assert main(["styles", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_sheet(folder: Path, capsys: Any, make_model: Callable[..., Path]) -> None:
    make_model("styles/inverse-int8.onnx", precision="int8")
    assert main(["styles", "--sheet", "red.png", "--cell", "40", "-o", "sheet.png"]) == 0
    assert capsys.readouterr().out == "nst: sheet.png\n"
    with Image.open(folder / "sheet.png") as picture:
        sheet = np.asarray(picture)
    # The photo and one model, 40×20 pixels each with a margin of 8 around them.
    assert sheet.shape[1] == 3 * 8 + 2 * 40
    np.testing.assert_array_equal(sheet[8 + 10, 8 + 20], [255, 0, 0])
    np.testing.assert_array_equal(sheet[8 + 10, 56 + 20], [0, 255, 255])
    assert main(["styles", "--sheet", "red.png"]) == 0
    assert (folder / "red-styles.jpg").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sheet", "none.png"], "cannot read none.png"),
        (["--sheet", "red.png", "--cell", "0"], "--cell is 0"),
        (["--sheet", "red.png", "-o", "./red.png"], "red.png is one of the inputs"),
        (["-o", "sheet.png"], "give --sheet PHOTO"),
        (["--json", "--sheet", "red.png"], "give one of them"),
    ],
)
def test_bad_input(folder: Path, capsys: Any, words: list[str], message: str) -> None:
    assert main(["styles", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nst: error: ")
    assert message in err
    assert err.count("\n") == 1
