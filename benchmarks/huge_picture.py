"""How long does `nst stylise` take for a huge picture, and how much memory?

    python benchmarks/huge_picture.py PHOTO ... -o results.json

The photos are laid side by side until they fill the picture, which is written as JPEG, read,
stylised in tiles and written again by the command itself, in a process of its own. The peak is
that of its resident memory, as the kernel counts it. On a part that fits, the tiles are compared
with the same part in one piece.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.files import atomic_write
from nst.images import load
from nst.styliser import Styliser
from nst.tiles import STATISTICS
from nst.tiles.run import Tiler


def mosaic(photos: list[Path], width: int, height: int) -> NDArray[np.uint8]:
    """The photos in rows, each row as high as its first one, until the picture is full."""
    picture = np.zeros((height, width, 3), np.uint8)
    source = cycle([load(path).rgb for path in photos])
    top = 0
    while top < height:
        left, row = 0, 0
        while left < width:
            photo = next(source)[: height - top, : width - left]
            row = row or len(photo)
            photo = photo[:row]
            picture[top : top + len(photo), left : left + photo.shape[1]] = photo
            left += photo.shape[1]
        top += row
    return picture


def away(picture: NDArray[np.uint8], style: str, pixels: int) -> dict[str, dict[str, float]]:
    """How far tiles of so many pixels are from the picture in one piece, in units of 1/255."""
    styliser = Styliser(style, provider="cpu")
    whole = styliser(picture).astype(int)
    found = {}
    for statistics in STATISTICS:
        tiler = Tiler(styliser.path, pixels=pixels, provider="cpu", threads=0)
        result = tiler.stylise(
            picture,
            lambda photo, output: (output.clip(0, 1) * 255 + 0.5).astype(np.uint8),
            statistics=statistics,
        )
        difference = np.abs(result.astype(int) - whole)
        found[statistics] = {
            "largest": int(difference.max()),
            "mean": float(difference.mean()),
            "side": tiler.side,
        }
    return found


# A process begins with the peak of the one it was forked from: a small one stands between.
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def peak_of(command: list[str]) -> int:
    """Runs a command; the peak of its resident memory in bytes."""
    command = [sys.executable, "-c", _PEAK, *command]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--style", default="starry-night-live")
    parser.add_argument("--width", type=int, default=12000)
    parser.add_argument("--height", type=int, default=8000)
    parser.add_argument("--memory", default="1.8G")
    parser.add_argument("--statistics", nargs="*", choices=STATISTICS, default=["quick"])
    arguments = parser.parse_args()
    picture = mosaic(arguments.photos, arguments.width, arguments.height)
    found: dict[str, object] = {
        "style": arguments.style,
        "width": arguments.width,
        "height": arguments.height,
        "memory": arguments.memory,
        "tiles_against_one_piece": away(picture[:1200, :1800], arguments.style, 500_000),
    }
    print(found)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "huge.jpg"
        Image.fromarray(picture).save(source, quality=90)
        del picture
        for statistics in arguments.statistics:
            command = [sys.executable, "-m", "nst", "stylise", str(source)]
            command += ["-o", str(Path(folder) / "out.jpg"), "--style", arguments.style]
            command += ["--memory", arguments.memory, "--statistics", statistics]
            began = time.perf_counter()
            peak = peak_of(command)
            seconds = time.perf_counter() - began
            found[statistics] = {"seconds": round(seconds, 1), "peak_gb": round(peak / 1e9, 3)}
            print(statistics, found[statistics])
    with atomic_write(arguments.output) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
