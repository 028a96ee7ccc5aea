"""Photos for training: how they are found, cropped, shared out, and passed over if unreadable."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nst.errors import NstError
from train.data import PhotoData, PhotoStream, StreamSampler, find_photos, probe, read_crop


def write_photos(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for k in range(count):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((60, 48)).save(folder / f"{k}.jpg")
    return folder


def test_find_photos_is_recursive_and_sorted(tmp_path: Path) -> None:
    write_photos(tmp_path / "b" / "c", 2)
    write_photos(tmp_path / "a", 1)
    (tmp_path / "a" / "notes.txt").write_text("no photo")
    names = [p.relative_to(tmp_path).as_posix() for p in find_photos(tmp_path)]
    assert names == ["a/0.jpg", "b/c/0.jpg", "b/c/1.jpg"]


def test_empty_folder_and_broken_photos(tmp_path: Path) -> None:
    with pytest.raises(NstError, match="no photo in"):
        find_photos(tmp_path)
    photos = write_photos(tmp_path / "photos", 9)
    for k in (1, 4, 7):
        (photos / f"{k}.jpg").write_text("not a photo")
    with pytest.raises(NstError, match=r"3 of 9 photos tried cannot be read, such as .*1\.jpg"):
        probe(find_photos(photos))


def test_unreadable_photos_are_passed_over_and_counted(tmp_path: Path) -> None:
    photos = find_photos(write_photos(tmp_path, 4))
    photos[2].write_bytes(photos[2].read_bytes()[:300])
    stream = PhotoStream(photos, 32, seed=0, min_scale=0.5)
    samples = [stream[n] for n in range(40)]
    assert all(s[0].shape == (3, 32, 32) for s in samples)
    assert sum(s[1] for s in samples) == 10  # one photo of four, in ten rounds


def test_the_stream_is_a_function_of_seed_and_number(tmp_path: Path) -> None:
    photos = find_photos(write_photos(tmp_path, 5))
    a, b = (PhotoStream(photos, 32, seed=7, min_scale=0.5) for _ in range(2))
    assert torch.equal(a[123][0], b[123][0])
    assert not torch.equal(a[123][0], a[124][0])
    other = PhotoStream(photos, 32, seed=8, min_scale=0.5)
    assert any(not torch.equal(a[n][0], other[n][0]) for n in range(3))


def test_processes_share_the_stream() -> None:
    shares = [StreamSampler(10 + rank, 3) for rank in range(3)]
    numbers = sorted(n for share in shares for n, _ in zip(share, range(4), strict=False))
    assert numbers == list(range(10, 22))


def test_crop_of_a_large_jpeg_keeps_its_pixels(tmp_path: Path) -> None:
    """`draft` must not decode smaller than the crop needs: fine stripes must survive."""
    stripes = ((np.arange(1600) // 3) % 2 * 255).astype(np.uint8)
    rgb = np.broadcast_to(stripes[None, :, None], (1200, 1600, 3))
    Image.fromarray(np.ascontiguousarray(rgb)).save(tmp_path / "x.jpg", quality=95)
    crop = read_crop(tmp_path / "x.jpg", 512, None)
    assert crop is not None
    assert crop.astype(float).std() > 60


@pytest.mark.parametrize(("short", "size"), [(426, 100), (425, 200), (149, 70), (85, 32)])
def test_crop_of_a_reduced_jpeg_never_leaves_it(tmp_path: Path, short: int, size: int) -> None:
    """Sizes where the scaled crop came out one rounding error larger than the decoded photo."""
    Image.new("RGB", (short, short + 200)).save(tmp_path / "x.jpg")
    assert read_crop(tmp_path / "x.jpg", size, None) is not None


@pytest.mark.parametrize("wrong", [{"size": 30}, {"batch_size": 0}, {"min_scale": 0.0}])
def test_wrong_data_arguments(wrong: dict[str, float]) -> None:
    with pytest.raises(NstError, match="--data"):
        PhotoData("photos", **wrong)  # type: ignore[arg-type]
