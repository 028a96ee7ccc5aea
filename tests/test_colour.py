from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nst.colour import (
    colour_transform,
    keep_luminance,
    luminance,
    match_colours,
    match_luminance,
)
from nst.errors import NstError

WEIGHTS = np.array([0.299, 0.587, 0.114])
# The YIQ matrix of the NTSC standard, whose inverse has a first column of ones.
YIQ = np.array(
    [[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]]
)


def picture(seed: int, height: int = 12, width: int = 17) -> NDArray[np.float64]:
    """Correlated colours well inside [0, 1], so that nothing is clipped."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(height, width, 3)) @ random.normal(size=(3, 3))
    mixed /= np.abs(mixed).max()
    return np.asarray(0.5 + 0.15 * mixed + 0.1 * random.uniform(-1, 1, 3))


def statistics(pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    colours = pixels.reshape(-1, 3)
    return colours.mean(axis=0), np.cov(colours.T, bias=True)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_luminance_is_the_stylised_and_chroma_the_photos(seed: int) -> None:
    photo, stylised = picture(seed), picture(seed + 1)
    expected = photo @ YIQ.T
    expected[..., 0] = stylised @ WEIGHTS
    result = keep_luminance(photo, stylised)
    np.testing.assert_allclose(result, expected @ np.linalg.inv(YIQ).T, atol=1e-6)


def test_grey_photo_gives_the_grey_stylised_picture() -> None:
    stylised = picture(3)
    result = keep_luminance(np.full_like(stylised, 0.4), stylised)
    np.testing.assert_allclose(result, np.stack([stylised @ WEIGHTS] * 3, axis=2), atol=1e-6)


def test_matched_luminance_has_the_photos_mean_and_deviation() -> None:
    painting, photo = picture(1), picture(2, 7, 9)
    y, target = painting @ WEIGHTS, photo @ WEIGHTS
    expected = target.std() / y.std() * (y - y.mean()) + target.mean()
    np.testing.assert_allclose(
        match_luminance(painting, photo), np.stack([expected] * 3, axis=2), atol=1e-6
    )
    np.testing.assert_allclose(luminance(painting), np.stack([y] * 3, axis=2), atol=1e-6)


def test_matched_luminance_of_a_flat_painting_is_the_photos_mean() -> None:
    flat = np.full((4, 5, 3), 200, np.uint8)
    photo = (picture(2) * 255).astype(np.uint8)
    result = match_luminance(flat, photo)
    assert result.dtype == np.uint8
    assert result.shape == flat.shape
    np.testing.assert_allclose(result, (photo @ WEIGHTS).mean(), atol=0.6)


def test_luminance_keeps_the_dtype_and_the_range() -> None:
    random = np.random.default_rng(0)
    photo, stylised = random.integers(0, 256, (2, 9, 8, 3), np.uint8)
    result = keep_luminance(photo, stylised)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(keep_luminance(photo, photo), photo)
    floats = keep_luminance(photo, (stylised / 255).astype(np.float32))
    assert floats.dtype == np.float32
    assert floats.min() >= 0
    assert floats.max() <= 1
    np.testing.assert_array_equal(result, (floats * 255 + 0.5).astype(np.uint8))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_matched_colours_have_the_contents_mean_and_covariance(seed: int) -> None:
    style, content = picture(seed), picture(seed + 1, 5, 30)
    epsilon = 1e-12
    matrix, offset = colour_transform(style, content, epsilon=epsilon)
    mean, covariance = statistics(style @ matrix.T + offset)
    expected_mean, expected_covariance = statistics(content)
    np.testing.assert_allclose(mean, expected_mean, atol=1e-9)
    # A nearly grey style feels even this epsilon: Σ_c^½ (1 - ε (Σ_s + ε)^-1) Σ_c^½ in place of Σ_c.
    smallest = np.linalg.eigvalsh(statistics(style)[1])[0]
    largest = np.linalg.eigvalsh(expected_covariance)[-1]
    felt = epsilon * (1 + largest / smallest)
    np.testing.assert_allclose(covariance, expected_covariance, rtol=0, atol=1e-11 + 1.01 * felt)


def test_the_papers_formula() -> None:
    style, content = picture(1), picture(2)
    (style_mean, style_cov), (content_mean, content_cov) = statistics(style), statistics(content)

    def root(symmetric: NDArray[np.float64]) -> NDArray[np.float64]:
        values, vectors = np.linalg.eigh(symmetric + 1e-5 * np.eye(3))
        return np.asarray(vectors @ np.diag(np.sqrt(values)) @ vectors.T)

    matrix = root(content_cov) @ np.linalg.inv(root(style_cov))
    result = match_colours(style, content)
    np.testing.assert_allclose(
        result, (style - style_mean) @ matrix.T + content_mean, atol=1e-9, rtol=0
    )


def test_same_colours_change_nothing() -> None:
    style = picture(5)
    np.testing.assert_allclose(match_colours(style, style), style, atol=1e-9)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_grey_and_flat_pictures_stay_finite(level: int) -> None:
    flat = np.full((6, 7, 3), level, np.uint8)
    colourful = (picture(6) * 255).astype(np.uint8)
    assert np.abs(match_colours(colourful, flat).astype(int) - level).max() <= 3
    grey = (picture(7)[..., :1].repeat(3, axis=2) * 255).astype(np.uint8)
    for style, content in ((flat, colourful), (grey, colourful), (colourful, grey)):
        matrix, offset = colour_transform(style, content)
        assert np.isfinite(matrix).all()
        assert np.isfinite(offset).all()
        assert match_colours(style, content).dtype == np.uint8
    mean = match_colours(grey, colourful).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(mean, colourful.reshape(-1, 3).mean(axis=0), atol=1)


def test_wrong_shapes() -> None:
    with pytest.raises(NstError, match="one size"):
        keep_luminance(picture(0), picture(0, 4, 4))
    with pytest.raises(NstError, match="shape"):
        match_colours(picture(0)[..., 0], picture(0))
