"""The report on the terminal, and as the table of a README."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from nst.compare.records import NOISE, Report
from nst.compare.summary import COUNTS, Standing, standings
from nst.compare.words import (
    FROM,
    JOHNSON,
    JOHNSON_EQUIVALENT,
    equivalent,
    headlines,
    interval,
    machine_line,
    megabytes,
    number,
    remarks,
)
from nst.errors import NstError
from nst.files import atomic_write

BEGIN, END = "<!-- nst compare: begin -->", "<!-- nst compare: end -->"


def columns(report: Report) -> list[str]:
    """Headings of the table, for `lines`."""
    heads = ["model", "px", "photos", *(f"{n} it." for n in COUNTS), "network", "speed-up"]
    starts = [start for start in FROM if any(r.start == start for r in report.optimisers)]
    heads += [f"equals iterations {FROM[start]}" for start in starts]
    heads += ["times the optimum", "memory, network", "memory, optimiser"]
    return [*heads, "network in torch"] if _in_torch(report) else heads


def lines(report: Report) -> list[list[str]]:
    """The table: Johnson's numbers, then this machine's, for each size. Times are in seconds."""
    found: list[list[str]] = []
    before = None
    for standing in standings(report):
        if standing.size != before and standing.size in JOHNSON:
            found.append(_published(report, standing.size))
        before = standing.size
        found.append(_line(report, standing))
    return found


def _line(report: Report, found: Standing) -> list[str]:
    marks = {n: "*" if n in found.extrapolated else "" for n in COUNTS}
    starts = [start for start in FROM if any(r.start == start for r in report.optimisers)]
    cells = [found.model, str(found.size), str(found.photos)]
    cells += [number(found.seconds_at[n]) + marks[n] for n in COUNTS]
    cells += [number(found.network_seconds.median), f"{number(found.speedup_vs_500.median)}×"]
    for start in starts:
        known = found.equivalent.get(start)
        cells.append(equivalent(known) if known else "–")
    cells.append(interval(found.ratio_to_optimum))
    cells += [megabytes(found.network_bytes), megabytes(found.optimiser_bytes)]
    if _in_torch(report):
        cells.append(number(found.torch_seconds.median if found.torch_seconds else None))
    return cells


def _published(report: Report, size: int) -> list[str]:
    line = JOHNSON[size]
    times = [number(line.seconds_at[n]) for n in COUNTS]
    cells = ["Johnson et al., Titan X", str(size), "–", *times, number(line.network_seconds)]
    starts = [start for start in FROM if any(r.start == start for r in report.optimisers)]
    cells += [f"{line.speedup_vs_500}×", *("50 to 100" if s == NOISE else "–" for s in starts)]
    return cells + ["–"] * (len(columns(report)) - len(cells))


def _in_torch(report: Report) -> bool:
    return any(run.torch_seconds is not None for run in report.networks)


def summary(report: Report) -> Group:
    """The summary for a terminal: headlines, table, remarks."""
    table = Table(*columns(report), caption=_caption(report))
    for cells in lines(report):
        table.add_row(*map(escape, cells))
    said = [f"[bold]{escape(text)}[/bold]" for text in headlines(report)]
    return Group(*said, table, *(escape(f"• {text}") for text in remarks(report)))


def print_summary(report: Report) -> None:
    """Print the summary on stdout."""
    Console(highlight=False).print(summary(report))


def _caption(report: Report) -> str:
    text = "seconds; median over the photos and starts"
    if any(standing.extrapolated for standing in standings(report)):
        text += "; * extrapolated"
    return text


def markdown(report: Report) -> str:
    """The results as Markdown: headlines, table, machine, remarks."""

    def row(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    heads = columns(report)
    table = [row(heads), "|" + "---|" * len(heads), *(row(cells) for cells in lines(report))]
    said = "\n".join(f"- {text}" for text in headlines(report))
    notes = " ".join([f"In {_caption(report)}. {JOHNSON_EQUIVALENT}", *remarks(report)])
    table_text = "\n".join(table)
    return f"{said}\n\n{table_text}\n\nMeasured on {machine_line(report.machine)}. {notes}\n"


def write_readme(readme: Path, report: Report) -> None:
    """Put the results between the two markers of a Markdown file.

    Raises:
        NstError: It cannot be read or written, or does not hold each marker once, in order.
    """
    try:
        # Not `read_text`, which would turn another system's line ends.
        text = readme.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NstError(f"cannot read {readme}: give a Markdown file.") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise NstError(f"{readme} needs the lines {BEGIN!r} and {END!r} once each, in this order.")
    with atomic_write(readme) as temporary:
        temporary.write_bytes(f"{before}{BEGIN}\n\n{markdown(report)}\n{END}{after}".encode())
