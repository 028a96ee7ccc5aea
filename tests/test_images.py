from __future__ import annotations

import io
import warnings
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
