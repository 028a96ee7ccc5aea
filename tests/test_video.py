"""What a video keeps on its way through: times, sound, shape and colours."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nst.errors import NstError
from nst.memory import resident_memory
from nst.video import Frame, Progress, convert
from nst.video.av_reading import read_video

av = pytest.importorskip("av")

MakeClip = Callable[..., Path]
Array = NDArray[np.uint8]


def same(rgb: Array) -> Array:
    return rgb


def streams(path: Path) -> Any:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return video.sample_aspect_ratio, (video.width, video.height), len(container.streams)


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [f.pts * Fraction(f.time_base) for f in container.decode(video=0)]


def packets(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        found = container.demux(getattr(container.streams, kind)[0])
        return [bytes(p) for p in found if p.dts is not None]


def seen(path: Path) -> list[Array]:
    """The frames as nst reads them: upright, in RGB."""
    with read_video(path) as (_, items):
        return [item.picture.rgb for item in items if isinstance(item, Frame)]


UNEVEN = [0, 40, 55, 200, 1000, 1013, 1400]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.m4v", "out.mkv", "out.webm"])
def test_times_of_a_variable_rate(make_clip: MakeClip, tmp_path: Path, name: str) -> None:
    source = make_clip("clip.mkv", starts=UNEVEN)
    made = convert(source, tmp_path / name, same)
    assert (made.path, made.frames, made.finished) == (tmp_path / name, len(UNEVEN), True)
    assert times(tmp_path / name) == [Fraction(t, 1000) for t in UNEVEN]


def test_times_of_any_clock(make_clip: MakeClip, tmp_path: Path) -> None:
    clock = Fraction(1001, 30000)
    source = make_clip(starts=[0, 1, 2, 5, 6], time_base=clock)
    convert(source, tmp_path / "out.mp4", same)
    assert times(tmp_path / "out.mp4") == [n * clock for n in (0, 1, 2, 5, 6)]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_sound_is_copied(make_clip: MakeClip, tmp_path: Path, name: str) -> None:
    source = make_clip(sound="aac")
    assert convert(source, tmp_path / name, same).notes == ()
    assert packets(tmp_path / name, "audio") == packets(source, "audio")
    # The same lead of the sound, whatever a container makes of its first times.
    with av.open(str(source)) as before, av.open(str(tmp_path / name)) as after:
        first = [
            {s.type: next(c.demux(s)).pts * s.time_base for s in c.streams if not c.seek(0)}
            for c in (before, after)
        ]
    leads = [times["video"] - times["audio"] for times in first]
    assert abs(leads[0] - leads[1]) <= Fraction(1, 1000)


def test_sound_that_a_container_cannot_hold(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip(sound="aac")
    made = convert(source, tmp_path / "out.webm", same)
    assert made.notes == ("webm cannot hold aac sound, which became opus",)
    with av.open(str(tmp_path / "out.webm")) as container:
        heard = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
    assert heard.shape[1] == pytest.approx(24000, abs=1100)
    assert heard.std() == pytest.approx(0.3 / 3**0.5, rel=0.3)


@pytest.mark.parametrize(
    ("name", "size", "written"),
    [("o.mp4", (33, 25), (34, 26)), ("o.mkv", (32, 25), (32, 26)), ("o.webm", (33, 25), (33, 25))],
)
def test_odd_sizes(make_clip: MakeClip, tmp_path: Path, name: str, size: Any, written: Any) -> None:
    source = make_clip("clip.webm", size=size, codec="libvpx-vp9", options={"crf": "4", "b": "0"})
    convert(source, tmp_path / name, same)
    assert streams(tmp_path / name)[1] == written
    frame, kept = seen(source)[0], seen(tmp_path / name)[0]
    np.testing.assert_allclose(
        kept[: size[1], : size[0]].astype(int), frame.astype(int), rtol=0, atol=8
    )
    # The last row and column are repeated.
    assert np.abs(kept[-1].astype(int) - kept[size[1] - 1]).max() <= 8


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_pixel_aspect(make_clip: MakeClip, tmp_path: Path, name: str) -> None:
    source = make_clip(context={"sample_aspect_ratio": Fraction(4, 3)})
    convert(source, tmp_path / name, same)
    assert streams(tmp_path / name)[:2] == (Fraction(4, 3), (32, 24))


@pytest.mark.parametrize("name", ["out.gif", "out.webp", "out.png", "out.webm", "%d.png"])
def test_square_pixels_where_nothing_else_can_be_said(
    make_clip: MakeClip, tmp_path: Path, name: str
) -> None:
    source = make_clip(context={"sample_aspect_ratio": Fraction(3, 2)})
    sizes = set()
    convert(source, tmp_path / name, lambda rgb: sizes.add(rgb.shape) or rgb)
    assert sizes == {(24, 48, 3)}


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="needs PyAV 18")
@pytest.mark.parametrize(("degrees", "corner"), [(90, "sw"), (180, "se"), (-90, "ne"), (0, "nw")])
def test_rotation(make_clip: MakeClip, tmp_path: Path, degrees: int, corner: str) -> None:
    source = make_clip(rotation=degrees, context={"sample_aspect_ratio": Fraction(4, 3)})
    with av.open(str(source)) as container:
        assert abs(next(container.decode(video=0)).rotation) == abs(degrees)
    convert(source, tmp_path / "out.mp4", same)
    turned = degrees in (90, -90)
    aspect, size, _ = streams(tmp_path / "out.mp4")
    assert size == ((24, 32) if turned else (32, 24))
    assert aspect == (Fraction(3, 4) if turned else Fraction(4, 3))
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation == 0
    luma = frame.to_ndarray(format="gray")
    places = {"nw": (2, 2), "ne": (2, -3), "sw": (-3, 2), "se": (-3, -3)}
    assert min(places, key=lambda place: luma[places[place]]) == corner


COLOURS = [(200, 80, 40), (30, 160, 220), (255, 255, 255), (0, 0, 0), (0, 220, 30), (128, 128, 128)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("matrix", "number"), [("bt709", 1), ("smpte170m", 6), ("bt2020", 9)])
def test_colours(make_clip: MakeClip, tmp_path: Path, matrix: str, number: int, full: bool) -> None:
    source = make_clip(
        starts=range(0, 240, 40),
        colours=COLOURS,
        scale=f"out_color_matrix={matrix}:out_range={'full' if full else 'limited'}",
        context={"colorspace": number, "color_range": 2 if full else 1},
    )
    for name in ("out.mp4", "out.webm"):
        convert(source, tmp_path / name, same, crf=4)
        frames = seen(tmp_path / name)
        for frame, first, colour in zip(frames, seen(source), COLOURS, strict=True):
            np.testing.assert_allclose(frame[20, 28], colour, rtol=0, atol=6)
            np.testing.assert_allclose(first[20, 28], colour, rtol=0, atol=4)
        with av.open(str(tmp_path / name)) as container:
            context = container.streams.video[0].codec_context
            assert context.color_range == 1
            assert context.colorspace in ({5, 6} if number == 6 else {number})


def test_colours_of_a_video_that_does_not_say(make_clip: MakeClip, tmp_path: Path) -> None:
    for size, matrix, number in (((32, 24), "smpte170m", 6), ((1280, 32), "bt709", 1)):
        source = make_clip(starts=[0], size=size, scale=f"out_color_matrix={matrix}")
        convert(source, tmp_path / "out.mp4", same)
        np.testing.assert_allclose(seen(source)[0][-4, -4], (200, 80, 40), rtol=0, atol=4)
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.streams.video[0].codec_context.colorspace == number


def test_ten_bits(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip(pix_fmt="yuv420p10le", context={"colorspace": 1})
    convert(source, tmp_path / "out.mp4", same)
    np.testing.assert_allclose(seen(tmp_path / "out.mp4")[0][20, 28], (200, 80, 40), atol=6)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_hdr_becomes_ordinary(make_clip: MakeClip, tmp_path: Path) -> None:
    hdr = {"colorspace": 9, "color_primaries": 9, "color_trc": 16, "color_range": 1}
    greys = [(v, v, v) for v in (0, 64, 128, 192, 255)]
    source = make_clip(
        pix_fmt="yuv420p10le",
        starts=range(0, 200, 40),
        colours=greys,
        scale="out_color_matrix=bt2020",
        context=hdr,
    )
    convert(source, tmp_path / "out.mp4", same)
    levels = [int(frame[20, 28].mean()) for frame in seen(tmp_path / "out.mp4")]
    assert levels == sorted(levels)
    assert levels[0] < 8
    assert levels[-1] > 235
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)


def test_transparency_goes_on_white(make_clip: MakeClip, tmp_path: Path) -> None:
    source = tmp_path / "clip.mov"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "argb"
        pixels = np.full((24, 32, 4), (255, 200, 80, 40), np.uint8)
        pixels[:, :16, 0] = 0
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="argb")))
        container.mux(stream.encode(None))
    convert(source, tmp_path / "out.mp4", same)
    frame = seen(tmp_path / "out.mp4")[0]
    np.testing.assert_allclose(frame[12, [4, 28]], [(255,) * 3, (200, 80, 40)], atol=6)
    convert(source, tmp_path / "%d.png", same)
    from nst.images import load

    alpha = load(tmp_path / "1.png").alpha
    assert alpha is not None
    assert (alpha[0, 4], alpha[0, 28]) == (0, 255)


def test_frames_are_changed_in_order_and_counted(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip(colours=[(10 * n, 0, 0) for n in range(10)])
    reds, told = [], []

    def change(rgb: Array) -> Array:
        reds.append(int(rgb[20, 28, 0]))
        return 255 - rgb

    convert(source, tmp_path / "out.mp4", change, watch=told.append)
    assert reds == sorted(reds)
    assert told == [Progress(n + 1, 10) for n in range(10)]
    np.testing.assert_allclose(seen(tmp_path / "out.mp4")[5][20, 28], (205, 255, 255), atol=8)


@pytest.mark.skipif(not resident_memory(), reason="this system does not say")
def test_memory_does_not_grow(make_clip: MakeClip, tmp_path: Path) -> None:
    """Of 400 frames of 0.2 MB, only those that the encoder looks ahead are in memory at once."""
    source = make_clip(size=(320, 240), starts=range(400), options={"preset": "ultrafast"})
    sizes = []
    convert(source, tmp_path / "out.mp4", same, watch=lambda _: sizes.append(resident_memory()))
    assert max(sizes) - sizes[100] < 35e6  # 70 MB if all were kept


def test_max_size(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip(size=(64, 36))
    for limit, size in ((32, (32, 18)), (31, (30, 18)), (64, (64, 36)), (1, (2, 2))):
        convert(source, tmp_path / "out.mp4", same, max_size=limit)
        assert streams(tmp_path / "out.mp4")[1] == size


def test_damage_costs_frames_not_the_rest(make_clip: MakeClip, tmp_path: Path) -> None:
    source = make_clip("clip.ts", size=(160, 120), starts=range(0, 4000, 40), sound="aac")
    data = bytearray(source.read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(len(data) // 3, len(data), 60):
        data[place] ^= 255
    source.write_bytes(data)
    made = convert(source, tmp_path / "out.mp4", same)
    assert 30 < made.frames <= 100
    assert len(seen(tmp_path / "out.mp4")) == made.frames


def test_wrong_sources_and_targets(make_clip: MakeClip, tmp_path: Path) -> None:
    source, out = make_clip(), tmp_path / "out.mp4"
    out.write_bytes(b"old")
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        heard = container.add_stream("aac", rate=48000)
        container.mux(heard.encode(None))

    def fails(_: Array) -> Array:
        raise NstError("the network failed")

    for path, change, words in (
        (tmp_path / "none.mp4", same, "cannot read .*none.mp4 .No such file"),
        (tmp_path, same, "is not a picture|cannot read"),
        (text, same, "cannot read .*text.mp4 .Invalid data"),
        (tmp_path / "sound.mp4", same, "holds no video|cannot read"),
        (source, fails, "the network failed"),
    ):
        with pytest.raises(NstError, match=words):
            convert(path, out, change)
        assert out.read_bytes() == b"old"
    with pytest.raises(NstError, match="crf is 52"):
        convert(source, out, same, crf=52)
    with pytest.raises(NstError, match=r"unknown kind .*'.avi'"):
        convert(source, tmp_path / "out.avi", same)
    with pytest.raises(NstError, match="cannot write"):
        convert(source, tmp_path / "none" / "out.mp4", same)
    assert not list(tmp_path.glob(".nst-*"))
