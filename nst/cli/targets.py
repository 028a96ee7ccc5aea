"""Which pictures a command reads, and where each result goes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nst.errors import NstError
from nst.images import FORMATS, is_picture_path, pillow_format

STANDARD_STREAM = "-"


@dataclass(frozen=True)
class Job:
    """One picture to make.

    Attributes:
        source: The picture's file, or None for stdin.
        target: The file to write, or None for stdout.
    """

    source: Path | None
    target: Path | None


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


def prepare(
    sources: list[Path | None], output: str | None, label: str, format: str | None
) -> list[Job]:
    """Decide where each result goes, so that none overwrites another or an input.

    Args:
        sources: From `find_sources`.
        output: A file, a folder (existing, ending in a slash, or without extension; made if
            missing), "-" for stdout, or None for the current folder.
        label: The style's name, which the results' names hold if `output` is None.
        format: Extension of the results' format; by default the photo's own if it can be written,
            else PNG.

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
        if target and format is None:
            pillow_format(target.suffix)
        return _never_inputs([Job(sources[0], target)])
    _never_inputs(jobs)
    try:
        Path(output or "").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NstError(
            f"cannot make the folder {output} ({error.strerror}): choose another one."
        ) from error
    return jobs


def _never_inputs(jobs: list[Job]) -> list[Job]:
    inputs = {job.source.resolve() for job in jobs if job.source}
    for job in jobs:
        if job.target and job.target.resolve() in inputs:
            raise NstError(f"{job.target} is one of the inputs: write to another file or folder.")
    return jobs


def _expand(text: str) -> list[Path | None]:
    if text == STANDARD_STREAM:
        return [None]
    path = Path(text)
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
    named = path.suffix.lower() in FORMATS if count > 1 else bool(path.suffix)
    return path.is_dir() or ends_in_slash or not named


def _into_folder(
    folder: Path, sources: list[Path | None], suffix: str, format: str | None
) -> list[Job]:
    jobs, taken = [], set[str]()
    for source in sources:
        own = source.suffix.lower() if source else ""
        extension = format.lower().removeprefix(".") if format else own.removeprefix(".")
        extension = extension if f".{extension}" in FORMATS else "png"
        stem = (source.stem if source else "stdin") + suffix
        name, number = f"{stem}.{extension}", 2
        # Names that differ in case only are one file on many systems.
        while name.casefold() in taken:
            name, number = f"{stem}-{number}.{extension}", number + 1
        taken.add(name.casefold())
        jobs.append(Job(source, folder / name))
    return jobs
