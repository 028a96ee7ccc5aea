import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from nst.errors import NstError
from nst.losses.affine import affine_loss
from nst.optimise.matting import locally_affine, matting_laplacian

EPSILON = 1e-7


def photo(height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64)


def dense_laplacian(content: Tensor) -> NDArray[np.float64]:
    """Levin et al. 2008, eq. 12, a window and a pair of its pixels at a time."""
    picture = content[0].permute(1, 2, 0).numpy()
    height, width = picture.shape[:2]
    matrix = np.zeros((height * width, height * width))
    for y, x in itertools.product(range(1, height - 1), range(1, width - 1)):
        window = [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        colours = np.array([picture[p] for p in window])
        mean, covariance = colours.mean(0), np.cov(colours.T, bias=True)
        inverse = np.linalg.inv(covariance + EPSILON / 9 * np.eye(3))
        for (p, a), (q, b) in itertools.product(zip(window, colours, strict=True), repeat=2):
            value = (p == q) - (1 + (a - mean) @ inverse @ (b - mean)) / 9
            matrix[p[0] * width + p[1], q[0] * width + q[1]] += value
    return matrix


@pytest.mark.parametrize("size", [(8, 7), (7, 8), (3, 3), (3, 9), (9, 3), (5, 4)])
def test_laplacian_is_its_formula(size: tuple[int, int]) -> None:
    """The narrow ones too, where two diagonals of the band fall together."""
    content = photo(*size)
    got = matting_laplacian(content)
    np.testing.assert_allclose(got.toarray(), dense_laplacian(content), rtol=0, atol=1e-9)


def test_laplacian_of_flat_areas_is_its_formula() -> None:
    """Where the covariance is nothing and ε alone keeps the inverse finite."""
    content = (photo(8, 7) * 3).round() / 3
    content[..., :4] = 0.5
    got = matting_laplacian(content)
    np.testing.assert_allclose(got.toarray(), dense_laplacian(content), rtol=0, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(3, 9), width=st.integers(3, 9), seed=st.integers(0, 99))
def test_laplacian_is_symmetric_and_positive(height: int, width: int, seed: int) -> None:
    matrix = matting_laplacian(photo(height, width, seed)).toarray()
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_allclose(matrix.sum(1), 0, atol=1e-9)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9


def test_laplacian_is_sparse() -> None:
    matrix = matting_laplacian(photo(20, 30))
    assert matrix.format == "csr"
    assert np.diff(matrix.indptr).max() == 25


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99))
def test_no_energy_in_affine_maps_of_the_colours(seed: int) -> None:
    """At most ε times the squared slope, in each window; any other picture has far more."""
    content = photo(8, 7, seed)
    generator = torch.Generator().manual_seed(seed)
    slope = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    level = torch.randn(3, 1, 1, generator=generator, dtype=torch.float64)
    mapped = torch.einsum("dc,bchw->bdhw", slope, content) + level
    matrix = matting_laplacian(content)
    bound = 6 * 5 * EPSILON * slope.square().sum().item()
    # The rest is rounding.
    assert -1e-11 < affine_loss(mapped, matrix).item() < bound + 1e-11
    assert affine_loss(photo(8, 7, seed + 100), matrix).item() > 0.1


def test_gradient_is_twice_the_product() -> None:
    matrix = matting_laplacian(photo(5, 6))
    image = photo(5, 6, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: affine_loss(x, matrix), image)
    (gradient,) = torch.autograd.grad(affine_loss(image, matrix).sum(), image)
    expected = 2 * matrix.toarray() @ image.detach().numpy().reshape(3, 30, 1)
    np.testing.assert_allclose(gradient.numpy().reshape(3, 30, 1), expected, rtol=1e-9, atol=1e-9)


def test_float32_pictures_lose_nothing() -> None:
    """The sum is of differences of about 1e-6 of its terms."""
    content = photo(8, 7)
    matrix = matting_laplacian(content)
    near = (content + 1e-3 * photo(8, 7, 1)).float()
    exact = affine_loss(near.double(), matrix)
    torch.testing.assert_close(affine_loss(near, matrix), exact.float(), rtol=1e-6, atol=0)


def test_laplacian_of_too_small_a_photo() -> None:
    with pytest.raises(NstError, match="2×5 pixels"):
        matting_laplacian(photo(5, 2))


def guided(result: Tensor, content: Tensor, radius: int, epsilon: float) -> NDArray[np.float64]:
    """The guided filter with a guide in colour, longhand: ridge regression in each window."""
    source, target = (x[0].permute(1, 2, 0).numpy() for x in (content, result))
    height, width = source.shape[:2]
    windows: dict[tuple[int, int], tuple[slice, slice]] = {}
    maps = np.zeros((height, width, 4, 3))
    for y, x in itertools.product(range(height), range(width)):
        rows = slice(max(0, y - radius), y + radius + 1)
        columns = slice(max(0, x - radius), x + radius + 1)
        windows[y, x] = rows, columns
        colours = source[rows, columns].reshape(-1, 3)
        design = np.column_stack([colours, np.ones(len(colours))])
        # Σ ‖target - map‖² / n + ε ‖slope‖²; the constant is free.
        ridge = len(colours) * epsilon * np.diag([1, 1, 1, 0])
        wanted = target[rows, columns].reshape(-1, 3)
        maps[y, x] = np.linalg.solve(design.T @ design + ridge, design.T @ wanted)
    answer = np.zeros_like(target)
    for (y, x), window in windows.items():
        answer[y, x] = np.append(source[y, x], 1) @ maps[window].mean((0, 1))
    return answer


@pytest.mark.parametrize(("radius", "epsilon"), [(1, 1e-4), (2, 1e-2), (4, 1e-4)])
def test_smoothing_is_its_formula(radius: int, epsilon: float) -> None:
    content, result = photo(9, 7), photo(9, 7, 1)
    got = locally_affine(result, content, radius, epsilon)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, guided(result, content, radius, epsilon), rtol=1e-8)


def test_smoothing_keeps_affine_maps_of_the_colours() -> None:
    content = photo(24, 20)
    mixed = 0.5 * content + 0.2 * content.flip(1) + 0.1
    torch.testing.assert_close(locally_affine(mixed, content), mixed, rtol=0, atol=2e-3)
    torch.testing.assert_close(locally_affine(mixed, content, epsilon=1e-12), mixed)


def test_smoothing_takes_noise_away_and_leaves_edges() -> None:
    content = torch.zeros(1, 3, 32, 32, dtype=torch.float64)
    content[..., 16:] = 0.8
    clean = 1 - content
    noisy = clean + 0.1 * (photo(32, 32) - 0.5)
    smooth = locally_affine(noisy, content)
    assert (smooth - clean).abs().mean() < 0.2 * (noisy - clean).abs().mean()
    assert (smooth[..., 15] - smooth[..., 16]).min() > 0.75
    energy = affine_loss(torch.cat([noisy, smooth]), matting_laplacian(content))
    assert energy[1] < 0.01 * energy[0]


def test_smoothing_keeps_the_type() -> None:
    assert locally_affine(photo(8, 8).float(), photo(8, 8).float()).dtype == torch.float32
