"""A report on the disk, and what it is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nst.compare import folder as report_folder
from nst.compare.folder import Folder, added, joined, unlike
from nst.compare.pictures import named, read_square
from nst.compare.records import (
    Curve,
    Losses,
    Machine,
    ModelRecord,
    NetworkRun,
    OptimiserRun,
    Photo,
    Report,
    Skipped,
)
from nst.errors import NstError
from nst.sidecar import ModelFacts

FACTS = ModelFacts(style="dusk", network="standard", network_args={}, min_size=5)
PHOTOS = (Photo("a.jpg", "a" * 64, 300, 200), Photo("b.jpg", "b" * 64, 900, 900))
TWO = (1.0, 0.5)
CURVE = Curve(0, TWO, TWO, TWO, TWO, TWO, 0.5, None)
MACHINE = Machine("A CPU", 2, 8.0, "Linux x86_64", 2, "cpu", "cpu", {"python": "3.11"})


def network(photo: str, total: float) -> NetworkRun:
    return NetworkRun("dusk", photo, 256, 0.5, None, Losses(total, 1.0, 2.0, 0.0), None)


@pytest.fixture
def report() -> Report:
    return Report(
        machine=MACHINE,
        models=(ModelRecord("dusk", "1" * 64, 1.5, "yard", FACTS),),
        photos=PHOTOS,
        networks=(network("a.jpg", 4.0), network("b.jpg", 4.5)),
        optimisers=(
            OptimiserRun("yard", "a.jpg", 256, "noise", CURVE),
            OptimiserRun("yard", "a.jpg", 256, "content", CURVE),
        ),
        skipped=(Skipped(4096, "no room"),),
    )


def test_a_measurement_replaces_the_older_one_of_the_same(report: Report) -> None:
    again = network("b.jpg", 7.0)
    assert added(report, again).networks == (report.networks[0], again)
    run = replace(report.optimisers[0], curve=replace(CURVE, seed=1))
    assert added(report, run).optimisers == (*report.optimisers[1:], run)
    gone = Skipped(4096, "another reason")
    assert added(report, gone).skipped == (gone,)
    assert len(added(report, Skipped(2048, "no")).skipped) == 2
    assert added(report, replace(again, size=4096)).skipped == ()


def test_a_report_is_gone_on_with(report: Report) -> None:
    photo = Photo("c.jpg", "c" * 64, 9, 9)
    fresh = replace(report, photos=(PHOTOS[1], photo), networks=(), optimisers=(), skipped=())
    found = joined(report, fresh, Path("r"))
    assert found == replace(report, photos=(*PHOTOS, photo))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"machine": {"threads": 4}}, "threads 2, and this is 4"),
        ({"models": {"sha256": "2" * 64}}, "another model of the name dusk"),
        ({"photos": {"sha256": "2" * 64}}, "another photo of the name a.jpg"),
    ],
)
def test_what_does_not_belong_together_is_not_joined(
    report: Report, changes: dict[str, Any], says: str
) -> None:
    fresh = report
    for field, change in changes.items():
        old = getattr(report, field)
        new = (replace(old[0], **change),) if isinstance(old, tuple) else replace(old, **change)
        fresh = replace(fresh, **{field: new})
    with pytest.raises(NstError) as caught:
        joined(report, fresh, Path("r"))
    assert says in str(caught.value)


def test_a_report_is_never_overwritten_unasked(report: Report, tmp_path: Path) -> None:
    place = Folder(tmp_path, report, resume=False)
    place.add(report.networks[0], {"x": np.zeros((4, 4, 3), np.uint8)})
    before = place.json.read_text()
    assert (place.pictures / "x.jpg").is_file()
    with pytest.raises(NstError, match="give --resume"):
        Folder(tmp_path, report, resume=False)
    assert place.json.read_text() == before
    assert Folder(tmp_path, report, resume=True).report == place.report


def test_a_failure_leaves_the_last_report(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Folder(tmp_path, report, resume=False)
    place.finish()
    before = place.json.read_text()

    def fail(report: Report) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(report_folder, "to_json", fail)
    with pytest.raises(KeyboardInterrupt):
        place.add(network("b.jpg", 1.0), {})
    assert place.json.read_text() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.json",
        "report.html",
        "pictures",
    }


def test_files_of_one_name_are_told_apart() -> None:
    photos = [replace(PHOTOS[1], sha256=digit * 64) for digit in "123"]
    assert [photo.name for photo in unlike(photos)] == ["b.jpg", "b-2.jpg", "b-3.jpg"]


def test_pictures_have_names_of_their_own() -> None:
    photo = Photo("a.b.jpg", "0123456789", 1, 1)
    pixels = np.zeros((1, 1, 3), np.uint8)
    assert [*named(photo, 64, {"photo": pixels})] == ["a.b-012345-64-photo"]


def test_photos_are_cut_to_their_central_square(tmp_path: Path) -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    square = read_square(tmp_path / "a.png", 10)
    assert square.shape == (10, 10, 3)
    assert square.min() == 255
