"""A clip in, the stylised clip out: reading, the network and writing at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nst.errors import unknown
from nst.files import atomic_write
from nst.images import DEFAULT_QUALITY
from nst.video import animated, numbered
from nst.video.animated import read_animation
from nst.video.animated_writing import GIF_LEAST, GIF_UNIT, write_animation
from nst.video.av_reading import import_av, read_video
from nst.video.av_writing import CODECS, check_crf, write_video
from nst.video.clip import Clip, Frame, Item, Write, fit, in_order, resized, squared, thinned, timed
from nst.video.numbered import DEFAULT_FPS, is_pattern, read_pictures, write_pictures
from nst.video.threads import ahead, behind

Filter: TypeAlias = "Callable[[NDArray[np.uint8]], NDArray[np.uint8]]"
"""What is done to each frame, (H, W, 3) uint8, sRGB, all of one size: called in order, in the
caller's thread, so that it may keep what it likes of the frames before."""

TARGETS = (*CODECS, *animated.EXTENSIONS)
"""Extensions of clips that are written."""
_READ_ONLY = (".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp")
READABLE = (*CODECS, *_READ_ONLY)
"""Extensions of videos that are read."""

# Frames, and packets of sound between them, that wait on either side of the network.
_WAITING = 4


@dataclass(frozen=True)
class Progress:
    """How far it is.

    Attributes:
        frames: Frames of the source done, or left out for being too many for the target.
        count: About how many it has, or None where nothing says.
    """

    frames: int
    count: int | None


@dataclass(frozen=True)
class Made:
    """What has been made.

    Attributes:
        path: The file, or the pattern of the numbered pictures.
        frames: How many frames it holds.
        finished: Whether these are all; not after Ctrl-C.
        notes: What of the source's sound and subtitles is not as it was.
    """

    path: Path
    frames: int
    finished: bool
    notes: tuple[str, ...] = ()


def is_clip(path: Path) -> bool:
    """Whether a file moves: a video by its extension, or a picture of several frames."""
    return path.suffix.lower() in READABLE or animated.is_animated(path)


def is_target(path: Path) -> bool:
    """Whether a clip can be written there: a video, an animation or numbered pictures."""
    return is_pattern(path) or path.suffix.lower() in TARGETS


def check_target(path: Path, crf: int | None = None) -> None:
    """Refuse what `convert` cannot write, before anything is read.

    Raises:
        NstError: Another extension, numbered pictures that are there already, a video without
            PyAV, or a quality that its codec does not have.
    """
    extension = path.suffix.lower()
    if is_pattern(path):
        numbered.check_pattern(path)
    elif extension in CODECS:
        import_av(path)
        check_crf(path, crf)
    elif extension not in TARGETS:
        kinds = (*TARGETS, "frames/%04d.png")
        raise unknown("kind of video or animation", path.suffix or path.name, kinds)


def convert(
    source: Path | Sequence[Path],
    target: Path,
    change: Filter,
    *,
    max_size: int | None = None,
    fps: float = DEFAULT_FPS,
    crf: int | None = None,
    quality: int = DEFAULT_QUALITY,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Made:
    """Change each frame of a clip.

    Times, pixel aspect, colours and sound stay; rotation is applied to the pixels. Only a few
    frames are in memory, however long the clip. On Ctrl-C the frames so far are kept: as `target`,
    or beside it (NAME-part.EXT) if something stands there already.

    Args:
        source: A video or animation, or the numbered pictures, in order.
        target: A video, an animation, or numbered pictures (frames/%04d.png).
        change: What is done to each frame.
        max_size: Shrink the frames first, to a long side of at most this many pixels.
        fps: Frames per second of numbered pictures.
        crf: Constant quality of a video, from 0 (best); by default the codec's own.
        quality: 1 to 100, of WebP and JPEG.
        watch: Told of each frame that is done.

    Raises:
        NstError: The source cannot be read, or the target not be written; what stood there still
            does.
    """
    check_target(target, crf)
    with reading(source, fps) as (clip, items):
        clip = _for_target(clip, target, max_size)
        items = resized(in_order(items), clip.size)
        if target.suffix.lower() == ".gif":
            items = thinned(items, GIF_UNIT, GIF_LEAST)
        notes: list[str] = []

        def show(frames: int) -> None:
            watch(Progress(frames, clip.count))

        def run(path: Path) -> Made:
            with (
                writing(path, clip, notes, crf=crf, quality=quality) as write,
                behind(write, _WAITING) as put,
                ahead(timed(items), _WAITING) as ready,
            ):
                frames, finished = _run(ready, put, change, show)
            return Made(target, frames, finished, tuple(notes))

        return run(target) if is_pattern(target) else _whole(target, run)


def _for_target(clip: Clip, target: Path, max_size: int | None) -> Clip:
    """The clip as it will be written: its size, and the shape of its pixels."""
    codec = CODECS.get("" if is_pattern(target) else target.suffix.lower())
    if codec is None or not codec.aspect:
        clip = squared(clip)
    return replace(clip, size=fit(clip.size, max_size))


def _run(
    items: Iterator[Item], put: Write, change: Filter, watch: Callable[[int], None]
) -> tuple[int, bool]:
    """How many frames were done, and whether these are all."""
    frames = 0
    try:
        for item in items:
            if not isinstance(item, Frame):
                put(item)
                continue
            picture = replace(item.picture, rgb=change(item.picture.rgb))
            put(replace(item, picture=picture))
            frames += 1
            watch(item.index + 1)
    except KeyboardInterrupt:
        if not frames:
            raise
        return frames, False
    return frames, True


class _Elsewhere(Exception):
    """The file has got another name."""


def _whole(target: Path, run: Callable[[Path], Made]) -> Made:
    """Write a file that replaces an older one only if it is finished."""
    with contextlib.suppress(_Elsewhere), atomic_write(target) as temporary:
        made = run(temporary)
        if not made.finished and target.exists():
            made = replace(made, path=target.with_name(f"{target.stem}-part{target.suffix}"))
            temporary.replace(made.path)
            raise _Elsewhere
    return made


@contextlib.contextmanager
def reading(
    source: Path | Sequence[Path], fps: float = DEFAULT_FPS
) -> Iterator[tuple[Clip, Iterator[Item]]]:
    """Open a clip: what is known of it, and its frames with what is between them.

    Args:
        source: As for `convert`.
        fps: As for `convert`.

    Raises:
        NstError: It cannot be read.
    """
    if not isinstance(source, Path):
        opened = read_pictures(source, fps)
    elif source.suffix.lower() in READABLE:
        opened = read_video(source)
    else:
        opened = read_animation(source)
    with opened as found:
        yield found


def writing(
    path: Path,
    clip: Clip,
    notes: list[str] | None = None,
    *,
    crf: int | None = None,
    quality: int = DEFAULT_QUALITY,
) -> contextlib.AbstractContextManager[Write]:
    """Write a clip of any kind; the file is whole when the block ends.

    Args:
        path: As for `check_target`; whatever is there is written over.
        clip: What is to be written; its size is that of all frames.
        notes: Told in words which sound or subtitles cannot be copied, and what becomes of them.
        crf: As for `convert`.
        quality: As for `convert`.

    Returns:
        A block that gives what takes the frames, in order.
    """
    if is_pattern(path):
        return write_pictures(path, quality=quality)
    if path.suffix.lower() in CODECS:
        return write_video(path, clip, [] if notes is None else notes, crf=crf)
    return write_animation(path, clip, quality=quality)
