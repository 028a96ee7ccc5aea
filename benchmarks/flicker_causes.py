"""What makes a model flicker, and what smoothing costs.

    python benchmarks/flicker_causes.py [MODEL]

First the warping error for pans by whole and by parts of a pixel a frame: of whole ones, the frames
are the same pixels, so that every difference is the network's own. Then, by strength of smoothing,
the warping error over all motions and how much fine detail is left (root mean square difference of
neighbouring pixels, of that without smoothing), and the seconds that smoothing takes for a frame.
"""

from __future__ import annotations

import functools
import itertools
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nst.flicker.error import known_error
from nst.flicker.measure import Contender, Take, known_takes, measure
from nst.flicker.motion import MOTIONS, Motion, Step, sequence
from nst.flicker.photos import default_photos
from nst.flicker.smooth import Smoother
from nst.images import Picture, load
from nst.styliser import Styliser

Pixels = NDArray[np.uint8]
PANS = [(8, 4), (4, 0), (3, 0), (2, 0), (1, 0), (3, 1), (3.5, 1.5), (3.3, 1.4)]
STRENGTHS = [0.0, 0.5, 0.7, 0.8, 0.9]
SIZE, COUNT = 256, 8


def remembered(model: Callable[[Pixels], Pixels]) -> Callable[[Pixels], Pixels]:
    cache: dict[bytes, Pixels] = {}

    def call(frame: Pixels) -> Pixels:
        key = frame.tobytes()
        if key not in cache:
            cache[key] = model(frame)
        return cache[key]

    return call


def pans(photos: list[Picture], count: int = 4) -> list[tuple[str, Take]]:
    found: list[tuple[str, Take]] = []
    for photo in photos:
        for pan in PANS:
            frames = list(sequence(photo, Motion(pan=pan), size=SIZE, count=count, seed=0))
            steps = [None] + [
                functools.partial(known_error, step=Step.between(a, b))
                for (_, a), (_, b) in itertools.pairwise(frames)
            ]
            found.append((str(pan), [(f, s) for (f, _), s in zip(frames, steps, strict=True)]))
    return found


def detail(picture: Pixels) -> float:
    values = picture.astype(float)
    return float(np.hypot(np.diff(values, axis=0).std(), np.diff(values, axis=1).std()))


def detail_left(model: Callable[[Pixels], Pixels], photos: list[Picture], strength: float) -> float:
    shares = []
    for photo in photos:
        smooth = Smoother(strength)
        for frame, _ in sequence(photo, MOTIONS["pan"], size=SIZE, count=COUNT, seed=0):
            picture = model(frame)
            result = smooth(frame, picture)
        shares.append(detail(result) / detail(picture))
    return float(np.mean(shares))


def seconds(width: int, height: int) -> float:
    noise = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    big = np.array(Picture(noise).to_image().resize((width + 40, height + 40)))
    smooth, times = Smoother(), []
    for shift in range(10):
        frame = np.ascontiguousarray(big[shift : shift + height, 2 * shift : 2 * shift + width])
        start = time.perf_counter()
        smooth(frame, frame)
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def main() -> None:
    model = remembered(Styliser(sys.argv[1] if len(sys.argv) > 1 else "starry-night"))
    photos = [load(path) for path in default_photos()]
    found = measure(pans(photos), [Contender("frames"), Contender("model", model)])
    print("pan a frame, warping error of the frames, of the model")
    for pan, error in found["model"].by_kind.items():
        print(f"{pan:12} {found['frames'].by_kind[pan]:6.2f} {error:6.2f}")
    print("strength, warping error over all motions, detail left")
    for strength in STRENGTHS:
        takes = known_takes(photos, size=SIZE, count=COUNT, seed=0)
        smoother = functools.partial(Smoother, strength)
        error = measure(takes, [Contender("it", model, smoother)])["it"].overall
        left = detail_left(model, photos, strength)
        print(f"{strength:8} {error:6.2f} {left:6.2f}", flush=True)
    for size in ((640, 360), (1280, 720)):
        print(f"smoothing a frame of {size[0]}×{size[1]}: {seconds(*size):.3f} s")


if __name__ == "__main__":
    main()
