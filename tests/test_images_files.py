"""Reading and writing pictures: sources, formats, limits, and files that are broken or none."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nst.errors import NstError
from nst.images import FORMATS, encode, load, save

PHOTO = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)


def encoded(image: Image.Image, format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in
             (header, data, b"IEND")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_header(30_000, 30_000))
    with pytest.raises(NstError, match=r"bomb\.png has 900000000 pixels.*max_pixels"):
        load(bomb)


def test_max_pixels_is_exact_and_can_be_raised() -> None:
    data = encoded(Image.new("L", (40, 30)), "PNG")
    assert load(data, max_pixels=1200).size == (40, 30)
    for source in (data, Image.new("L", (40, 30))):
        with pytest.raises(NstError, match="1200 pixels"):
            load(source, max_pixels=1199)
    # Beyond Pillow's own limit the header is believed, and only the missing data refused.
    with pytest.raises(NstError, match="cut short"):
        load(png_header(20_000, 10_000)[:60], max_pixels=200_000_000)


def test_pillows_limit_is_left_as_it_was() -> None:
    before = Image.MAX_IMAGE_PIXELS
    load(encoded(Image.new("L", (4, 4)), "PNG"), max_pixels=10**9)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_hundred_megapixels_load() -> None:
    # In a process of its own, so that the tests' own memory stays small.
    code = (
        "import io; from PIL import Image; from nst.images import load\n"
        "b = io.BytesIO(); Image.new('1', (10000, 10000)).save(b, 'PNG')\n"
        "assert load(b.getvalue()).size == (10000, 10000)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_large_picture_is_held_once_while_it_is_read() -> None:
    code = (
        "import io; from PIL import Image; from nst.images import load\n"
        "from nst.memory import resident_memory\n"
        "b = io.BytesIO(); Image.new('RGB', (6000, 5000)).save(b, 'PNG')\n"
        "load(Image.new('RGB', (8, 8))); before = resident_memory()\n"
        "peak = resident_memory(peak=True)\n"
        "assert peak - before < 150e6, 'what was written counts'\n"
        "load(b.getvalue())\n"
        "print((resident_memory(peak=True) - before) / 30e6)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    # Pillow's four bytes a pixel, our three, and a strip; 0 where the system does not say.
    assert float(done.stdout) < 9


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_truncated_files(format: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "half.picture"
    path.write_bytes(encoded(Image.fromarray(noise), format)[:3000])
    with pytest.raises(NstError, match=r"half\.picture is"):
        load(path)


def test_what_is_not_a_picture(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.jpg", tmp_path / "empty.jpg"
    text.write_text("not a picture\n" * 50)
    empty.touch()
    cases = {text: "not a picture", empty: "is empty", tmp_path: "Is a directory",
             tmp_path / "missing.jpg": "No such file"}  # fmt: skip
    for path, message in cases.items():
        with pytest.raises(NstError, match=message) as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(NstError, match="is empty"):
        load(b"")
    with pytest.raises(NstError, match="0 pixels"):
        load(Image.new("RGB", (0, 5)))


def test_all_kinds_of_sources(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save(PHOTO, path)
    reader, writer = os.pipe()
    os.write(writer, path.read_bytes())
    os.close(writer)
    with path.open("rb") as stream, os.fdopen(reader, "rb") as pipe, Image.open(path) as image:
        for source in (path, str(path), path.read_bytes(), stream, pipe, image, PHOTO):
            np.testing.assert_array_equal(load(source).rgb, PHOTO)
        assert not stream.closed
    assert load(path).name == str(path)


def test_arrays_of_each_shape() -> None:
    grey = PHOTO[..., 0]
    np.testing.assert_array_equal(load(grey).rgb, np.stack([grey] * 3, axis=2))
    rgba = np.dstack([PHOTO, grey])
    picture = load(rgba)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, grey)
    wrong: list[Any] = [PHOTO.astype(np.float32), PHOTO[..., :2], PHOTO[:0], PHOTO[None]]
    for array in wrong:
        with pytest.raises(NstError, match="shape"):
            load(array)


def test_one_pixel() -> None:
    assert load(encode(np.zeros((1, 1, 3), np.uint8), "png")).size == (1, 1)


def test_save_names_the_format_by_extension(tmp_path: Path) -> None:
    for extension, format in FORMATS.items():
        path = tmp_path / f"a{extension.upper()}"
        save(PHOTO, path)
        with Image.open(path) as image:
            assert image.format == format
    save(PHOTO, tmp_path / "odd.name", format="WebP")
    with Image.open(tmp_path / "odd.name") as image:
        assert image.format == "WEBP"
    stream = io.BytesIO()
    save(PHOTO, stream)
    assert stream.getvalue().startswith(b"\x89PNG")


def test_unknown_format_says_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(NstError, match=r"'\.jpgg': did you mean '\.jpg'\? .*\.webp"):
        save(PHOTO, tmp_path / "a.jpgg")
    assert list(tmp_path.iterdir()) == []


def test_quality() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for format in ("jpg", "webp"):
        assert len(encode(rgb, format, quality=30)) < len(encode(rgb, format, quality=95))
    for quality in (0, 101):
        with pytest.raises(NstError, match="1 to 100"):
            encode(rgb, "jpg", quality=quality)


def test_a_picture_too_large_for_its_format(tmp_path: Path) -> None:
    wide = np.zeros((1, 70_000, 3), np.uint8)
    for name in ("a.jpg", "a.webp"):
        with pytest.raises(NstError, match="70000×1 pixels"):
            save(wide, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_stream() -> None:
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(NstError, match="No space left"),
    ):
        save(PHOTO, full)
