"""The README names only what is there."""

import re
from pathlib import Path

import pytest

from nst.cli import COMMANDS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_no_placeholder_is_left() -> None:
    assert not re.search(r"@[A-Z_]+@|TODO", TEXT)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_links_lead_somewhere(link: str) -> None:
    if not link.startswith("http"):
        assert (ROOT / link).exists()


def test_commands_exist() -> None:
    for command in re.findall(r"^nst ([a-z]+)", TEXT, re.MULTILINE):
        assert command in COMMANDS
    for path in re.findall(r"configs/[a-z]+/[a-z0-9-]+\.yaml", TEXT):
        assert (ROOT / path).is_file()
