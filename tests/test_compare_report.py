"""The forms of a comparison's report, from measurements that are made up."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from nst.compare.pictures import of_end, of_equal, of_network, picture_name
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
from nst.compare.report_html import to_html
from nst.compare.report_json import from_json, read_report, to_json
from nst.compare.report_text import BEGIN, END, markdown, summary, write_readme
from nst.compare.summary import rows, standings
from nst.compare.tables import tables
from nst.compare.words import headlines, remarks
from nst.errors import NstError
from nst.sidecar import ModelFacts

FACTS = ModelFacts(style="dusk", network="standard", network_args={"width": 8}, min_size=5)
PHOTOS = (Photo("a<b>.jpg", "a" * 64, 300, 200), Photo("b.jpg", "b" * 64, 900, 900))


def curve(*total: float, seconds: float = 2.0) -> Curve:
    count = len(total)
    return Curve(
        seed=0,
        total=total,
        content=(0.5,) * count,
        style=(0.25,) * count,
        tv=(0.0,) * count,
        seconds=tuple(seconds * (k + 1) for k in range(count)),
        seconds_per_iteration=seconds,
        peak_bytes=3_000_000,
    )


def network(photo: str, total: float, model: str = "dusk", **changes: Any) -> NetworkRun:
    run = NetworkRun(model, photo, 256, 0.5, None, Losses(total, 1.0, 2.0, 0.0), 1_000_000)
    return replace(run, **changes)


@pytest.fixture
def report() -> Report:
    a, b = (photo.name for photo in PHOTOS)
    return Report(
        machine=Machine("A CPU", 2, 8.0, "Linux x86_64", 2, "cpu", "cpu", {"python": "3.11"}),
        models=(ModelRecord("dusk", "1" * 64, 1.5, "yard", FACTS),),
        photos=PHOTOS,
        networks=(network(a, 4.0), network(b, 4.5)),
        optimisers=(
            OptimiserRun("yard", a, 256, "noise", curve(9, 8, 3, 2.5)),
            OptimiserRun("yard", a, 256, "content", curve(3.5, 3, 2, 2.25)),
            OptimiserRun("yard", b, 256, "noise", curve(9, math.inf, 6, 5)),
            OptimiserRun("yard", b, 256, "content", curve(6, 4, 3, 3)),
        ),
        skipped=(Skipped(4096, "it needs 70 GB and 1 GB is free"),),
    )


def test_a_row_for_each_photo_size_and_start(report: Report) -> None:
    first, second, third, fourth = rows(report)
    assert (first.photo, first.start, second.start) == ("a<b>.jpg", "noise", "content")
    assert (first.equivalent_iterations, second.equivalent_iterations) == (2, 0)
    assert (third.equivalent_iterations, fourth.equivalent_iterations) == (None, 1)
    assert [row.worse_than_start for row in rows(report)] == [False, True, False, False]
    assert first.ratio_to_optimum == second.ratio_to_optimum == 2
    assert first.lowest_total == 2.5
    assert first.extrapolated == (100, 300, 500)
    assert first.seconds_at[500] == 8 + 497 * 2
    assert first.speedup_vs_500 == 2 * (8 + 497 * 2)


def test_seconds_that_were_run_are_not_extrapolated(report: Report) -> None:
    run = replace(report.optimisers[0], curve=curve(*range(301, 0, -1)))
    (row,) = rows(replace(report, optimisers=(run,)))
    assert row.extrapolated == (500,)
    assert row.seconds_at[300] == 602


def test_the_headline_says_never_reached_and_worse_than_the_start(report: Report) -> None:
    (text,) = headlines(report)
    assert "equals 2 (2 to >3) optimiser iterations from noise" in text
    assert "0.5 (0 to 1) from the content picture" in text
    assert "its loss is 1.75 (1.5 to 2) times the optimum" in text
    assert "On 1 of 2 it is worse than the start from the content picture." in text
    assert "than 500 iterations (extrapolated; over 2 photos)" in text


def test_remarks_say_what_cannot_be_shown(report: Report) -> None:
    text = " ".join(remarks(report))
    assert "had 3 iterations: seconds at 100, 300, 500 are extrapolated" in text
    assert "Photos: 2 at 256 px; that is too few for a spread." in text
    assert "At 256 px some photos are enlarged" in text
    assert "4096 px is left out: it needs 70 GB and 1 GB is free." in text
    assert "The network ran on" not in text
    elsewhere = replace(report, machine=replace(report.machine, optimiser_device="A GPU"))
    assert "The network ran on cpu and the optimiser on A GPU" in " ".join(remarks(elsewhere))
    long = replace(report, optimisers=(replace(report.optimisers[0], curve=curve(*[1.0] * 501)),))
    assert "extrapolated" not in " ".join(remarks(long))


def test_json_holds_everything_and_is_read_back(report: Report) -> None:
    text = to_json(report)
    assert from_json(text, "report.json") == report
    record = json.loads(text)
    assert (record["schema"], record["schema_version"]) == ("nst compare", 1)
    found = record["summary"]
    assert found["ratio_to_optimum"]["dusk"]["256"]["median"] == 1.75
    assert found["equivalent_iterations_noise"]["dusk"]["256"] == {
        "median": 2,
        "low": 2,
        "high": None,
        "count": 2,
        "never": 1,
        "iterations": 3,
        "worse_than_start": 0,
    }
    assert found["equivalent_iterations_content"]["dusk"]["256"]["worse_than_start"] == 1
    assert found["network_seconds"]["dusk"]["256"]["median"] == 0.5
    assert found["optimiser_seconds_per_iteration"]["dusk"]["256"]["median"] == 2
    assert found["speedup_vs_500"]["dusk"]["256"]["median"] == 2004
    assert found["peak_bytes"]["dusk"]["256"] == {"network": 1_000_000, "optimiser": 3_000_000}
    assert record["optimisers"][2]["curve"]["total"] == [9, None, 6, 5]
    assert '"total": [ 9, null, 6, 5 ]' in text
    assert len(record["rows"]) == 4


def test_the_schema_is_documented(report: Report) -> None:
    document = (Path(__file__).parent.parent / "docs" / "compare.md").read_text()
    record = json.loads(to_json(report))
    keys = {*record, *record["summary"], *record["rows"][0], *record["machine"]}
    for kind in ("models", "photos", "networks", "optimisers", "skipped"):
        keys |= {*record[kind][0]}
    keys |= {*record["optimisers"][0]["curve"], *record["networks"][0]["losses"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in document] == []


def test_an_unknown_key_of_a_newer_nst_is_passed_over(report: Report) -> None:
    record = json.loads(to_json(report))
    record["photos"][0]["camera"] = "new"
    assert from_json(json.dumps(record), "x") == report


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no JSON", "x is no report of nst compare"),
        ("[]", "x is no report of nst compare"),
        ('{"schema": "other", "schema_version": 1}', "x is no report of nst compare"),
        ('{"schema": "nst compare", "schema_version": 2}', "this nst reads up to 1: upgrade"),
        ('{"schema": "nst compare", "schema_version": 1}', "x is damaged"),
    ],
)
def test_what_is_no_report(text: str, says: str) -> None:
    with pytest.raises(NstError) as caught:
        from_json(text, "x")
    assert says in str(caught.value)


def test_a_report_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NstError, match="No such file"):
        read_report(tmp_path / "report.json")


class Page(HTMLParser):
    """Checks that elements are closed in order, and gathers what a page refers to."""

    VOID = frozenset({"meta", "img", "polyline", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.sources += [value or "" for key, value in attributes if key in ("src", "href")]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in self.VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_self_contained(report: Report, tmp_path: Path) -> None:
    photo = PHOTOS[0]
    whats = ["photo", of_network("dusk"), of_equal("noise", "dusk"), of_end("content", "yard")]
    for what in whats:
        pixels = np.zeros((600, 600, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{picture_name(photo, 256, what)}.jpg")
    text = to_html(report, tmp_path)
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert len(page.sources) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert not re.search(r"https?://|@import|url\(|<script|<link", text)
    assert 'name="viewport"' in text
    assert "@media print" in text
    assert "a<b>.jpg" in page.text  # and so escaped
    for said in [*headlines(report), *remarks(report), "Johnson et al., Titan X", "1060×"]:
        assert said in page.text
    assert "optimiser from noise at the loss of dusk: iteration 2" in page.text
    assert text.count("<svg") == 2
    assert str(tmp_path) not in text


def test_the_tables_have_johnsons_numbers_beside_ours(report: Report) -> None:
    times, losses = tables(report)
    assert [line[0] for line in times.lines] == ["Johnson et al., Titan X", "dusk"]
    assert times.lines[0][1:] == ["256", "3.17", "9.52", "15.9", "0.015", "1060×"]
    assert times.lines[1][1:] == ["256", "202*", "602*", "1002*", "0.5", "2004×"]
    assert losses.lines[1][1:6] == ["256", "2", "2 (2 to >3)", "0.5 (0 to 1)", "1.75 (1.5 to 2)"]
    assert losses.lines[1][6:] == ["1 MB", "3 MB"]
    for table in (times, losses):
        assert {len(line) for line in table.lines} == {len(table.heads)}


def test_torch_and_several_models_come_into_one_table(report: Report) -> None:
    half = replace(report.models[0], name="half")
    other = network("b.jpg", 4.75, model="half", torch_seconds=0.25)
    times, losses = tables(
        replace(report, models=(*report.models, half), networks=(*report.networks, other))
    )
    assert [line[0] for line in times.lines] == ["Johnson et al., Titan X", "dusk", "half"]
    assert times.heads[-1] == "network in torch"
    assert [line[-1] for line in times.lines] == ["–", "–", "0.25"]
    assert losses.lines[2][3] == ">3"


def test_models_of_different_losses_have_curves_of_their_own(report: Report) -> None:
    other = replace(report.models[0], name="other", yardstick="inch")
    run = network("b.jpg", 1.0, model="other")
    apart = replace(report, models=(*report.models, other), networks=(*report.networks, run))
    assert [row.model for row in rows(apart)] == ["dusk"] * 4
    inch = replace(report.optimisers[3], yardstick="inch", curve=curve(2, 1, 0.5))
    apart = replace(apart, optimisers=(*report.optimisers, inch))
    assert [s.model for s in standings(apart)] == ["dusk", "other"]
    assert standings(apart)[1].ratio_to_optimum.median == 2
    assert "optimiser from the content picture (other)" in to_html(apart, Path("none"))


def test_the_terminal_summary(report: Report) -> None:
    console = Console(width=1000, record=True, file=io.StringIO())
    console.print(summary(report))
    text = console.export_text()
    for said in [*headlines(report), *remarks(report), "1.75 (1.5 to 2)"]:
        assert said in text


def test_the_readme_is_written_between_the_markers_only(report: Report, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes(f"# é\r\n{BEGIN}\nold\n{END}\nafter\n".encode())
    for _ in range(2):
        write_readme(readme, report)
        text = readme.read_bytes().decode()
        assert text == f"# é\r\n{BEGIN}\n\n{markdown(report)}\n{END}\nafter\n"
    assert "| dusk | 256 | 202\\* |" in text
    assert "A CPU, 2 cores, 8 GB" in text


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_readme_without_markers_stays_as_it_is(report: Report, tmp_path: Path, text: str) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(NstError, match="needs the lines"):
        write_readme(readme, report)
    assert readme.read_text() == text
