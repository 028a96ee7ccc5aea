"""Which pictures and clips a command reads, and where each result goes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nst.errors import NstError
from nst.images import FORMATS, is_picture_path, pillow_format
from nst.video import by_number, is_clip, is_pattern, is_target, matching

STANDARD_STREAM = "-"


@dataclass(frozen=True)
class Job:
    """One picture or clip to make.

    Attributes:
        source: The file to read, or None for stdin.
        target: The file to write, or None for stdout.
        clip: Whether the result moves.
        frames: The numbered pictures that make up the clip, in order, if it is made of such.
    """

    source: Path | None
    target: Path | None
    clip: bool = False
    frames: tuple[Path, ...] = ()


def find_sources(inputs: Iterable[str]) -> list[Path | None]:
    """The pictures that files, folders, patterns and "-" stand for, each once, in order.

    Args:
        inputs: What the command line says. A folder stands for the pictures directly in it.

    Returns:
        Paths, which need not exist; None is stdin.

    Raises:
        NstError: A folder without pictures, or a pattern that nothing matches.
    """
    found: dict[Path | None, Path | None] = {}
    for text in inputs:
        for path in _expand(text):
            found.setdefault(path and path.resolve(), path)
    return list(found.values())


def find_frames(inputs: list[str], output: str | None) -> tuple[Path, ...]:
    """The pictures that are to be the frames of one clip; none if each is a picture of its own.

    Args:
        inputs: What the command line says: a pattern such as frames/%04d.png, a folder, or files.
        output: A clip's file or pattern; anything else means pictures.

    Raises:
        NstError: As for `find_sources`.
    """
    if output is None or not is_target(Path(output)) or Path(output).is_dir():
        return ()
    paths = [path for path in find_sources(inputs) if path is not None]
    sequence = len(inputs) == 1 and (Path(inputs[0]).is_dir() or is_pattern(inputs[0]))
    # A .png or .webp of many files is rather a slip than an animation.
    if not sequence and Path(output).suffix.lower() in FORMATS and not is_pattern(output):
        return ()
    if len(paths) < 2 or any(map(is_clip, paths)):
        return ()
    return tuple(by_number(paths) if sequence else paths)


def prepare(
    sources: list[Path | None], output: str | None, label: str, format: str | None
) -> list[Job]:
    """Decide where each result goes, so that none overwrites another or an input.

    Args:
        sources: From `find_sources`.
        output: A file, a folder (existing, ending in a slash, or without extension; made if
            missing), "-" for stdout, or None for the current folder.
        label: The style's name, which the results' names hold if `output` is None.
        format: Extension of the results' format; by default the source's own if it can be written,
            else PNG, or MP4 for a video.

    Raises:
        NstError: Many results for one file, an unknown extension, a result that would overwrite
            an input, or a folder that cannot be made.
    """
    if output is None and sources == [None]:
        output = STANDARD_STREAM
    if output is None:
        suffix = "-" + re.sub(r"[^\w.-]+", "-", label)
        jobs = _into_folder(Path(), sources, suffix, format)
    elif _is_folder(output, len(sources)):
        jobs = _into_folder(Path(output), sources, "", format)
    elif len(sources) > 1:
        raise NstError(f"{output} is one file for {len(sources)} pictures: give a folder.")
    else:
        target = None if output == STANDARD_STREAM else Path(output)
        job = _job(sources[0], target)
        if target and format is None and not job.clip:
            _check_still(job, target)
        return _never_inputs([job])
    _never_inputs(jobs)
    try:
        Path(output or "").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NstError(
            f"cannot make the folder {output} ({error.strerror}): choose another one."
        ) from error
    return jobs


def _job(source: Path | None, target: Path | None) -> Job:
    if source is None or not is_clip(source):
        return Job(source, target)
    # Of an animation, a format that cannot move takes the first frame.
    still = is_picture_path(source) and (target is None or not is_target(target))
    if target is None and not still:
        raise NstError("a video cannot go to stdout: give -o FILE.")
    return Job(source, target, clip=not still)


def _check_still(job: Job, target: Path) -> None:
    if target.suffix.lower() not in FORMATS and is_target(target):
        raise NstError(
            f"{job.source or 'stdin'} does not move: give a video, an animation or several "
            f"pictures for {target}, or write to a .jpg or .png."
        )
    pillow_format(target.suffix)


def _never_inputs(jobs: list[Job]) -> list[Job]:
    inputs = [job.source for job in jobs if job.source]
    check_not_inputs([job.target for job in jobs if job.target], inputs)
    return jobs


def check_not_inputs(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to write over what is read.

    Raises:
        NstError: A target is one of the inputs.
    """
    read = {path.resolve() for path in inputs}
    for target in targets:
        if target.resolve() in read:
            raise NstError(f"{target} is one of the inputs: write to another file or folder.")


def _expand(text: str) -> list[Path | None]:
    if text == STANDARD_STREAM:
        return [None]
    path = Path(text)
    if is_pattern(path) and not path.exists():
        return [*matching(path)]
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if is_picture_path(p) and p.is_file())
        if not inside:
            raise NstError(f"no pictures in the folder {text}: give one that holds some.")
        return [*inside]
    # Shells expand patterns, but not on Windows, nor within quotes.
    if glob.has_magic(text) and not path.exists():
        # Not `Path.glob`, which refuses absolute patterns.
        names = glob.glob(text, recursive=True)  # noqa: PTH207
        matches = sorted(p for p in map(Path, names) if p.is_file())
        if not matches:
            raise NstError(f"nothing matches {text}: check the pattern.")
        return [*matches]
    return [path]


def _is_folder(output: str, count: int) -> bool:
    path = Path(output)
    if output == STANDARD_STREAM or path.is_file():
        return False
    ends_in_slash = output.endswith(("/", os.sep))
    known = path.suffix.lower() in FORMATS or is_target(path)
    named = known if count > 1 else bool(path.suffix)
    return path.is_dir() or ends_in_slash or not named


def _into_folder(
    folder: Path, sources: list[Path | None], suffix: str, format: str | None
) -> list[Job]:
    jobs, taken = [], set[str]()
    for source in sources:
        own = source.suffix.lower() if source else ""
        clip = source is not None and is_clip(source)
        extension = format.lower().removeprefix(".") if format else own.removeprefix(".")
        if not format and not (is_target(Path("x" + own)) if clip else own in FORMATS):
            extension = "mp4" if clip else "png"
        stem = (source.stem if source else "stdin") + suffix
        name, number = f"{stem}.{extension}", 2
        # Names that differ in case only are one file on many systems.
        while name.casefold() in taken:
            name, number = f"{stem}-{number}.{extension}", number + 1
        taken.add(name.casefold())
        jobs.append(_job(source, folder / name))
    return jobs
