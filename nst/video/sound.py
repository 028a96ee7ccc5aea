"""Sound and subtitles beside the pictures: copied as they are, if the new container holds them."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Sequence
from typing import Any

# What sound becomes in a container that cannot hold it as it is, and its sampling rate.
_ENCODERS = {"webm": ("libopus", 48000)}
_USUAL = ("aac", None)


class Sound:
    """The streams beside the pictures in a container that is being written.

    Attributes:
        notes: What could not be copied, and what became of it.
    """

    def __init__(self, container: Any, streams: Sequence[Any]) -> None:
        """Add a stream to the container for each that it can hold.

        Args:
            container: PyAV's output.
            streams: PyAV's streams of the source.
        """
        self._container = container
        self.notes: list[str] = []
        self._write: dict[int, Callable[[Any], None]] = {}
        self._finish: list[Callable[[], None]] = []
        for stream in streams:
            self._add(stream)

    def write(self, packet: Any) -> None:
        """Copy a packet of one of the streams, or code it anew."""
        if packet.stream.index in self._write:
            self._write[packet.stream.index](packet)

    def finish(self) -> None:
        """Write what encoders still hold."""
        for finish in self._finish:
            finish()

    def _add(self, stream: Any) -> None:
        context = stream.codec_context
        codec = context.codec.canonical_name if context is not None else "unknown"
        kind = self._container.format.name
        if codec in self._container.supported_codecs:
            self._write[stream.index] = self._copied(stream)
        elif stream.type == "audio":
            name, rate = _ENCODERS.get(kind, _USUAL)
            self._write[stream.index] = self._encoded(stream, name, rate)
            self.notes.append(f"{kind} cannot hold {codec} sound, which became {name[-4:]}")
        else:
            self.notes.append(f"{kind} cannot hold {codec} subtitles, which are left out")

    def _copied(self, stream: Any) -> Callable[[Any], None]:
        av = importlib.import_module("av")
        copy = self._container.add_stream_from_template(stream)
        if stream.language:
            copy.metadata["language"] = stream.language

        def write(packet: Any) -> None:
            packet.stream = copy
            # A damaged packet, or one out of order, is left out: a gap, as players have it.
            with contextlib.suppress(av.error.InvalidDataError, av.error.ArgumentError):
                self._container.mux(packet)

        return write

    def _encoded(self, stream: Any, codec: str, rate: int | None) -> Callable[[Any], None]:
        av = importlib.import_module("av")
        coded = self._container.add_stream(codec, rate=rate or stream.rate)
        coded.layout = stream.layout

        def write(packet: Any) -> None:
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                return
            for frame in frames:
                self._container.mux(coded.encode(frame))

        def finish() -> None:
            for frame in stream.decode(None):
                self._container.mux(coded.encode(frame))
            self._container.mux(coded.encode(None))

        self._finish.append(finish)
        return write
