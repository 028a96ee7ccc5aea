"""The photos that flicker is measured on unless others are given.

They stand in `examples/photos/`, where SOURCES.md names their authors; an installed nst carries
them in a folder of its own. All are free of conditions (CC0 or public domain), none was trained on.
"""

from __future__ import annotations

from pathlib import Path

from nst.errors import NstError

# A building in a wood, animals, people, wet sand under a sky, things on a table.
NAMES = ("neuschwanstein", "jaguars", "mariachi", "mont-saint-michel", "coffee-cup")

_PACKAGE = Path(__file__).parent.parent
_INSTALLED = _PACKAGE / "_photos"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "examples" / "photos"


def default_photos() -> list[Path]:
    """Their files.

    Raises:
        NstError: They are not there.
    """
    paths = [FOLDER / f"{name}.jpg" for name in NAMES]
    if not all(path.is_file() for path in paths):
        raise NstError(f"the photos in {FOLDER} are gone: install nst again, or give photos.")
    return paths
