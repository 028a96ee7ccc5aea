"""The picture as it comes about, as a GIF, WebP or PNG animation or as a video."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nst.errors import NstError, unknown
from nst.files import atomic_write
from nst.images import Picture, on_white
from nst.optimise import Step
from nst.watching.watcher import Watcher

FRAMES = 96
"""No more than these, whatever the number of iterations."""
LONGEST = 640
"""Long side of the frames in pixels: with 96 of them, 120 MB of memory at most."""
_PER_SECOND = 12
_HOLD = 2.0  # seconds that the last frame stays

_FORMATS = (".gif", ".webp", ".png", ".mp4")


def check_animation(path: Path) -> None:
    """Refuse a file that `animation` cannot write here.

    Raises:
        NstError: Another extension, or a video without PyAV.
    """
    if path.suffix.lower() not in _FORMATS:
        raise unknown("kind of animation", path.suffix, _FORMATS)
    if path.suffix.lower() == ".mp4" and importlib.util.find_spec("av") is None:
        raise NstError(
            f"{path} needs PyAV: install it with pip install 'nst[video]', or give a .webp or .gif."
        )


@contextlib.contextmanager
def animation(path: Path, iterations: int, draw: Callable[[Step], Picture]) -> Iterator[Watcher]:
    """Collect frames, and write them at the end; also when it is left early.

    Frames are close together at the beginning, where the picture changes fast. Transparent pixels
    are white.

    Args:
        path: A .gif, .webp, .png (animated) or .mp4 file.
        iterations: Of the whole optimisation.
        draw: The finished picture of a record; all of one size.

    Yields:
        The watcher.

    Raises:
        NstError: Another extension, PyAV is missing, or the file cannot be written.
    """
    check_animation(path)
    moments = {round(iterations * (k / (FRAMES - 1)) ** 2) for k in range(FRAMES)}
    frames: list[Image.Image] = []
    missed: Step | None = None

    def watch(step: Step, best: Step) -> None:
        nonlocal missed
        missed = best
        if step.iteration in moments:
            # A level of the pyramid begins with the number that the one before ended with.
            moments.remove(step.iteration)
            frames.append(_frame(draw(best)))
            missed = None

    with atomic_write(path) as temporary:
        yield watch
        if missed is not None:
            frames.append(_frame(draw(missed)))
        if frames and path.suffix.lower() == ".mp4":
            _write_video(frames, temporary)
        elif frames:
            _write_pillow(frames, temporary)


def _frame(picture: Picture) -> Image.Image:
    image = on_white(picture.to_image())
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return image


def _write_pillow(frames: Sequence[Image.Image], path: Path) -> None:
    durations = [1000 // _PER_SECOND] * (len(frames) - 1) + [int(1000 * _HOLD)]
    first, *rest = frames
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0)


def _write_video(frames: Sequence[Image.Image], path: Path) -> None:
    import av

    # The chroma of this format has half the resolution: sides must be even.
    width, height = (max(2, side - side % 2) for side in frames[0].size)
    held = [frames[-1]] * round(_HOLD * _PER_SECOND)
    try:
        with av.open(path, "w", format="mp4") as container:
            stream = container.add_stream("h264", rate=_PER_SECOND, options={"crf": "18"})
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuv420p"
            for frame in [*frames, *held]:
                pixels = np.asarray(frame.crop((0, 0, width, height)))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
    except av.FFmpegError as error:
        raise NstError(
            f"cannot write {path.suffix} video ({error}): give a .webp or .gif."
        ) from error
