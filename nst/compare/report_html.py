"""`report.html`: one file that needs nothing else, for a phone, a screen or paper."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from nst.compare.pictures import of_end, of_equal, of_network, picture_name
from nst.compare.records import ModelRecord, OptimiserRun, Photo, Report
from nst.compare.summary import Row, rows
from nst.compare.svg import loss_chart
from nst.compare.tables import PAPER, Table, tables
from nst.compare.words import FROM, headlines, machine_line, number, remarks
from nst.images import load, on_white

_SIDE, _QUALITY = 384, 82  # of the pictures in the page; the folder has the whole ones
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;color:#222;
background:#fff}
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-top:1px solid #ccc;padding-top:1rem}
.lead{font-size:1.15rem;font-weight:600}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.85rem;margin:1rem 0 .4rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:right}
th{vertical-align:bottom}td{white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.published{color:#666;font-style:italic}
svg{width:100%;max-width:44rem;height:auto;display:block}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.6rem}
figure{margin:0}img{width:100%;height:auto;display:block}
figcaption,.small{font-size:.8rem;color:#444}
@media print{body{max-width:none;padding:0;font-size:10pt}.scroll{overflow:visible}
table{font-size:8pt}section,figure,svg{break-inside:avoid}
.pictures{grid-template-columns:repeat(5,1fr)}}
"""


def to_html(report: Report, pictures: Path) -> str:
    """The page.

    Args:
        report: What was measured.
        pictures: Folder of the pictures; one that is not there is left out.
    """
    title = "Fast network against slow optimiser"
    lead = "".join(f'<p class="lead">{escape(text)}</p>' for text in headlines(report))
    shown = "".join(_table(table) for table in tables(report))
    notes = "".join(f"<li>{escape(text)}</li>" for text in remarks(report))
    sections = "".join(_sections(report, pictures))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{title}</h1>\n{lead}\n{shown}"
        f'<p class="small">Measured on {escape(machine_line(report.machine))}.</p>\n'
        f"<ul>{notes}</ul>\n{_models(report.models)}\n{sections}\n</body></html>\n"
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    body = ""
    for cells in table.lines:
        kind = ' class="published"' if cells[0] == PAPER else ""
        body += f"<tr{kind}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
    return (
        f'<figure><div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        f"<figcaption>{escape(table.title)}</figcaption></figure>\n"
    )


def _models(models: Sequence[ModelRecord]) -> str:
    items = "".join(
        f"<li>{escape(m.name)}: style {escape(m.facts.style)}, {escape(m.facts.network)} network "
        f"{escape(str(m.facts.network_args))}, {escape(m.facts.precision)}, {m.megabytes:.2f} MB, "
        f"trained for {m.facts.steps} steps; SHA-256 {m.sha256[:12]}</li>"
        for m in models
    )
    return f'<ul class="small">{items}</ul>'


def _sections(report: Report, pictures: Path) -> list[str]:
    """A part for each size and photo: chart and pictures."""
    everything = rows(report)
    parts: list[str] = []
    for size in sorted({row.size for row in everything}):
        parts.append(f"<h2>{size} × {size} pixels</h2>\n")
        for photo in report.photos:
            here = [r for r in everything if (r.size, r.photo) == (size, photo.name)]
            if here:
                parts.append(_section(report, photo, size, here, pictures))
    return parts


def _section(report: Report, photo: Photo, size: int, here: Sequence[Row], folder: Path) -> str:
    curves = [r for r in report.optimisers if (r.photo, r.size) == (photo.name, size)]
    several = len({run.yardstick for run in curves}) > 1
    chart = loss_chart(
        {_curve_name(report, run, several): run.curve.total for run in curves},
        {row.model: row.network_total for row in here},
    )
    figures = "".join(_figures(photo, size, here, folder))
    return (
        f"<section><h3>{escape(photo.name)}</h3>\n{chart}\n"
        f'<div class="pictures">{figures}</div></section>\n'
    )


def _curve_name(report: Report, run: OptimiserRun, several: bool) -> str:
    """What to call a curve; by the models that it is for, where there are several losses."""
    models = [m.name for m in report.models if m.yardstick == run.yardstick]
    name = f"optimiser {FROM[run.start]}"
    return f"{name} ({', '.join(models)})" if several else name


def _figures(photo: Photo, size: int, here: Sequence[Row], folder: Path) -> list[str]:
    """The pictures of a photo, in the order in which they are to be compared."""
    wanted = {"photo": "photo"}
    for row in here:
        wanted[of_network(row.model)] = f"{row.model}: loss {number(row.network_total)}"
    for row in here:
        if row.equivalent_iterations is not None:
            wanted[of_equal(row.start, row.model)] = (
                f"optimiser {FROM[row.start]} at the loss of {row.model}: iteration "
                f"{row.equivalent_iterations}"
            )
    for row in here:
        wanted[of_end(row.start, row.yardstick)] = (
            f"optimiser {FROM[row.start]}, best of {row.iterations} iterations: "
            f"loss {number(row.lowest_total)}"
        )
    return [
        f'<figure><img src="{_data_uri(path)}" alt="{escape(text, quote=True)}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for what, text in wanted.items()
        if (path := folder / f"{picture_name(photo, size, what)}.jpg").is_file()
    ]


def _data_uri(path: Path) -> str:
    image = on_white(load(path).to_image())
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
