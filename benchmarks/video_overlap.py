"""Does it pay to read and write a video beside the network? One clip both ways, in turns.

python benchmarks/video_overlap.py MODEL.onnx CLIP.mp4 [ROUNDS]
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from nst.styliser import Styliser
from nst.video import convert


@contextlib.contextmanager
def in_place(work: Callable[..., None] | Iterator[object], count: int) -> Iterator[object]:
    """What `ahead` and `behind` are without a thread."""
    yield work


def seconds(model: Styliser, clip: Path, folder: str, suffix: str) -> tuple[float, int]:
    start = time.perf_counter()
    made = convert(clip, Path(folder) / f"out{suffix}", model)
    return time.perf_counter() - start, made.frames


def main(model: str, clip: str, rounds: str = "3") -> None:
    styliser = Styliser(model)
    for suffix in (".mp4", ".webm", ".gif", ".png"):
        taken: dict[str, list[float]] = {"in turn": [], "beside": []}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(int(rounds)):
                with mock.patch.multiple("nst.video.convert", ahead=in_place, behind=in_place):
                    taken["in turn"].append(seconds(styliser, Path(clip), folder, suffix)[0])
                both, frames = seconds(styliser, Path(clip), folder, suffix)
                taken["beside"].append(both)
        one, two = (1000 * statistics.median(times) / frames for times in taken.values())
        print(f"{suffix}: {one:.1f} ms a frame in turn, {two:.1f} beside: {two / one:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
