"""Videos out, with the times, the pixel aspect and the colours of their source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nst.errors import NstError
from nst.video.av_reading import import_av, scaler
from nst.video.clip import Clip, Frame, Item, Write, opaque
from nst.video.colour import written
from nst.video.sound import Sound


@dataclass(frozen=True)
class Codec:
    """A way to code pictures.

    Attributes:
        name: FFmpeg's name of the encoder.
        crf: Constant quality that it has by default: lower is better, and larger.
        worst: The highest value there is.
        even: Whether both sides must be even.
        aspect: Whether it can say that pixels are not square.
        options: Of the encoder.
    """

    name: str
    crf: int
    worst: int
    even: bool
    aspect: bool
    options: dict[str, str]


_H264 = Codec("libx264", crf=18, worst=51, even=True, aspect=True, options={})
_VP9 = Codec(
    "libvpx-vp9",
    crf=28,
    worst=63,
    even=False,
    aspect=False,
    # Without a rate of 0 the quality is not constant; 4 is about as fast as x264's default.
    options={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
)
CODECS = {".mp4": _H264, ".m4v": _H264, ".mov": _H264, ".mkv": _H264, ".webm": _VP9}
"""The codec of each extension of a video that can be written."""
_FORMATS = {".m4v": "mp4", ".mkv": "matroska"}


def check_crf(path: Path, crf: int | None) -> None:
    """Refuse a quality that a video's codec does not have.

    Raises:
        NstError: It is out of range.
    """
    codec = CODECS[path.suffix.lower()]
    if crf is not None and not 0 <= crf <= codec.worst:
        raise NstError(f"crf is {crf}: for {path.suffix}, give 0 (best) to {codec.worst}.")


@contextlib.contextmanager
def write_video(
    path: Path, clip: Clip, notes: list[str], *, crf: int | None = None
) -> Iterator[Write]:
    """Write a video; the file is finished when the block ends.

    H.264 needs even sides: of an odd one, the last row or column is repeated once.

    Args:
        path: A file with one of the extensions of `CODECS`.
        clip: What is to be written; its size is that of all frames.
        notes: Told in words which sound or subtitles cannot be copied, and what becomes of them.
        crf: Constant quality, from 0; by default the codec's own.

    Yields:
        What takes the frames, and the packets to copy, in order.

    Raises:
        NstError: PyAV is missing, or writing fails.
    """
    av = import_av(path)
    with contextlib.ExitStack() as opened:
        with _clear_errors(path):
            container = opened.enter_context(_open(av, path))
            writer = _Writer(av, container, path, clip, crf)
            notes += writer.notes

        def write(item: Item) -> None:
            with _clear_errors(path):
                writer.write(item)

        yield write
        with _clear_errors(path):
            writer.finish()
            container.close()


def _open(av: Any, path: Path) -> Any:
    extension = path.suffix.lower()
    # The index in front, so that a browser can begin to play before it has the whole.
    options = {"movflags": "+faststart"} if extension in (".mp4", ".m4v", ".mov") else {}
    kind = _FORMATS.get(extension, extension[1:])
    # The prefix keeps FFmpeg from taking a file's name for a protocol.
    return av.open(f"file:{path}", "w", format=kind, options=options)


@contextlib.contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except NstError:
        raise
    except (OSError, ValueError) as error:  # PyAV's own errors are of both kinds.
        reason = getattr(error, "strerror", None) or error
        raise NstError(
            f"cannot write {path.suffix} video ({reason}): see that there is room, or choose "
            "another format."
        ) from error


class _Writer:
    def __init__(self, av: Any, container: Any, path: Path, clip: Clip, crf: int | None) -> None:
        self._av, self._container, self._clip = av, container, clip
        codec = CODECS[path.suffix.lower()]
        self._pad = tuple(side % 2 if codec.even else 0 for side in clip.size)
        options = {**codec.options, "crf": str(codec.crf if crf is None else crf)}
        rate = clip.rate.limit_denominator(1001 * 60)
        self._stream = container.add_stream(codec.name, rate=rate, options=options)
        self._stream.width, self._stream.height = (
            side + more for side, more in zip(clip.size, self._pad, strict=True)
        )
        self._stream.pix_fmt = "yuv420p"
        self._colour = written(clip.colour)
        context = self._stream.codec_context
        context.time_base = clip.time_base
        context.sample_aspect_ratio = clip.pixel_aspect
        context.color_primaries = self._colour.primaries
        context.color_trc = self._colour.transfer
        context.colorspace = self._colour.matrix
        context.color_range = 1
        self._sound = Sound(container, clip.beside)
        self.notes = self._sound.notes
        self._durations: dict[int, int] = {}
        self._convert: Any = None
        self._held: Any = None
        self._first, self._end = (0, 0), 0

    def write(self, item: Item) -> None:
        if not isinstance(item, Frame):
            self._sound.write(item.packet)
            return
        pixels = opaque(item.picture)
        if any(self._pad):
            right, below = self._pad
            pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        if self._convert is None:
            self._convert = scaler(
                frame,
                f"in_range=full:out_color_matrix={self._colour.scaler_matrix}:out_range=limited",
                "yuv420p",
            )
        frame.pts = round(item.start / self._clip.time_base)
        self._durations[frame.pts] = round(item.duration / self._clip.time_base)
        frame = self._convert(frame)
        frame.time_base = self._clip.time_base
        frame.pict_type = 0
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._mux(self._stream.encode(None))
        if self._held is not None:
            pts, dts = self._first
            if self._container.format.name in ("mp4", "mov"):
                # These count durations from one decoding time to the next: what the last one
                # gets is what makes the whole as long as it should be.
                self._held.duration = max(1, self._end - pts - (self._held.dts - dts))
            self._container.mux(self._held)
        self._sound.finish()

    def _mux(self, packets: list[Any]) -> None:
        """Write all packets but the last one."""
        for packet in packets:
            # Few encoders pass it on.
            packet.duration = self._durations.pop(packet.pts, 0)
            self._end = max(self._end, packet.pts + packet.duration)
            if self._held is None:
                self._first = (packet.pts, packet.dts)
            else:
                self._container.mux(self._held)
            self._held = packet
