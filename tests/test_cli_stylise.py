from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nst import __version__, shipped
from nst.cli import COMMANDS, main
from nst.cli.parser import run
from nst.errors import NstError
from nst.images import encode, load

MakeModel = Callable[..., Path]


def photo(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)


def write(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(photo(seed), path.suffix))
    return path


@pytest.fixture
def here(make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with one shipped style that inverts colours."""
    make_model("styles/inverse.onnx", style_image="inverse.png", held_out={"content": 0.5})
    write(tmp_path / "styles" / "inverse.png")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "styles")
    monkeypatch.setattr(shipped, "DEFAULT_STYLE", "inverse")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def fails(capsys: Any, words: list[str], code: int = 2) -> str:
    """Run a command that must fail, in one line on stderr, and give that line."""
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("nst: error: ")
    return str(err)


def test_one_photo(here: Path, capsys: Any) -> None:
    write(here / "a.png")
    assert main(["stylise", "a.png", "-o", "b.png"]) == 0
    np.testing.assert_array_equal(load("b.png").rgb, 255 - photo())
    out, err = capsys.readouterr()
    assert out.startswith("nst: b.png in ")
    assert err == ""
    assert files(here) == ["a.png", "b.png"]


def test_the_default_name_holds_photo_and_style(here: Path) -> None:
    write(here / "sub" / "a.png")
    write(here / "b.bmp.png")
    assert main(["stylise", "sub/a.png", "b.bmp.png"]) == 0
    assert files(here) == ["a-inverse.png", "b.bmp-inverse.png", "b.bmp.png", "sub/a.png"]


def test_networks_of_one_style_do_not_write_over_each_other(
    here: Path, make_model: MakeModel
) -> None:
    make_model("styles/inverse-live.onnx", style="inverse", network="live")
    write(here / "a.png")
    for style in ("inverse", "inverse-live"):
        assert main(["stylise", "a.png", "--style", style]) == 0
    assert files(here) == ["a-inverse-live.png", "a-inverse.png", "a.png"]


@pytest.mark.parametrize("command", ["stylise", "stylize"])
@pytest.mark.parametrize("options", ["--max-size=6 --keep-colour", "--max_size 6 --keep_colour"])
def test_options_and_spellings(here: Path, command: str, options: str) -> None:
    write(here / "a.png")
    words = ["--strength", "0", "--threads", "1", "--provider", "cpu", *options.split()]
    assert main([command, "a.png", "-o", "b.png", *words]) == 0
    assert load("b.png").size == (6, 4)


def test_model_file(here: Path, make_model: MakeModel, capsys: Any) -> None:
    write(here / "a.png")
    model = make_model("own.onnx", style="my style/1")
    assert main(["stylise", "a.png", "--model", str(model)]) == 0
    assert files(here) == ["a-my-style-1.png", "a.png"]
    capsys.readouterr()
    both = ["--model", str(model), "--style", "inverse"]
    assert "give one of them" in fails(capsys, ["stylise", "a.png", *both])
    assert "did you mean 'inverse'" in fails(capsys, ["stylise", "a.png", "--style", "invers"])
    assert "cannot read the model none" in fails(capsys, ["stylise", "a.png", "--model", "none"])


def test_folders_patterns_and_files_into_a_folder(here: Path) -> None:
    write(here / "in" / "a.png")
    write(here / "in" / "b.JPG")
    (here / "in" / "notes.txt").write_text("no picture")
    Image.fromarray(photo()).save(here / "c1.bmp")
    write(here / "c2.webp")
    assert main(["stylise", "in", "c?.*", "in/a.png", "-o", "out"]) == 0
    assert files(here / "out") == ["a.png", "b.jpg", "c1.png", "c2.webp"]


def test_a_folder_is_one_that_exists_or_is_written_as_one(here: Path) -> None:
    write(here / "a.png")
    (here / "x.y").mkdir()
    assert main(["stylise", "a.png", "-o", "x.y"]) == 0
    assert main(["stylise", "a.png", "-o", "z.w/"]) == 0
    assert main(["stylise", "a.png", "-o", "deep/er", "--format", "jpg"]) == 0
    assert files(here) == ["a.png", "deep/er/a.jpg", "x.y/a.png", "z.w/a.png"]


def test_equal_names_do_not_overwrite_each_other(here: Path) -> None:
    for number, name in enumerate(["p/a.png", "q/a.png", "r/A.png", "s/a-2.png"]):
        write(here / name, seed=number)
    assert main(["stylise", "p", "q", "r", "s", "-o", "out"]) == 0
    made = files(here / "out")
    assert made == ["A-3.png", "a-2-2.png", "a-2.png", "a.png"]
    sums = {int(load(here / "out" / name).rgb.sum()) for name in made}
    assert sums == {int((255 - photo(seed)).sum()) for seed in range(4)}


def test_inputs_are_never_overwritten(here: Path, capsys: Any) -> None:
    before = write(here / "a.png").read_bytes()
    write(here / "b.png")
    for words in (["a.png", "-o", "a.png"], ["a.png", "b.png", "-o", "."], [".", "-o", "./"]):
        assert "is one of the inputs" in fails(capsys, ["stylise", *words])
    assert (here / "a.png").read_bytes() == before


def test_one_bad_file_among_many(here: Path, capsys: Any) -> None:
    write(here / "a.png")
    (here / "b.jpg").write_text("text")
    (here / "c.png").write_bytes(encode(photo()[:1, :1], "png"))
    write(here / "d.png")
    assert main(["stylise", "a.png", "b.jpg", "c.png", "none.png", "d.png", "-o", "out"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    for line, name in zip(lines[:3], ["b.jpg", "c.png", "none.png"], strict=True):
        assert line.startswith("nst: error: ")
        assert name in line
    assert lines[3] == "nst: 3 of 5 pictures failed"
    assert files(here / "out") == ["a.png", "d.png"]


def test_single_bad_inputs(here: Path, capsys: Any) -> None:
    (here / "text.jpg").write_text("not a picture")
    (here / "half.jpg").write_bytes(encode(photo(), "jpg")[:300])
    (here / "tiny.png").write_bytes(encode(photo()[:1, :1], "png"))
    (here / "empty").mkdir()
    write(here / "good.png")
    cases = {
        "none.jpg": "No such file",
        "text.jpg": "not a picture",
        "half.jpg": "damaged or cut short",
        "tiny.png": "1×1 pixels, and this style needs 4",
        "empty": "no pictures in the folder",
        "*.tif": "nothing matches",
    }
    before = files(here)
    for word, message in cases.items():
        line = fails(capsys, ["stylise", word, "-o", "out.png"])
        assert message in line
        assert word in line
    assert files(here) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "out.xyz"], "unknown picture format '.xyz'"),
        (["-o", "out.jpgg"], "did you mean '.jpg'?"),
        (["-o", "missing/out.png"], "cannot write missing/out.png"),
        (["-o", "a.png/out"], "cannot make the folder a.png/out"),
        (["--format", "gif"], "unknown picture format 'gif'"),
        (["--quality", "0"], "quality is 0"),
        (["--strength", "2"], "strength is 2"),
        (["--max-size", "0"], "maximal size is 0"),
        (["--max-pixels", "10"], "108 pixels"),
        (["--threads", "-1"], "threads is -1"),
        (["--provider", "cud"], "did you mean 'cuda'?"),
        (["--max-sise", "3"], "did you mean '--max-size'?"),
        (["--max-size", "x"], "--max-size is 'x': give a value of type int."),
        (["--max-size"], "--max-size: expected one argument"),
        (["-o", "out.png", "b.png"], "unexpected 'b.png'"),
        (["--config", "none.yaml"], "none.yaml"),
    ],
)
def test_wrong_options(here: Path, capsys: Any, words: list[str], message: str) -> None:
    write(here / "a.png")
    assert message in fails(capsys, ["stylise", "a.png", *words])
    assert files(here) == ["a.png"]


def test_a_choice_lists_its_values() -> None:
    def draw(*, mode: Literal["fast", "slow"] | None = None, sizes: int | str = 3) -> None:
        """Draw."""

    with pytest.raises(NstError, match=r"--mode 'fats': did you mean 'fast'\? .*fast, slow"):
        run(draw, ["--mode", "fats"], "nst draw")
    assert run(draw, ["--mode=slow", "--sizes", "4"], "nst draw") == 0


def test_wrong_options_are_said_once_for_many(here: Path, capsys: Any) -> None:
    write(here / "a.png")
    write(here / "b.png")
    for words in (["--strength", "2"], ["--quality", "0"], ["--max-size", "-1"], ["-o", "c.png"]):
        fails(capsys, ["stylise", "a.png", "b.png", *words])
    assert files(here) == ["a.png", "b.png"]


def test_a_configuration_file(here: Path, capsys: Any) -> None:
    write(here / "a.png")
    (here / "c.yaml").write_text("max_size: 6\noutput: b.png\n")
    assert main(["stylise", "a.png", "--config", "c.yaml"]) == 0
    assert load("b.png").size == (6, 4)
    capsys.readouterr()
    (here / "c.yaml").write_text("max_sise: 6\n")
    line = fails(capsys, ["stylise", "a.png", "--config", "c.yaml"])
    assert "unknown option 'max_sise': did you mean 'max_size'?" in line


def test_commands(capsys: Any) -> None:
    assert "did you mean 'stylise'" in fails(capsys, ["stylse"])
    assert "stylise, styles" in fails(capsys, ["xyz"])
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nst {__version__}\n"
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)
    assert main([]) == 2


def test_help_of_a_command(capsys: Any) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["stylise", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for option in ("-o", "--style", "--model", "--max-size", "--strength", "--keep-colour"):
        assert option in text


def test_what_the_system_refuses_is_one_line(here: Path, capsys: Any) -> None:
    assert main(["stylise", "a" * 300]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nst: error: the system refuses aaa")
    assert "too long" in error
    assert error.count("\n") == 1


def test_debug_shows_the_traceback(here: Path, capsys: Any) -> None:
    assert main(["stylise", "none.png", "--debug"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("nst: error: cannot read none.png")


def test_a_missing_extra_is_named(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("importlib.import_module", missing)
    assert "pip install 'nst[optimise]'" in fails(capsys, ["optimize", "a", "b"])


def test_ctrl_c_leaves_no_half_file(
    here: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here / "a.png")
    (here / "b.png").write_bytes(b"old")

    def interrupted(path: Path, data: bytes) -> None:
        path.open("wb").write(data[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.warns(ResourceWarning):
        assert main(["stylise", "a.png", "-o", "b.png"]) == 130
    assert capsys.readouterr().err == "nst: interrupted\n"
    assert (here / "b.png").read_bytes() == b"old"
    assert files(here) == ["a.png", "b.png"]
