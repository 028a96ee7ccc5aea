"""Clips as numbered pictures: frames/%04d.png."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from nst.errors import NstError
from nst.images import load, pillow_format, save
from nst.video.clip import Clip, Frame, Item, Write

_NUMBER = re.compile(r"%(0?)(\d*)d")
DEFAULT_FPS = 25.0
"""Of numbered pictures, which do not say."""


def is_pattern(path: str | Path) -> bool:
    """Whether a path stands for numbered pictures, as frames/%04d.png does."""
    return _NUMBER.search(Path(path).name) is not None


def matching(pattern: Path) -> list[Path]:
    """The pictures that a pattern stands for, by number.

    Raises:
        NstError: There are none.
    """
    regex = _regex(pattern)
    try:
        found = [p for p in pattern.parent.iterdir() if regex.fullmatch(p.name) and p.is_file()]
    except OSError as error:
        raise NstError(
            f"cannot read the folder {pattern.parent} ({error.strerror}): check the pattern."
        ) from error
    if not found:
        raise NstError(f"nothing matches {pattern}: give it as frames/%04d.png.")
    return sorted(found, key=lambda p: _number(p, regex) or 0)


def by_number(paths: Sequence[Path]) -> list[Path]:
    """Sorted by their names, with numbers as numbers: 2 before 10."""
    return sorted(
        paths,
        key=lambda p: [
            (int(part), "") if part.isdecimal() else (-1, part)
            for part in re.split(r"(\d+)", p.name)
        ],
    )


@contextlib.contextmanager
def read_pictures(paths: Sequence[Path], fps: float) -> Iterator[tuple[Clip, Iterator[Item]]]:
    """Take pictures as the frames of a clip.

    Args:
        paths: Their files, in order.
        fps: Frames per second.

    Yields:
        What is known of the clip, and its frames. All have the first one's size.

    Raises:
        NstError: A picture that cannot be read, or of another size.
    """
    rate = Fraction(fps).limit_denominator(1001)
    first = load(paths[0])
    clip = Clip(
        name=str(paths[0]),
        size=first.size,
        count=len(paths),
        rate=rate,
        time_base=1 / rate,
        alpha=first.alpha is not None,
    )
    yield clip, _frames(paths, clip)


def _frames(paths: Sequence[Path], clip: Clip) -> Iterator[Item]:
    numbers = _numbers(paths)
    for index, path in enumerate(paths):
        picture = load(path)
        if picture.size != clip.size:
            raise NstError(
                f"{path} has {picture.size[0]}×{picture.size[1]} pixels, and {clip.name} "
                f"{clip.size[0]}×{clip.size[1]}: give frames of one size."
            )
        yield Frame(picture, index / clip.rate, 1 / clip.rate, numbers[index])


def _numbers(paths: Sequence[Path]) -> list[int] | list[None]:
    """The numbers in the files' names, if they tell them apart."""
    found = [re.findall(r"\d+", path.stem) for path in paths]
    numbers = [int(parts[-1]) for parts in found if parts]
    return numbers if len(set(numbers)) == len(paths) else [None] * len(paths)


def check_pattern(pattern: Path) -> None:
    """Refuse a pattern that cannot be written, or whose pictures would mix with older ones.

    Raises:
        NstError: Not a picture's extension, or there are such pictures already.
    """
    pillow_format(pattern.suffix)
    regex = _regex(pattern)
    older = pattern.parent.is_dir() and any(
        regex.fullmatch(p.name) for p in pattern.parent.iterdir()
    )
    if older:
        raise NstError(
            f"{pattern.parent} holds pictures of that name, which would mix with the new ones: "
            "give an empty folder, or remove them."
        )


@contextlib.contextmanager
def write_pictures(pattern: Path, *, quality: int) -> Iterator[Write]:
    """Write each frame as a picture of its own, numbered from 1 or as the source is.

    Args:
        pattern: Such as frames/%04d.png; its folder is made if missing.
        quality: 1 to 100, of JPEG and WebP.

    Yields:
        What takes the frames, in order.

    Raises:
        NstError: They cannot be written, or there are such pictures already.
    """
    check_pattern(pattern)
    try:
        pattern.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NstError(
            f"cannot make the folder {pattern.parent} ({error.strerror}): choose another one."
        ) from error
    count = 0

    def write(item: Item) -> None:
        nonlocal count
        if isinstance(item, Frame):
            count += 1
            number = count if item.number is None else item.number
            name = _NUMBER.sub(lambda m: f"{number:{m[1]}{m[2]}d}", pattern.name, count=1)
            save(item.picture, pattern.with_name(name), quality=quality)

    yield write


def _regex(pattern: Path) -> re.Pattern[str]:
    before, *_, after = (re.escape(part) for part in _NUMBER.sub("\0", pattern.name, 1).split("\0"))
    return re.compile(f"{before}(\\d+){after}")


def _number(path: Path, regex: re.Pattern[str]) -> int | None:
    match = regex.fullmatch(path.name)
    return int(match[1]) if match else None
