"""The folder of a report: what is measured is on the disk at once, and can be gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from nst.compare.pictures import Pixels
from nst.compare.records import NetworkRun, OptimiserRun, Photo, Report, Skipped
from nst.compare.report_html import to_html
from nst.compare.report_json import read_report, to_json
from nst.errors import NstError
from nst.files import atomic_write
from nst.images import save

_Record = TypeVar("_Record", bound=NetworkRun | OptimiserRun)


class Folder:
    """A report on the disk.

    Attributes:
        report: What is known so far.
    """

    def __init__(self, path: Path, fresh: Report, *, resume: bool) -> None:
        """Make the folder, or go on with the report that is in it.

        Args:
            path: The folder.
            fresh: The report of what is to be measured, still without measurements.
            resume: Go on with the report that is there, if there is one.

        Raises:
            NstError: The folder cannot be made; a report is there and `resume` is not given, or
                it cannot be gone on with.
        """
        self._path = path
        self.report = fresh
        if self.json.exists():
            if not resume:
                raise NstError(
                    f"{self.json} is there already: give --resume to go on with it, or another "
                    "folder with -o."
                )
            self.report = joined(read_report(self.json), fresh, self.json)
        try:
            self.pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NstError(
                f"cannot make the folder {path} ({error.strerror}): choose another one with -o."
            ) from error

    @property
    def json(self) -> Path:
        """The file of the measurements."""
        return self._path / "report.json"

    @property
    def html(self) -> Path:
        """The page."""
        return self._path / "report.html"

    @property
    def pictures(self) -> Path:
        """The folder of the pictures."""
        return self._path / "pictures"

    def add(self, record: NetworkRun | OptimiserRun | Skipped, pictures: dict[str, Pixels]) -> None:
        """Take a measurement and write it down.

        Raises:
            NstError: A file cannot be written.
        """
        # Before the report: what is in the report is not measured again.
        for name, rgb in pictures.items():
            save(rgb, self.pictures / f"{name}.jpg")
        self.report = added(self.report, record)
        self._write(self.json, to_json(self.report))

    def finish(self) -> None:
        """Write the page.

        Raises:
            NstError: A file cannot be written, or a picture not be read.
        """
        self._write(self.json, to_json(self.report))
        self._write(self.html, to_html(self.report, self.pictures))

    def _write(self, path: Path, text: str) -> None:
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def added(report: Report, record: NetworkRun | OptimiserRun | Skipped) -> Report:
    """A report with a measurement more, which replaces an older one of the same.

    Of a size, either what was measured last counts or that it was left out.
    """
    left_out = tuple(item for item in report.skipped if item.size != record.size)
    if isinstance(record, Skipped):
        return replace(report, skipped=(*left_out, record))
    report = replace(report, skipped=left_out)
    if isinstance(record, NetworkRun):
        return replace(report, networks=_with(report.networks, record))
    return replace(report, optimisers=_with(report.optimisers, record))


def joined(known: Report, fresh: Report, source: Path) -> Report:
    """A report that is gone on with.

    Args:
        known: What was measured before.
        fresh: What is to be measured now.
        source: File of the former, for error messages.

    Raises:
        NstError: Measured on another machine or with other settings, or with another model or
            photo of the same name.
    """
    before, now = vars(known.machine), vars(fresh.machine)
    for fact, value in now.items():
        if before[fact] != value:
            raise NstError(
                f"{source} was measured with {fact} {before[fact]}, and this is {value}: times "
                "would not compare. Choose another folder with -o."
            )
    for what, old, new in (
        ("model", known.models, fresh.models),
        ("photo", known.photos, fresh.photos),
    ):
        hashes = {item.name: item.sha256 for item in old}
        for item in new:
            if hashes.get(item.name, item.sha256) != item.sha256:
                raise NstError(
                    f"{source} has another {what} of the name {item.name}: rename it, or choose "
                    "another folder with -o."
                )
    return replace(
        known,
        models=(*known.models, *(m for m in fresh.models if m not in known.models)),
        photos=(*known.photos, *(p for p in fresh.photos if p not in known.photos)),
    )


def unlike(photos: Sequence[Photo]) -> list[Photo]:
    """Photos under names of their own, where files of several folders share one."""
    found: list[Photo] = []
    for photo in photos:
        path, number = Path(photo.name), 2
        while photo.name in {other.name for other in found}:
            photo = replace(photo, name=f"{path.stem}-{number}{path.suffix}")
            number += 1
        found.append(photo)
    return found


def _with(records: tuple[_Record, ...], new: _Record) -> tuple[_Record, ...]:
    others = tuple(record for record in records if _key(record) != _key(new))
    return (*others, new)


def _key(record: NetworkRun | OptimiserRun) -> tuple[str | int, ...]:
    if isinstance(record, NetworkRun):
        return (record.model, record.photo, record.size)
    return (record.yardstick, record.photo, record.size, record.start)
