"""`nst stylise` with clips."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nst import shipped
from nst.cli import main
from nst.cli.stylise import stylise
from nst.images import load, save
from nst.video import CODECS, Frame
from nst.video.av_reading import read_video

av = pytest.importorskip("av")

Make = Callable[..., Path]


@pytest.fixture
def run(make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `nst stylise` in an empty folder with a model that inverts colours."""
    model = make_model("model/inverse.onnx")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return lambda *words: main(["stylise", *map(str, words), "--model", str(model)])


def frames(path: Path | str) -> list[Any]:
    with read_video(Path(path)) as (_, items):
        return [item.picture.rgb for item in items if isinstance(item, Frame)]


def gif(path: Path, count: int = 3) -> Path:
    pictures = [Image.new("RGB", (16, 12), (60 * n, 0, 0)) for n in range(count)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=70, loop=0)
    return path


def files() -> list[str]:
    return sorted(p.as_posix() for p in Path().rglob("*") if p.is_file())


def test_a_video(run: Any, make_clip: Make, capsys: Any) -> None:
    source = make_clip(sound="aac", context={"colorspace": 1})
    assert run(source, "-o", "out.mp4", "--crf", 4, "--threads", 1, "--provider", "cpu") == 0
    np.testing.assert_allclose(frames("out.mp4")[3][20, 28], (55, 175, 215), atol=8)
    out, err = capsys.readouterr()
    assert out.startswith("nst: out.mp4 in ")
    assert err == ""
    assert files() == ["out.mp4"]


def test_options_as_on_stills(run: Any, make_clip: Make) -> None:
    source = make_clip(context={"colorspace": 1})
    assert run(source, "-o", "out.mkv", "--strength", 0, "--max-size", 16) == 0
    frame = frames("out.mkv")[0]
    assert frame.shape == (12, 16, 3)
    np.testing.assert_allclose(frame[10, 14], (200, 80, 40), atol=8)
    assert run(source, "-o", "f/%02d.png", "--keep-colour") == 0
    photo = load("f/01.png").rgb[20, 28].astype(int)
    assert photo[0] > photo[1] > photo[2]  # still orange
    assert len(files()) == 11


def test_names_of_results(run: Any, make_clip: Make, tmp_path: Path) -> None:
    clip, moving = make_clip("a.avi", codec="mpeg4", options={}), gif(tmp_path / "b.gif")
    save(np.zeros((8, 8, 3), np.uint8), tmp_path / "c.jpg")
    assert run(clip, moving, tmp_path / "c.jpg") == 0
    assert files() == ["a-inverse.mp4", "b-inverse.gif", "c-inverse.jpg"]
    assert run(clip, moving, "-o", "out", "--format", "webm") == 0
    assert files()[3:] == ["out/a.webm", "out/b.webm"]


def test_an_animation_as_a_still_where_nothing_moves(run: Any, tmp_path: Path) -> None:
    source = gif(tmp_path / "a.gif")
    assert run(source, "-o", "still.jpg") == 0
    assert load("still.jpg").rgb[0, 0, 0] > 250
    assert run(source, "-o", "moving.webp") == 0
    with Image.open("moving.webp") as image:
        assert image.n_frames == 3


def test_numbered_frames(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (1, 2, 10):
        save(np.full((12, 16, 3), number * 10, np.uint8), folder / f"{number}.png")
    for source in (folder, folder / "%d.png"):
        assert run(source, "-o", "out.mp4", "--fps", 10) == 0
        assert [int(f.mean() + 0.5) for f in frames("out.mp4")] == pytest.approx(
            [245, 235, 155], abs=2
        )
        with av.open("out.mp4") as container:
            assert container.duration == pytest.approx(300_000, abs=2000)
    assert run(folder / "%d.png", "-o", "out/%03d.jpg") == 0
    assert files() == ["out.mp4", "out/001.jpg", "out/002.jpg", "out/010.jpg"]
    # Photos as ever: a result for each.
    assert run(folder, "-o", "stills/") == 0
    assert files()[4:] == ["stills/1.png", "stills/10.png", "stills/2.png"]
    assert run(folder / "1.png", folder / "2.png", "-o", "pair.gif") == 0
    with Image.open("pair.gif") as image:
        assert image.n_frames == 2


def test_sound_that_changes_is_said(run: Any, make_clip: Make, capsys: Any) -> None:
    assert run(make_clip(sound="aac"), "-o", "out.webm") == 0
    assert capsys.readouterr().err == ("nst: note: webm cannot hold aac sound, which became opus\n")


def test_wrong_inputs(
    run: Any, make_clip: Make, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip()
    text, tiny = tmp_path / "text.mp4", make_clip("tiny.mp4", size=(2, 2))
    text.write_text("no video")
    Path("out.mp4").write_bytes(b"old")
    photo = tmp_path / "a.png"
    save(np.zeros((8, 8, 3), np.uint8), photo)
    for words, message in (
        (["none.mp4", "-o", "out.mp4"], "cannot read none.mp4 (No such file"),
        ([text, "-o", "out.mp4"], "text.mp4 (Invalid data"),
        ([tiny, "-o", "out.mp4"], "tiny.mp4 comes to 2×2 pixels"),
        ([clip, "-o", clip], "is one of the inputs"),
        ([clip, "-o", "out.avi"], "unknown kind of video or animation '.avi'"),
        ([clip, "-o", "out.jpg"], "unknown kind of video or animation '.jpg'"),
        ([clip, "-o", "-"], "cannot go to stdout"),
        ([clip, "-o", "out.mp4", "--crf", 60], "crf is 60"),
        ([clip, "-o", "out.mp4", "--format", "webm"], "out.mp4 is not webm"),
        ([clip, "-o", "out.mp4", "--fps", 0], "fps is 0"),
        ([clip, "-o", "out.mp4", "--max-size", 0], "maximal size is 0"),
        ([photo, "-o", "out.mp4"], "does not move"),
        ([clip, clip.with_name("tiny.mp4"), "-o", "out.mp4"], "is one file for 2"),
    ):
        assert run(*words) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        assert message in err
    monkeypatch.setitem(sys.modules, "av", None)
    assert run(clip, "-o", "out.mp4") == 2
    assert capsys.readouterr().err == (
        "nst: error: out.mp4 needs PyAV: install it with pip install 'nst[video]'.\n"
    )
    assert run(clip, "-o", "out.gif") == 2
    assert "clip.mp4 needs PyAV" in capsys.readouterr().err
    assert Path("out.mp4").read_bytes() == b"old"
    assert files() == ["out.mp4"]


def test_one_bad_clip_among_many(run: Any, make_clip: Make, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    assert run(make_clip(), tmp_path / "bad.mp4", "-o", "out") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "bad.mp4" in lines[0]
    assert lines[1] == "nst: 1 of 2 files failed"
    assert files() == ["out/clip.mp4"]


def test_the_help_tells_the_codecs_own_quality() -> None:
    told = f"{CODECS['.mp4'].crf} for H.264 and {CODECS['.webm'].crf} for VP9"
    assert told in " ".join((stylise.__doc__ or "").split())
    assert all(codec.name in ("libx264", "libvpx-vp9") for codec in CODECS.values())


def test_videos_take_the_model_that_is_stable(
    make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model("styles/a.onnx", style="a")
    make_model("styles/a-stable.onnx", style="a", network="live", stability_weight=2.0)
    make_model("styles/b.onnx", style="b")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "styles")
    monkeypatch.setattr(shipped, "DEFAULT_STYLE", "a")
    make_model("styles/b-stable.onnx", style="b", stability_weight=2.0)
    assert [style.path.stem for style in shipped.styles()] == ["a", "a-stable", "b", "b-stable"]
    assert shipped.find().path.stem == "a"
    assert shipped.find(moving=True).path.stem == "a-stable"
    assert shipped.find("b", moving=True).path.stem == "b-stable"


def test_videos_take_a_live_model_where_none_is_stable(
    make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model("styles/a.onnx", style="a")
    make_model("styles/a-live.onnx", style="a", network="live")
    make_model("styles/b.onnx", style="b")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "styles")
    assert shipped.find("a").path.stem == "a"
    assert shipped.find("a", moving=True).path.stem == "a-live"
    assert shipped.find("b", moving=True).path.stem == "b"


# Reads a clip, and waits in the tenth frame until it is interrupted.
SLOW = """
import sys, time
from pathlib import Path
import nst.cli, nst.styliser
def stylise(self, picture, done=[], **options):
    done.append(picture)
    if len(done) == 10:
        print("ready", flush=True)
        # In short naps: Python does not wake from one for a signal that came just before it.
        for _ in range(600):
            time.sleep(0.1)
    return picture
nst.styliser.Styliser.stylise = stylise
sys.exit(nst.cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("name", "old", "number"),
    [
        ("out.mp4", False, signal.SIGINT),
        ("out.mp4", True, signal.SIGTERM),
        ("out.gif", False, signal.SIGTERM),
        ("%d.png", False, signal.SIGINT),
    ],
)
def test_ctrl_c_leaves_what_plays(
    make_model: Make, make_clip: Make, tmp_path: Path, name: str, old: bool, number: signal.Signals
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    if old:
        (folder / name).write_bytes(b"old")
    words = ["stylise", str(make_clip(starts=range(0, 4000, 40), sound="aac"))]
    words += ["-o", str(folder / name), "--model", str(make_model())]
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", SLOW, *words]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    kept = folder / ("out-part.mp4" if old else name)
    assert err == f"nst: interrupted: {kept} holds the first 9 frames\n"
    if name == "%d.png":
        assert len(list(folder.iterdir())) == 9
        return
    assert len(frames(kept)) == 9
    assert len(list(folder.iterdir())) == 1 + old
    if old:
        assert (folder / name).read_bytes() == b"old"
    if name == "out.mp4":
        with av.open(str(kept)) as container:
            assert sum(1 for _ in container.decode(audio=0)) > 0


def test_ctrl_c_before_the_first_frame(
    run: Any, make_clip: Make, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    source = make_clip()
    monkeypatch.setattr("nst.styliser.Styliser.stylise", interrupted)
    assert run(source, "-o", "out.mp4") == 130
    assert capsys.readouterr().err == "nst: interrupted\n"
    assert files() == []
