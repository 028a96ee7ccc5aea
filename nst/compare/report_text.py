"""The report on the terminal, and as the results in a README."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table as RichTable

from nst.compare.records import Report
from nst.compare.tables import Table, tables
from nst.compare.words import headlines, machine_line, remarks
from nst.errors import NstError
from nst.files import atomic_write

BEGIN, END = "<!-- nst compare: begin -->", "<!-- nst compare: end -->"


def summary(report: Report) -> Group:
    """The summary for a terminal: headlines, tables, remarks."""
    said = [f"[bold]{escape(text)}[/bold]" for text in headlines(report)]
    notes = [escape(f"• {text}") for text in remarks(report)]
    return Group(*said, *(_for_terminal(table) for table in tables(report)), *notes)


def print_summary(report: Report) -> None:
    """Print the summary on stdout."""
    Console(highlight=False).print(summary(report))


def markdown(report: Report) -> str:
    """The results as Markdown: headlines, tables, machine, remarks."""
    said = "\n".join(f"- {text}" for text in headlines(report))
    shown = "\n\n".join(_for_markdown(table) for table in tables(report))
    machine = f"Measured on {machine_line(report.machine)}."
    return f"{said}\n\n{shown}\n\n{machine} {' '.join(remarks(report))}\n"


def write_readme(readme: Path, report: Report) -> None:
    """Put the results between the two markers of a Markdown file.

    Raises:
        NstError: It cannot be read or written, or does not hold each marker once, in order.
    """
    try:
        # Not `read_text`, which would change the line ends of another system.
        text = readme.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise NstError(f"cannot read {readme}: give a Markdown file.") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise NstError(f"{readme} needs the lines {BEGIN!r} and {END!r} once each, in this order.")
    with atomic_write(readme) as temporary:
        temporary.write_bytes(f"{before}{BEGIN}\n\n{markdown(report)}\n{END}{after}".encode())


def _for_terminal(table: Table) -> RichTable:
    shown = RichTable(*table.heads, caption=table.title)
    for cells in table.lines:
        shown.add_row(*map(escape, cells))
    return shown


def _for_markdown(table: Table) -> str:
    def row(cells: list[str]) -> str:
        # An asterisk may begin emphasis.
        return "| " + " | ".join(c.replace("|", r"\|").replace("*", r"\*") for c in cells) + " |"

    lines = [row(table.heads), "|" + "---|" * len(table.heads), *map(row, table.lines)]
    title = table.title[0].upper() + table.title[1:].replace("*", r"\*")
    return "\n".join([f"{title}:", "", *lines])
