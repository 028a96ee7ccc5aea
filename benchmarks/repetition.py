"""How much single marks repeat in what models make: hatching, lattices, stamps.

    python benchmarks/repetition.py PHOTOS --models nst/styles/*.onnx --style-images PICTURES

Of each model the penalty of `train.spectrum`, mean over the photos, and the most power at one
frequency of marks over what photo and style have there together, median over the photos.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from rich.progress import track

from nst.cli.targets import find_sources
from nst.compare.models import read_contenders
from nst.compare.pictures import read_square
from nst.images import load
from nst.styliser import Styliser
from nst.tensors import resize_short_side, to_tensor
from train.spectrum import excess_power, most_excess, power_spectrum

SIZE = 256


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--models", nargs="+", required=True, type=Path)
    parser.add_argument("--style-images", nargs="*", default=[])
    given = parser.parse_args()
    photos = [read_square(path, SIZE) for path in find_sources(given.photos) if path is not None]
    rows = []
    for contender in track(read_contenders(given.models, given.style_images), "measuring"):
        yardstick, styliser = contender.yardstick, Styliser(contender.path)
        painting = resize_short_side(load(yardstick.style).rgb, yardstick.style_size)
        style = power_spectrum(to_tensor(painting))
        cases = [(to_tensor(styliser(photo)), to_tensor(photo), style) for photo in photos]
        penalty = statistics.mean(excess_power(*case).item() for case in cases)
        most = statistics.median(most_excess(*case).item() for case in cases)
        rows.append(f"| `{contender.record.name}` | {penalty:.3f} | {most:.1f} |")
    print("| model | penalty | most at one frequency |\n|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
