from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from nst.errors import NstError
from nst.images import FORMATS, Picture, encode, is_picture_path, load, resize, save, stretch


def photo(width: int = 40, height: int = 30) -> NDArray[np.uint8]:
    """A smooth picture with a different value in each corner."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1)
    return np.stack([red, green, 255 - red // 2], axis=2).astype(np.uint8)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in
             (header, data, b"IEND")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@settings(max_examples=10, deadline=None)
@given(width=st.integers(1, 33), height=st.integers(1, 33), extension=st.sampled_from([*FORMATS]))
def test_every_format_keeps_size_and_content(width: int, height: int, extension: str) -> None:
    rgb = photo(width, height)
    back = load(encode(rgb, extension, quality=95)).rgb
    assert back.shape == rgb.shape
    assert back.dtype == np.uint8
    difference = np.abs(back.astype(int) - rgb)
    if FORMATS[extension] in ("PNG", "TIFF"):
        assert difference.max() == 0
    # Smaller pictures lose most of their colour to WebP's halved chroma.
    elif min(width, height) >= 16:
        assert difference.mean() <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = Image.fromarray(photo())
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = upright if stored is None else upright.transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for format in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if format == "WEBP" else {}
        picture = load(encoded(image, format, exif=exif, **options))
        np.testing.assert_array_equal(picture.rgb, photo())
    picture = load(encoded(image, "JPEG", exif=exif, quality=100, subsampling=0))
    assert np.abs(picture.rgb.astype(int) - photo()).max() < 12


def test_saved_pictures_are_not_turned_again(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = load(encoded(Image.fromarray(photo()), "PNG", exif=exif))
    save(picture, tmp_path / "a.png")
    assert picture.size == (30, 40)
    assert load(tmp_path / "a.png").size == (30, 40)


def test_broken_exif_is_ignored() -> None:
    data = encoded(Image.fromarray(photo()), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x00abc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(data).size == (40, 30)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk(format: str) -> None:
    image = Image.fromarray(photo()).convert("CMYK")
    picture = load(encoded(image, format))
    assert np.abs(picture.rgb.astype(int) - photo()).mean() < 6


@pytest.mark.parametrize("mode", ["L", "1", "P", "YCbCr", "LAB"])
def test_other_modes_become_rgb(mode: str) -> None:
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(Image.fromarray(photo()), *profiles, outputMode="LAB")
        assert image is not None
    else:
        image = Image.fromarray(photo()).convert(mode)
    if mode == "YCbCr":
        picture = load(image)
    else:
        picture = load(encoded(image, "TIFF" if mode == "LAB" else "PNG"))
    assert picture.rgb.shape == (30, 40, 3)
    assert picture.alpha is None
    if mode in ("L", "1"):
        np.testing.assert_array_equal(picture.rgb[..., 0], np.asarray(image.convert("L")))
    elif mode == "LAB":
        assert np.abs(picture.rgb.astype(int) - photo()).mean() < 30
    else:
        assert np.abs(picture.rgb.astype(int) - photo()).mean() < 20


@pytest.mark.parametrize(("format", "dtype"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
def test_sixteen_bits_scale_from_the_full_range(format: str, dtype: str) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    picture = load(encoded(Image.fromarray(values.astype(dtype)), format))
    np.testing.assert_array_equal(picture.rgb[..., 0], np.rint(values / 257))


@pytest.mark.parametrize("full", [1.0, 255.0, 65535.0, 1e6])
def test_float_tiff(full: float) -> None:
    values = np.linspace(0, full, 300, dtype=np.float32).reshape(15, 20)
    values[0, 1], values[0, 2] = np.nan, -full
    grey = load(encoded(Image.fromarray(values), "TIFF")).rgb[..., 0]
    expected = np.nan_to_num(values, nan=0).clip(0) / full * 255
    assert np.abs(grey - expected).max() <= 0.51


def test_32_bit_integers_are_16_bits_in_a_wider_type() -> None:
    values = np.array([[0, 257, 65535]], dtype=np.int32)
    assert load(encoded(Image.fromarray(values), "TIFF")).rgb[0, :, 0].tolist() == [0, 1, 255]
    beyond = np.array([[0, 100_000, 200_000]], dtype=np.int32)
    assert load(encoded(Image.fromarray(beyond), "TIFF")).rgb[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_alpha_is_put_back(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(photo()).convert({"LA": "L", "RGBA": "RGB", "PA": "P"}[mode])
    alpha = np.linspace(0, 255, 1200).astype(np.uint8).reshape(30, 40)
    image.putalpha(Image.fromarray(alpha))
    assert image.mode == mode
    picture = load(image)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, alpha)
    for name in ("a.png", "a.tiff", "a.webp"):
        save(picture, tmp_path / name)
        back = load(tmp_path / name)
        assert back.alpha is not None
        np.testing.assert_array_equal(back.alpha, alpha)
    np.testing.assert_array_equal(load(tmp_path / "a.png").rgb, picture.rgb)


def test_palette_with_transparency() -> None:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    picture = load(encoded(image, "PNG", transparency=0))
    assert picture.alpha is not None
    assert picture.alpha[0].tolist() == [0, 255, 255, 255]
    assert picture.rgb[1, 1].tolist() == [0, 0, 255]
    partly = load(encoded(image, "PNG", transparency=bytes([10, 200]))).alpha
    assert partly is not None
    assert partly[0].tolist() == [10, 200, 200, 200]


def test_grey_with_a_transparent_value() -> None:
    picture = load(encoded(Image.fromarray(photo()[..., 0]), "PNG", transparency=0))
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 0
    assert picture.alpha[0, 1] == 255


def test_jpeg_puts_transparency_on_white() -> None:
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[:4] = 0
    back = load(encode(Picture(np.zeros((8, 8, 3), np.uint8), alpha), "jpg"))
    assert back.alpha is None
    assert back.rgb[0].min() > 240
    assert back.rgb[-1].max() < 15


def wide_profile() -> bytes:
    """A profile whose primaries are sRGB's in another order, so that its effect is plain to see."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = data.index(b"rXYZ"), data.index(b"bXYZ")
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data)


def test_profiles_are_converted_to_srgb_and_noted() -> None:
    red = Image.new("RGB", (8, 8), (250, 0, 0))
    picture = load(encoded(red, "PNG", icc_profile=wide_profile()))
    assert picture.tagged
    assert np.abs(picture.rgb[0, 0].astype(int) - [0, 0, 250]).max() <= 3
    saved = Image.open(io.BytesIO(encode(picture, "jpg")))
    name = ImageCms.getProfileDescription(
        ImageCms.ImageCmsProfile(io.BytesIO(saved.info["icc_profile"]))
    )
    assert "sRGB" in name
    assert encode(picture, "png") == encode(picture, "png")


@pytest.mark.parametrize("format", [*FORMATS])
def test_untagged_stays_untagged(format: str) -> None:
    assert "icc_profile" not in Image.open(io.BytesIO(encode(photo(), format))).info


def test_profile_keeps_alpha() -> None:
    image = Image.new("RGBA", (8, 8), (250, 0, 0, 77))
    picture = load(encoded(image, "PNG", icc_profile=wide_profile()))
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 77
    assert picture.rgb[0, 0, 2] > 240


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_broken_or_foreign_profiles_are_ignored(mode: str) -> None:
    image = Image.fromarray(photo()).convert(mode)
    plain = load(encoded(image, "TIFF"))
    profiles = [b"no profile"] if mode == "RGB" else [b"no profile", wide_profile()]
    for profile in profiles:
        picture = load(encoded(image, "TIFF", icc_profile=profile))
        assert not picture.tagged
        np.testing.assert_array_equal(picture.rgb, plain.rgb)


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
    save(photo(), path)
    reader, writer = os.pipe()
    os.write(writer, path.read_bytes())
    os.close(writer)
    with path.open("rb") as stream, os.fdopen(reader, "rb") as pipe, Image.open(path) as image:
        for source in (path, str(path), path.read_bytes(), stream, pipe, image, photo()):
            np.testing.assert_array_equal(load(source).rgb, photo())
        assert not stream.closed
    assert load(path).name == str(path)


def test_arrays_of_each_shape() -> None:
    grey = photo()[..., 0]
    np.testing.assert_array_equal(load(grey).rgb, np.stack([grey] * 3, axis=2))
    rgba = np.dstack([photo(), grey])
    picture = load(rgba)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, grey)
    wrong: list[Any] = [photo().astype(np.float32), photo()[..., :2], photo()[:0], photo()[None]]
    for array in wrong:
        with pytest.raises(NstError, match="shape"):
            load(array)


def test_one_pixel() -> None:
    assert load(encode(np.zeros((1, 1, 3), np.uint8), "png")).size == (1, 1)


def test_save_names_the_format_by_extension(tmp_path: Path) -> None:
    for extension, format in FORMATS.items():
        path = tmp_path / f"a{extension.upper()}"
        save(photo(), path)
        with Image.open(path) as image:
            assert image.format == format
    save(photo(), tmp_path / "odd.name", format="WebP")
    with Image.open(tmp_path / "odd.name") as image:
        assert image.format == "WEBP"
    stream = io.BytesIO()
    save(photo(), stream)
    assert stream.getvalue().startswith(b"\x89PNG")


def test_unknown_format_says_what_is_near(tmp_path: Path) -> None:
    with pytest.raises(NstError, match=r"'\.jpgg': did you mean '\.jpg'\? .*\.webp"):
        save(photo(), tmp_path / "a.jpgg")
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
        save(photo(), full)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 100))
def test_resize_bounds_the_long_side(width: int, height: int, max_size: int) -> None:
    alpha = np.zeros((height, width), np.uint8)
    result = resize(Picture(photo(width, height), alpha), max_size)
    assert max(result.size) == min(max_size, max(width, height))
    assert min(result.size) >= 1
    assert result.alpha is not None
    assert result.alpha.shape == result.rgb.shape[:2]
    with pytest.raises(NstError, match="maximal size"):
        resize(result, 0)


def test_stretch_gives_exactly_the_size_with_the_alpha() -> None:
    half = np.zeros((10, 20), np.uint8)
    half[:, 10:] = 255
    picture = Picture(np.dstack([half] * 3), half, tagged=True)
    result = stretch(picture, (8, 30))
    assert result.rgb.shape == (30, 8, 3)
    assert result.alpha is not None
    assert result.alpha[:, :3].max() < 30 < 220 < result.alpha[:, -3:].min()
    assert result.tagged
    assert stretch(picture, (20, 10)) is picture


def test_picture_paths() -> None:
    assert is_picture_path(Path("a/B.JPG"))
    assert not is_picture_path(Path("a.onnx"))
