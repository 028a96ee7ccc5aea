"""Does it pay to read and write a video beside the network? The same clip each way, in turns.

    python benchmarks/video_overlap.py MODEL.onnx CLIP.mp4 [ROUNDS]

The clip should have more than a hundred frames: H.264's encoder looks forty ahead, and does those
at the end. `elsewhere` stands for a network on another device: 20 ms a frame, and no core taken.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from nst.styliser import Styliser
from nst.video import Filter, convert


@contextlib.contextmanager
def in_place(work: Any, count: int) -> Iterator[Any]:
    """What `ahead` and `behind` are without a thread."""
    yield work


def elsewhere(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    time.sleep(0.02)
    return 255 - rgb


def milliseconds(change: Filter, clip: Path, beside: bool) -> float:
    """Of a frame."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as patches:
        if not beside:
            patch = mock.patch.multiple("nst.video.convert", ahead=in_place, behind=in_place)
            patches.enter_context(patch)
        start = time.perf_counter()
        made = convert(clip, Path(folder) / "out.mp4", change)
        return 1000 * (time.perf_counter() - start) / made.frames


def main(model: str, clip: str, rounds: str = "5") -> None:
    networks: dict[str, Filter] = {
        "spinning": Styliser(model),
        "not spinning": Styliser(model, spin=False),
        "elsewhere": elsewhere,
    }
    taken = defaultdict(list)
    for _ in range(int(rounds)):
        for name, network in networks.items():
            for beside in (False, True):
                taken[name, beside].append(milliseconds(network, Path(clip), beside))
    for (name, beside), times in taken.items():
        way = "beside" if beside else "in turn"
        print(f"{name}, {way}: {statistics.median(times):.1f} ms a frame, best {min(times):.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
