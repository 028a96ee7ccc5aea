"""Photos to train on: any folder, decoded on the fly, cropped at random.

What sample number n is depends on the seed and n alone, not on workers, devices or when the
training was interrupted: a resumed training sees what an unbroken one would have seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from nst.errors import NstError
from train.ending import outlive_signals

EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
MAX_UNREADABLE = 0.1
"""Share of unreadable files above which a folder is refused."""
_PROBED = 64


def find_photos(folder: str | Path) -> list[Path]:
    """All picture files below a folder, in a fixed order.

    Raises:
        NstError: No such folder, or no picture in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise NstError(f"no such folder of photos: {folder}. Give one with --data.photos.")
    found: list[Path] = []
    for parent, folders, names in os.walk(root, followlinks=True):
        folders.sort()
        found += [Path(parent, n) for n in sorted(names) if Path(n).suffix.lower() in EXTENSIONS]
    if not found:
        raise NstError(
            f"no photo in {folder}: give a folder with {', '.join(sorted(EXTENSIONS))} files."
        )
    return found


def probe(photos: list[Path]) -> None:
    """Decode some of the photos, evenly spread, before a long training starts.

    Raises:
        NstError: More than `MAX_UNREADABLE` of them cannot be read.
    """
    sample = photos[:: max(1, len(photos) // _PROBED)]
    broken = [path for path in sample if read_crop(path, 32, None) is None]
    if len(broken) > MAX_UNREADABLE * len(sample):
        raise NstError(
            f"{len(broken)} of {len(sample)} photos tried cannot be read, such as {broken[0]}: "
            "repair the folder or remove them."
        )


def read_crop(
    path: Path, size: int, rng: np.random.Generator | None, min_scale: float = 0.6
) -> NDArray[np.uint8] | None:
    """A square crop of a photo, resized.

    Args:
        path: The file.
        size: Side of the result in pixels.
        rng: Draws place, side (from min_scale to all of the photo's short side, but no smaller
            than the result where the photo allows) and flip; None takes the centre, whole.
        min_scale: Smallest crop as a share of the short side.

    Returns:
        (size, size, 3) uint8, or None if the file cannot be read.
    """
    try:
        with Image.open(path, formats=_FORMATS) as file:
            share = 1.0 if rng is None else float(rng.uniform(min_scale, 1.0))
            short = min(file.size)
            side = max(share * short, min(size, short))
            # JPEG decodes at 1/2, 1/4 or 1/8 for free, as long as the crop keeps its pixels.
            factor = size / side
            file.draft("RGB", (int(file.width * factor), int(file.height * factor)))
            picture = ImageOps.exif_transpose(file).convert("RGB")
        side = min(side * min(picture.size) / short, *picture.size)
        room = (picture.width - side, picture.height - side)
        left, top = (r * (0.5 if rng is None else rng.random()) for r in room)
        box = (left, top, left + side, top + side)
        crop = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=box))
    except Exception:  # Pillow's plugins raise a dozen kinds on damaged files
        return None
    return crop[:, ::-1] if rng is not None and rng.random() < 0.5 else crop


class Batch(NamedTuple):
    """Photos (B, 3, H, W) uint8, and how many unreadable files were passed over."""

    photos: Tensor
    unreadable: int


class PhotoStream(Dataset[tuple[Tensor, int]]):
    """An endless stream of random crops; sample n is a function of the seed and n."""

    def __init__(self, photos: list[Path], size: int, seed: int, min_scale: float):
        self.photos, self.size, self.seed, self.min_scale = photos, size, seed, min_scale
        self._round, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, n: int) -> tuple[Tensor, int]:
        """Sample n as ((3, size, size) uint8, unreadable files passed over)."""
        count = len(self.photos)
        if self._round != n // count:
            self._round = n // count
            self._order = np.random.default_rng((self.seed, self._round)).permutation(count)
        for skipped in range(count):
            path = self.photos[self._order[(n + skipped) % count]]
            rng = np.random.default_rng((self.seed, n, skipped))
            crop = read_crop(path, self.size, rng, self.min_scale)
            if crop is not None:
                return torch.from_numpy(crop.copy()).permute(2, 0, 1), skipped
        raise NstError(f"none of the {count} photos can be read.")


class StreamSampler(Sampler[int]):
    """Sample numbers from a start on, every `stride`-th: one process' share of the stream."""

    def __init__(self, start: int, stride: int):
        self.start, self.stride = start, stride

    def __iter__(self) -> Iterator[int]:
        """Numbers without end."""
        n = self.start
        while True:
            yield n
            n += self.stride


def collate(samples: list[tuple[Tensor, int]]) -> Batch:
    """Stack samples of a `PhotoStream`; bytes until the device."""
    return Batch(torch.stack([s[0] for s in samples]), sum(s[1] for s in samples))


class PhotoData(pl.LightningDataModule):
    """Training and held-out photos."""

    def __init__(
        self,
        photos: str,
        val_photos: str | None = None,
        size: int = 256,
        batch_size: int = 4,
        val_size: int = 256,
        val_count: int = 16,
        min_scale: float = 0.6,
        workers: int = 2,
        seed: int = 0,
    ):
        """Describe the data.

        Args:
            photos: Folder of photos, read with its subfolders.
            val_photos: Folder of held-out photos; by default some of the photos are held out.
            size: Side of the training crops in pixels, a multiple of 4.
            batch_size: Photos in a batch on each device.
            val_size: Side of the held-out photos' centre crops in pixels.
            val_count: Held-out photos, evenly spread over what there is.
            min_scale: Smallest crop as a share of a photo's short side.
            workers: Processes that decode.
            seed: Seed of the order, the crops and the flips.
        """
        super().__init__()
        if size % 4 or size < 32:
            raise NstError(f"--data.size is {size}: give a multiple of 4, at least 32.")
        if min(batch_size, val_count, val_size) < 1 or workers < 0 or not 0 < min_scale <= 1:
            raise NstError(
                "--data: batch_size, val_count and val_size are at least 1, "
                "workers at least 0, min_scale above 0 and at most 1."
            )
        self.photos, self.val_photos = photos, val_photos
        self.size, self.batch_size = size, batch_size
        self.val_size, self.val_count = val_size, val_count
        self.min_scale, self.workers, self.seed = min_scale, workers, seed
        self._train: list[Path] = []
        self._val: list[Path] = []

    def setup(self, stage: str) -> None:
        """List the photos and try some of them.

        Raises:
            NstError: A folder is missing, empty, or has too many unreadable files.
        """
        self._train = find_photos(self.photos)
        probe(self._train)
        if self.val_photos:
            held_out = find_photos(self.val_photos)
        else:
            count = min(self.val_count, max(1, len(self._train) // 10))
            held_out = self._train[:: max(1, len(self._train) // count)][:count]
            # With a single photo there is nothing to hold out.
            kept_out = set(held_out)
            self._train = [p for p in self._train if p not in kept_out] or self._train
        self._val = held_out[:: max(1, len(held_out) // self.val_count)][: self.val_count]

    def train_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """Batches from where the training stands."""
        assert self.trainer is not None
        world, rank = self.trainer.world_size, self.trainer.global_rank
        batches = self.trainer.global_step * self.trainer.accumulate_grad_batches
        done = batches * self.batch_size * world
        return DataLoader(
            PhotoStream(self._train, self.size, self.seed, self.min_scale),
            batch_size=self.batch_size,
            sampler=StreamSampler(done + rank, world),
            num_workers=self.workers,
            collate_fn=collate,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
            persistent_workers=self.workers > 0,
            worker_init_fn=outlive_signals,
            drop_last=True,
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """The held-out photos, centre-cropped, always the same."""
        crops = [read_crop(path, self.val_size, None) for path in self._val]
        readable = [torch.from_numpy(c.copy()).permute(2, 0, 1) for c in crops if c is not None]
        if not readable:
            raise NstError(f"no held-out photo of {self.val_photos or self.photos} can be read.")
        samples = [(crop, 0) for crop in readable]
        return DataLoader(samples, batch_size=self.batch_size, collate_fn=collate)  # type: ignore[arg-type]
