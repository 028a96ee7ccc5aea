"""Animated GIF, WebP and PNG in, a frame at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from PIL import Image

from nst.errors import NstError
from nst.images import MAX_PIXELS, load
from nst.images.reading import opened
from nst.video.clip import Clip, Frame, Item

EXTENSIONS = (".gif", ".webp", ".png", ".apng")
"""Of the files that may hold an animation."""

_MILLISECOND = Fraction(1, 1000)
# What browsers make of 10 ms and less.
_UNHURRIED = 100


def is_animated(path: Path) -> bool:
    """Whether a picture has several frames. Of what cannot be read, it has not."""
    if path.suffix.lower() not in EXTENSIONS:
        return False
    try:
        with opened(path, MAX_PIXELS) as image:
            return bool(getattr(image, "is_animated", False))
    except NstError:
        return False


@contextlib.contextmanager
def read_animation(path: Path) -> Iterator[tuple[Clip, Iterator[Item]]]:
    """Open an animation.

    Args:
        path: A GIF, WebP or PNG file. (Of WebP, the whole file is in memory.)

    Yields:
        What is known of it, and its frames, each whole, with its transparency.

    Raises:
        NstError: No such file, not a picture, or a damaged one.
    """
    with opened(path, MAX_PIXELS) as image:
        # A PNG may begin with a picture that only those see who cannot play it.
        skipped = 1 if getattr(image, "default_image", False) else 0
        count = int(getattr(image, "n_frames", 1)) - skipped
        yield (
            Clip(
                name=str(path),
                size=image.size,
                count=count,
                rate=Fraction(1000, _shown(image)),
                time_base=_MILLISECOND,
                alpha=True,
                plays=_plays(image),
            ),
            _frames(image, path, range(skipped, skipped + count)),
        )


def _frames(image: Image.Image, path: Path, numbers: range) -> Iterator[Item]:
    start = 0
    for number in numbers:
        try:
            image.seek(number)
            image.load()
        except (EOFError, OSError, SyntaxError, ValueError) as error:
            raise NstError(
                f"{path} is damaged or cut short in frame {number + 1} ({error}): "
                "get the file again."
            ) from error
        shown = _shown(image)
        yield Frame(load(image), start * _MILLISECOND, shown * _MILLISECOND)
        start += shown


def _shown(image: Image.Image) -> int:
    """Milliseconds."""
    duration = int(image.info.get("duration", 0))
    return duration if duration > 10 else _UNHURRIED


def _plays(image: Image.Image) -> int:
    if image.format != "GIF":
        return int(image.info.get("loop", 0))
    # A GIF says how often to begin again, and nothing for never.
    again = image.info.get("loop")
    return 1 if again is None else int(again) and int(again) + 1
