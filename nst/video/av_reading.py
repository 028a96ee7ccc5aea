"""Videos in: frames upright and in RGB, sound as it is."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nst.errors import NstError
from nst.images import Picture
from nst.video.clip import Beside, Clip, Frame, Item
from nst.video.colour import Colour, complete

# Of these, times begin anywhere, not at 0.
_BROADCAST = {"mpegts", "mpeg"}
_EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"


def import_av(path: Path) -> Any:
    """PyAV, or one clear line.

    Raises:
        NstError: It is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise NstError(f"{path} needs PyAV: install it with pip install 'nst[video]'.") from error


@contextlib.contextmanager
def read_video(path: Path) -> Iterator[tuple[Clip, Iterator[Item]]]:
    """Open a video.

    Args:
        path: Its file.

    Yields:
        What is known of it, and its frames and packets of sound and subtitles, in the file's
        order. Damaged frames are left out.

    Raises:
        NstError: No such file, none with pictures, a damaged one, or PyAV is missing.
    """
    av = import_av(path)
    try:
        path.open("rb").close()
        # The prefix keeps FFmpeg from taking a file's name for a protocol.
        container = av.open(f"file:{path}", metadata_errors="replace")
    except (OSError, ValueError) as error:  # PyAV's own errors are of both kinds.
        reason = getattr(error, "strerror", None) or error
        raise NstError(f"cannot read {path} ({reason}): give a video.") from error
    with container:
        stream = _pictures(container, path)
        stream.thread_type = "AUTO"
        others = (*container.streams.audio, *container.streams.subtitles)
        frames = _items(container, stream, others, path)
        # The matrix that turns a video upright comes with its frames, not before.
        before: list[Item] = []
        for item in frames:
            before.append(item)
            if isinstance(item, Frame):
                break
        else:
            raise NstError(f"{path} holds no picture that can be decoded: get the file again.")
        first = before[-1]
        assert isinstance(first, Frame)
        yield _clip(container, stream, others, first, path), _chain(before, frames)


def _chain(before: list[Item], rest: Iterator[Item]) -> Iterator[Item]:
    while before:
        yield before.pop(0)
    yield from rest


def _pictures(container: Any, path: Path) -> Any:
    """The first video stream that is not the cover of an album."""
    for stream in container.streams.video:
        if "attached_pic" not in str(stream.disposition) and stream.codec_context is not None:
            return stream
    raise NstError(f"{path} holds no video: give a file with moving pictures.")


def _clip(container: Any, stream: Any, others: tuple[Any, ...], first: Frame, path: Path) -> Clip:
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    seconds = None
    if stream.duration:
        seconds = stream.duration * stream.time_base
    elif container.duration:
        seconds = Fraction(container.duration, 1_000_000)
    count = stream.frames or (round(seconds * rate) if seconds else None)
    aspect = Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)
    turned = first.picture.size == (stream.height, stream.width) != (stream.width, stream.height)
    return Clip(
        name=str(path),
        size=first.picture.size,
        count=count or None,
        rate=rate,
        time_base=stream.time_base,
        pixel_aspect=1 / aspect if turned else aspect,
        colour=_colour(stream),
        alpha=first.picture.alpha is not None,
        beside=others,
    )


def _colour(stream: Any) -> Colour:
    context = stream.codec_context
    full = context.color_range == 2 or str(context.pix_fmt).startswith("yuvj")
    known = Colour(
        int(context.color_primaries), int(context.color_trc), int(context.colorspace), full
    )
    return complete(known, (stream.width, stream.height))


def _items(container: Any, stream: Any, others: tuple[Any, ...], path: Path) -> Iterator[Item]:
    convert = _Converter(_colour(stream))
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    shift = _first_time(container, (stream, *others))
    due = Fraction(0)
    end = ((stream.start_time or 0) + (stream.duration or 0)) * stream.time_base - shift
    for packet in container.demux(stream, *others):
        if packet.stream is not stream:
            if packet.dts is not None:
                if shift and packet.pts is not None:
                    move = round(shift / packet.time_base)
                    packet.pts, packet.dts = packet.pts - move, packet.dts - move
                yield Beside(packet)
            continue
        for frame in _decoded(packet):
            if frame.pts is not None:
                due = frame.pts * Fraction(frame.time_base or stream.time_base) - shift
            duration = (frame.duration or 0) * stream.time_base or 1 / rate
            # Of the last frame the stream's end is a better witness.
            stay = end - due if end > due else duration
            yield Frame(replace(convert(frame), name=str(path)), due, stay)
            due += duration  # for old files, whose frames have no times


def _decoded(packet: Any) -> list[Any]:
    av = importlib.import_module("av")
    try:
        frames: list[Any] = packet.decode()
    except av.error.InvalidDataError:
        return []
    return frames


def _first_time(container: Any, streams: tuple[Any, ...]) -> Fraction:
    if container.format.name not in _BROADCAST:
        return Fraction(0)
    times = [s.start_time * s.time_base for s in streams if s.start_time is not None]
    return Fraction(min(times, default=0))


class _Converter:
    """Frames to pictures, upright."""

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self._key: tuple[Any, ...] = ()
        self._run: Callable[[Any], Any] = lambda frame: frame

    def __call__(self, frame: Any) -> Picture:
        key = (frame.width, frame.height, frame.format.name)
        if key != self._key:
            colour = self._colour
            options = f"in_color_matrix={colour.scaler_matrix}:in_range={colour.scaler_range}"
            if frame.format.is_rgb:
                options = "in_range=full"
            if colour.is_hdr:
                options += ":out_primaries=bt709:out_transfer=bt709:intent=perceptual"
            alpha = any(part.is_alpha for part in frame.format.components)
            run = scaler(frame, options + ":out_range=full", "rgba" if alpha else "rgb24")
            self._key, self._run = key, run
        pixels = _turn(frame)(self._run(frame).to_ndarray())
        alphas = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
        return Picture(np.ascontiguousarray(pixels[..., :3]), alphas)


def scaler(frame: Any, options: str, pixel_format: str) -> Callable[[Any], Any]:
    """FFmpeg's converter for frames like this one.

    A filter, as `VideoFrame.reformat` knows neither BT.2020 in all versions nor exact rounding.

    Args:
        frame: Of the size and format that all will have.
        options: Of the filter `scale`.
        pixel_format: Of the results.
    """
    av = importlib.import_module("av")
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
    )
    nodes = [
        source,
        graph.add("scale", f"{options}:{_EXACT}"),
        graph.add("format", pixel_format),
        graph.add("buffersink"),
    ]
    for node, following in itertools.pairwise(nodes):
        node.link_to(following)
    graph.configure()

    def run(frame: Any) -> Any:
        graph.push(frame)
        return graph.pull()

    return run


def _turn(frame: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """What a frame's display matrix says: quarter turns and mirrors of its pixels."""
    data = next((d for d in frame.side_data if d.type.name == "DISPLAYMATRIX"), None)
    if data is None:
        return lambda pixels: pixels
    a, b, _, c, d = struct.unpack("=5i", bytes(data)[:20])
    # x' = a x + c y and y' = b x + d y; axes swapped if the mixed terms are the larger ones.
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c, b) if swapped else (a, d)

    def turn(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        pixels = pixels.transpose(1, 0, 2) if swapped else pixels
        return pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]

    return turn
