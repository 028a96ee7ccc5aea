"""The presets of `nst optimise`: published recipes as YAML files, one file each.

They stand in `configs/optimise/`; an installed nst carries them in a folder of its own. This module
knows nothing of what the settings mean, and needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nst.errors import NstError, unknown

_PACKAGE = Path(__file__).parent
_INSTALLED = _PACKAGE / "_recipes"
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "configs" / "optimise"


@dataclass(frozen=True)
class Recipe:
    """One preset.

    Attributes:
        name: What `--preset` takes, the file's name without `.yaml`.
        summary: What it is, the file's first line.
        path: The file, whose opening comment says source, command and departures.
        settings: Options of `nst optimise` by their names with underscores, and their values.
    """

    name: str
    summary: str
    path: Path
    settings: dict[str, Any]


def recipes() -> dict[str, Recipe]:
    """All presets by name, in alphabetical order.

    Raises:
        NstError: There is none, or a file cannot be read or holds no settings.
    """
    return {name: _read(path) for name, path in _files().items()}


def read_recipe(name: str) -> Recipe:
    """The preset of a name.

    Raises:
        NstError: No such preset, in which case it says what is near, or its file is broken.
    """
    files = _files()
    if name not in files:
        raise unknown("preset", name, files)
    return _read(files[name])


def _files() -> dict[str, Path]:
    files = {path.stem: path for path in FOLDER.glob("*.yaml")}
    if not files:
        raise NstError(f"no presets in {FOLDER}: install nst again.")
    return dict(sorted(files.items()))


def _read(path: Path) -> Recipe:
    try:
        text = path.read_text(encoding="utf-8")
        settings = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NstError(f"cannot read the preset {path} ({error}): install nst again.") from error
    if not isinstance(settings, dict):
        raise NstError(f"the preset {path} holds no settings: give options and values.")
    summary = text.partition("\n")[0].removeprefix("#").strip()
    return Recipe(path.stem, summary, path, settings)
