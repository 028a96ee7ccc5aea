"""Animated GIF, WebP and PNG, and numbered pictures."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nst.errors import NstError
from nst.images import load, save
from nst.memory import resident_memory
from nst.video import Progress, by_number, convert, is_clip, is_pattern, matching

Array = NDArray[np.uint8]
COLOURS = [(200, 80, 40), (30, 160, 220), (0, 220, 30), (128, 128, 128)]
STAYS = [40, 300, 100, 2000]

needs_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs PyAV")


def same(rgb: Array) -> Array:
    return rgb


def animation(path: Path, *, loop: int | None = 0, alpha: bool = False) -> Path:
    frames = []
    for number, colour in enumerate(COLOURS):
        frame = Image.new("RGBA" if alpha else "RGB", (20, 12), (*colour, 255)[: 4 if alpha else 3])
        frame.paste((0, 0, 0, 0) if alpha else (0, 0, 0), (number, 0, number + 4, 6))
        frames.append(frame)
    options: dict[str, Any] = {} if loop is None else {"loop": loop}
    options |= {"disposal": 2} if path.suffix == ".gif" else {}
    options |= {"lossless": True} if path.suffix == ".webp" else {}
    kind = {".gif": "GIF", ".webp": "WEBP"}.get(path.suffix, "PNG")
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=STAYS, **options)
    return path


def read(path: Path) -> tuple[list[Array], list[int], int | None]:
    """Its frames as (H, W, 4), how long they stay in milliseconds, and its loop count."""
    frames, stays = [], []
    with Image.open(path) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            frames.append(np.array(image.convert("RGBA")))
            stays.append(round(image.info["duration"]))
        return frames, stays, image.info.get("loop")


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("target", [".gif", ".webp", ".png", ".apng"])
@pytest.mark.parametrize("source", [".gif", ".webp", ".png"])
def test_frames_and_durations(tmp_path: Path, source: str, target: str, alpha: bool) -> None:
    before = read(animation(tmp_path / f"in{source}", alpha=alpha))
    made = convert(tmp_path / f"in{source}", tmp_path / f"out{target}", same, quality=100)
    assert (made.frames, made.finished) == (4, True)
    frames, stays, loop = read(tmp_path / f"out{target}")
    assert (stays, loop) == (STAYS, 0)
    shown = slice(8, None)  # where WebP's chroma does not bleed
    for frame, old, colour in zip(frames, before[0], COLOURS, strict=True):
        assert frame.shape == (12, 20, 4)
        np.testing.assert_allclose(frame[9, 12], (*colour, 255), atol=8)
        np.testing.assert_array_equal(frame[..., 3], old[..., 3])
        visible = old[shown, ..., 3:] > 0
        np.testing.assert_allclose(frame[shown] * visible, old[shown] * visible, atol=8)


@pytest.mark.parametrize(
    ("source", "loop", "target", "kept"),
    [
        (".gif", 0, ".gif", 0),
        (".gif", 3, ".gif", 3),
        (".gif", None, ".gif", None),
        (".gif", None, ".webp", 1),
        (".gif", 3, ".png", 4),  # a GIF says how often it begins again
        (".webp", 2, ".gif", 1),
        (".webp", 5, ".webp", 5),
        (".png", 5, ".png", 5),
        (".png", 1, ".gif", None),
    ],
)
def test_loops(tmp_path: Path, source: str, loop: int | None, target: str, kept: Any) -> None:
    convert(animation(tmp_path / f"in{source}", loop=loop), tmp_path / f"out{target}", same)
    assert read(tmp_path / f"out{target}")[2] == kept


@needs_av
def test_an_animation_as_a_video_and_back(tmp_path: Path) -> None:
    import av

    source = animation(tmp_path / "in.gif", alpha=True)
    convert(source, tmp_path / "out.mp4", same, crf=4)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = list(container.decode(video=0))
        assert container.duration == pytest.approx(sum(STAYS) * 1000, abs=5000)
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 13, 1)
    starts = [0, 40, 340, 440]
    assert [f.pts * Fraction(f.time_base) for f in frames] == [Fraction(t, 1000) for t in starts]
    convert(tmp_path / "out.mp4", tmp_path / "back.gif", same)
    pictures, stays, _ = read(tmp_path / "back.gif")
    assert stays == STAYS
    for picture, colour in zip(pictures, COLOURS, strict=True):
        np.testing.assert_allclose(picture[9, 12], (*colour, 255), atol=10)
    # What was transparent became white.
    np.testing.assert_allclose(pictures[0][2, 1], 255, atol=10)


def test_a_gif_has_no_frames_that_browsers_would_slow_down(tmp_path: Path) -> None:
    for number in range(60):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    seen: list[Array] = []
    told: list[Progress] = []
    made = convert(
        matching(tmp_path / "%d.png"),
        tmp_path / "out.gif",
        lambda rgb: seen.append(rgb) or rgb,
        fps=60,
        watch=told.append,
    )
    assert told[-1] in (Progress(59, 60), Progress(60, 60))
    _, stays, _ = read(tmp_path / "out.gif")
    assert made.frames == len(seen) == len(stays) == 40
    assert set(stays) == {20, 30}
    assert sum(stays) == pytest.approx(1000, abs=20)


def test_a_still_first_picture_is_no_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(
        tmp_path / "in.png",
        save_all=True,
        append_images=frames[1:],
        default_image=True,
        duration=[70, 80],
    )
    convert(tmp_path / "in.png", tmp_path / "out.gif", same)
    pictures, stays, _ = read(tmp_path / "out.gif")
    assert stays == [70, 80]
    np.testing.assert_array_equal(pictures[0][0, 0, :3], (0, 128, 0))


def test_what_moves(tmp_path: Path) -> None:
    for suffix in (".gif", ".webp", ".png"):
        assert is_clip(animation(tmp_path / f"moving{suffix}"))
        Image.new("RGB", (8, 8)).save(tmp_path / f"still{suffix}")
        assert not is_clip(tmp_path / f"still{suffix}")
    (tmp_path / "text.gif").write_text("no picture")
    assert not is_clip(tmp_path / "text.gif")
    assert is_clip(Path("none.MP4"))
    assert not is_clip(Path("none.jpg"))


def test_a_damaged_animation(tmp_path: Path) -> None:
    data = animation(tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) * 2 // 3])
    (tmp_path / "out.gif").write_bytes(b"old")
    with pytest.raises(NstError, match="damaged or cut short"):
        convert(tmp_path / "cut.png", tmp_path / "out.gif", same)
    assert (tmp_path / "out.gif").read_bytes() == b"old"


def test_too_large_for_the_format(tmp_path: Path) -> None:
    Image.new("RGB", (16384, 1)).save(tmp_path / "1.png")
    with pytest.raises(NstError, match="webp holds 16383"):
        convert([tmp_path / "1.png"], tmp_path / "out.webp", same)


def test_numbered_pictures(tmp_path: Path) -> None:
    for number in (9, 10, 11, 8):
        save(np.full((8, 8, 3), number, np.uint8), tmp_path / f"f{number}.png")
    (tmp_path / "fx.png").write_text("does not match")
    paths = matching(tmp_path / "f%d.png")
    assert [p.name for p in paths] == ["f8.png", "f9.png", "f10.png", "f11.png"]
    assert by_number(paths[::-1]) == paths
    out = tmp_path / "new" / "%04d.png"
    made = convert(paths, out, lambda rgb: rgb * 2)
    assert (made.path, made.frames) == (out, 4)
    names = sorted(p.name for p in out.parent.iterdir())
    assert names == ["0008.png", "0009.png", "0010.png", "0011.png"]
    assert load(out.with_name("0010.png")).rgb.max() == 20
    with pytest.raises(NstError, match="mix with the new ones"):
        convert(paths, out, same)
    # Names whose numbers do not tell them apart are counted anew.
    twins = [tmp_path / "a-1.png", tmp_path / "b-1.png"]
    for path in twins:
        save(load(paths[0]), path)
    convert(twins, tmp_path / "twins" / "%d.jpg", same)
    assert sorted(p.name for p in (tmp_path / "twins").iterdir()) == ["1.jpg", "2.jpg"]


def test_numbered_pictures_of_two_sizes(tmp_path: Path) -> None:
    for number in (1, 2):
        save(np.zeros((8, 8 * number, 3), np.uint8), tmp_path / f"{number}.png")
    with pytest.raises(NstError, match=r"2.png has 16×8 pixels, and .*1.png 8×8"):
        convert(matching(tmp_path / "%d.png"), tmp_path / "out.gif", same)
    assert not (tmp_path / "out.gif").exists()
    with pytest.raises(NstError, match="nothing matches"):
        matching(tmp_path / "none-%d.png")
    with pytest.raises(NstError, match="cannot read the folder"):
        matching(tmp_path / "none" / "%d.png")


def test_patterns() -> None:
    assert is_pattern("frames/%04d.png")
    assert is_pattern("%d.jpg")
    assert not is_pattern("100%.jpg")
    assert not is_pattern("a%04d/b.png")


@pytest.mark.skipif(not resident_memory(), reason="this system does not say")
@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_memory_does_not_grow(tmp_path: Path, suffix: str) -> None:
    """Of 60 frames of 0.5 MB, only a few are in memory at once."""
    save(np.random.default_rng(0).integers(0, 2, (320, 480, 3), np.uint8), tmp_path / "1.png")
    peaks = []

    def watch(progress: Any) -> None:
        peaks.append(resident_memory())

    paths = [tmp_path / "1.png"] * 60
    convert(paths, tmp_path / f"out{suffix}", same, quality=20, watch=watch)
    assert max(peaks) - peaks[20] < 10e6  # 18 MB if all were kept
