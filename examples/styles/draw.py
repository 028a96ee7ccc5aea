"""Style pictures of our own making, drawn rather than painted.

    python examples/styles/draw.py                       # all, to nst/styles/
    python examples/styles/draw.py mosaic -o FOLDER --side 512

What a network learns of a style is colours, textures and strokes, and how often each occurs: these
pictures are full of them, all over. Each is the same at every run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import glass
import ink
import mosaic
import paper
from PIL import Image

STYLES: dict[str, Callable[[int], Image.Image]] = {
    "ink": ink.draw,
    "mosaic": mosaic.draw,
    "paper-cut": paper.draw,
    "stained-glass": glass.draw,
}
SIDE, QUALITY = 576, 82


def main() -> None:
    """Draw the styles that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *STYLES], default=[])
    parser.add_argument("-o", "--output", type=Path, default=Path("nst/styles"))
    parser.add_argument("--side", type=int, default=SIDE)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or STYLES:
        path = arguments.output / f"{name}.jpg"
        STYLES[name](arguments.side).save(path, quality=QUALITY)
        print(path)


if __name__ == "__main__":
    main()
