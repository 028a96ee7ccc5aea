"""The regions of mask pictures, as painted, and as saved by programs that do not know masks."""

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from nst.errors import NstError
from nst.masks import MAX_REGIONS, find_regions, match_regions

COLOURS = np.array(
    [
        (0, 0, 255), (0, 255, 0), (0, 0, 0), (255, 255, 255), (255, 0, 0),
        (255, 255, 0), (128, 128, 128), (0, 255, 255), (255, 0, 255),
    ],
    np.uint8,
)  # fmt: skip


def stripes(*colours: tuple[int, int, int], widths: tuple[int, ...] | None = None) -> NDArray:  # type: ignore[type-arg]
    """(24, W, 3): upright stripes."""
    widths = widths or (16,) * len(colours)
    row = np.repeat(np.array(colours, np.uint8), widths, axis=0)
    return np.tile(row, (24, 1, 1))


def as_jpeg(picture: NDArray, quality: int) -> NDArray:  # type: ignore[type-arg]
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def blocks(numbers: list[int], side: int) -> NDArray[np.intp]:
    """A 3 × 3 chequerboard of regions."""
    return np.kron(np.array(numbers).reshape(3, 3), np.ones((side, side), int))


def away_from_edges(truth: NDArray, margin: int) -> NDArray:  # type: ignore[type-arg]
    """Pixels whose neighbourhood is of one region."""
    inner = np.ones(truth.shape, bool)
    for axis in (0, 1):
        for shift in range(-margin, margin + 1):
            inner &= np.roll(truth, shift, axis) == truth
    return inner


@settings(max_examples=40, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 8), min_size=9, max_size=9),
    side=st.integers(20, 33),
    quality=st.integers(50, 95),
)
def test_regions_survive_jpeg(numbers: list[int], side: int, quality: int) -> None:
    truth = blocks(numbers, side)
    labels, colours = find_regions(as_jpeg(COLOURS[truth], quality))
    assert len(colours) == len(set(numbers))
    found = COLOURS[np.linalg.norm(COLOURS[None] - colours[:, None], axis=2).argmin(1)]
    inner = away_from_edges(truth, 2)
    np.testing.assert_array_equal(found[labels][inner], COLOURS[truth][inner])


@settings(max_examples=20, deadline=None)
@given(numbers=st.lists(st.integers(0, 8), min_size=9, max_size=9), angle=st.floats(0, 90))
def test_soft_edges_are_no_regions(numbers: list[int], angle: float) -> None:
    """A mask that was turned and shrunk smoothly: its edges have every colour between."""
    large = Image.fromarray(COLOURS[blocks(numbers, 80)])
    turned = large.rotate(angle, Image.Resampling.BICUBIC, fillcolor=tuple(COLOURS[numbers[0]]))
    small = np.asarray(turned.resize((90, 90), Image.Resampling.LANCZOS))
    labels, colours = find_regions(small)
    assert 1 <= len(colours) <= len(set(numbers))
    assert all(np.linalg.norm(COLOURS[list(set(numbers))] - c, axis=1).min() < 8 for c in colours)
    # Where the picture has a colour itself, that is its region.
    pure = np.linalg.norm(small[..., None, :] - colours, axis=3) < 16
    assert pure[np.indices(labels.shape)[0], np.indices(labels.shape)[1], labels][pure.any(2)].all()


def test_largest_region_comes_first() -> None:
    labels, colours = find_regions(stripes((255, 0, 0), (0, 0, 255), widths=(10, 30)))
    np.testing.assert_array_equal(colours, [(0, 0, 255), (255, 0, 0)])
    np.testing.assert_array_equal(labels[0], [1] * 10 + [0] * 30)


def test_regions_are_matched_by_colour() -> None:
    red, blue, green = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    content = stripes(red, blue, widths=(10, 30))
    style = stripes(blue, green, red, widths=(8, 8, 24))
    found = match_regions(content, [as_jpeg(style, 95)], (24, 40), [(24, 40)])
    assert found.colours == ("#0000ff", "#ff0000")
    np.testing.assert_array_equal(found.content[0], np.tile([0] * 10 + [1] * 30, (24, 1)))
    np.testing.assert_array_equal(found.content.sum(0), np.ones((24, 40)))
    assert found.styles[0][0, 0, :7].all()
    assert not found.styles[0][0, 0, 9:].any()
    assert found.styles[0][1, 0, 17:].all()
    assert not found.styles[0][:, 0, 9:15].any(), "green is nobody's"
    assert found.content.dtype == found.styles[0].dtype == np.float32


def test_masks_are_stretched_to_their_pictures() -> None:
    mask = stripes((255, 0, 0), (0, 0, 255), widths=(8, 24))
    found = match_regions(mask, [mask, mask], (10, 64), [(7, 16), (24, 32)])
    np.testing.assert_array_equal(found.content[1], np.tile([1] * 16 + [0] * 48, (10, 1)))
    np.testing.assert_array_equal(found.styles[0][1], np.tile([1] * 4 + [0] * 12, (7, 1)))
    assert found.styles[1].shape == (2, 24, 32)


def test_one_colour_is_one_region() -> None:
    mask = np.full((20, 30, 3), 77, np.uint8)
    found = match_regions(mask, [mask], (20, 30), [(20, 30)])
    assert found.colours == ("#4d4d4d",)
    np.testing.assert_array_equal(found.content, np.ones((1, 20, 30)))


def test_a_colour_that_the_style_lacks() -> None:
    content = stripes((255, 0, 0), (0, 0, 255))
    style = stripes((255, 0, 0), (0, 255, 0), widths=(20, 12))
    with pytest.raises(NstError, match="#0000ff, the style mask has only #ff0000, #00ff00"):
        match_regions(content, [style], (24, 32), [(24, 32)])
    with pytest.raises(NstError, match="style mask 2 has only"):
        match_regions(content, [content, style], (24, 32), [(24, 32), (24, 32)])


def test_a_number_of_masks_that_is_not_the_styles() -> None:
    mask = stripes((255, 0, 0))
    with pytest.raises(NstError, match="2 styles with 1 style masks"):
        match_regions(mask, [mask], (8, 8), [(8, 8), (8, 8)])


def test_a_photo_is_no_mask() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    with pytest.raises(NstError, match="the content mask has no area of one colour"):
        match_regions(noise, [noise], (40, 40), [(40, 40)])
    grid = np.stack(np.meshgrid([0, 85, 170, 255], [0, 85, 170, 255], [0, 255]), -1)
    many = np.kron(grid.reshape(1, -1, 3), np.ones((8, 8, 1), np.uint8)).astype(np.uint8)
    with pytest.raises(NstError, match=rf"32 colours: .* {MAX_REGIONS} at most"):
        find_regions(many)


def test_needs_no_torch() -> None:
    code = "import sys, nst.masks; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
