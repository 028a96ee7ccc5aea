"""`nst recipes`: the presets that `nst optimise` takes."""

from __future__ import annotations

import dataclasses
import json as json_text

from nst.recipes import recipes as find_recipes


def recipes(*, json: bool = False) -> None:
    """List the presets of `nst optimise --preset`.

    Args:
        json: Print a list of objects with the settings of each preset, for programs.
    """
    found = list(find_recipes().values())
    if json:
        records = [dataclasses.asdict(recipe) | {"path": str(recipe.path)} for recipe in found]
        print(json_text.dumps(records, indent=1, ensure_ascii=False))
        return
    width = max(len(recipe.name) for recipe in found)
    for recipe in found:
        print(f"{recipe.name:<{width}}  {recipe.summary}")
