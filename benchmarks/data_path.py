"""Photos per second and core that the trainer's data path gives: decode, crop, resize, batch.

    python benchmarks/data_path.py PHOTOS -o benchmarks/results/data-path.json

The photos are first written again at COCO's usual size, 640×480, as JPEG of quality 90: what is
timed is the decoder, not this folder. One core is a plain loop over the stream in one thread; the
loader is the trainer's own, with worker processes, and ends in float32 on the training's device.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader

from nst.files import atomic_write
from train.data import PhotoStream, StreamSampler, collate, find_photos

SIZE, BATCH, CONSUMED = 256, 8, 900


def write_again(photos: list[Path], folder: Path) -> list[Path]:
    """The photos at 640×480, or upright at 480×640."""
    found = []
    for number, path in enumerate(photos):
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
        size = (640, 480) if picture.width >= picture.height else (480, 640)
        found.append(folder / f"{number}.jpg")
        ImageOps.fit(picture, size).save(found[-1], quality=90)
    return found


def one_core(stream: PhotoStream, count: int) -> float:
    """Photos per second of one thread."""
    began = time.perf_counter()
    for n in range(count):
        stream[n]
    return count / (time.perf_counter() - began)


def loader(stream: PhotoStream, count: int, workers: int) -> float:
    """Photos per second of the trainer's loader, to the device."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batches = iter(
        DataLoader(
            stream,
            batch_size=BATCH,
            sampler=StreamSampler(0, 1),
            num_workers=workers,
            collate_fn=collate,
            pin_memory=device.type == "cuda",
            multiprocessing_context="forkserver" if workers else None,
        )
    )
    next(batches)  # the workers are there
    began = time.perf_counter()
    for batch in itertools.islice(batches, count // BATCH):
        batch.photos.to(device, non_blocking=True).float().div(255)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return count // BATCH * BATCH / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1600)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        photos = write_again(find_photos(arguments.photos)[:400], Path(folder))
        stream = PhotoStream(photos, SIZE, seed=0, min_scale=0.6)
        one_core(stream, 100)
        alone = one_core(stream, arguments.count)
        found = {
            "crop": SIZE,
            "photos_per_second_and_core": round(alone, 1),
            "loader": {n: round(loader(stream, arguments.count, n), 1) for n in arguments.workers},
            "cores_for_900_photos_a_second": round(CONSUMED / alone, 1),
        }
    print(json.dumps(found, indent=1))
    with atomic_write(arguments.output) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
