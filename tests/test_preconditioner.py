from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from nst.losses import LossTerms
from nst.optimise import Objective, minimise
from nst.optimise.preconditioner import apply, curvature, scales

Steepness = Callable[[Tensor], Tensor]
"""From frequencies in cycles a pixel to second derivatives."""


def noise(seed: int, height: int = 48, width: int = 61) -> Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def frequencies(height: int, width: int) -> Tensor:
    return torch.fft.fftfreq(height)[:, None].hypot(torch.fft.fftfreq(width)[None])


def valley(steepness: Steepness, channels: tuple[float, float, float] = (1, 1, 1)) -> Objective:
    """½ xᵀ H x, with H diagonal over frequencies and channels."""
    factors = torch.tensor(channels).view(1, 3, 1, 1)

    def objective(x: Tensor) -> LossTerms:
        spectrum = torch.fft.fft2(x, norm="ortho")
        filtered = spectrum * steepness(frequencies(x.shape[2], x.shape[3])) * factors
        total = 0.5 * (x * torch.fft.ifft2(filtered, norm="ortho").real).sum().view(1)
        zero = torch.zeros(1)
        return LossTerms(total, total, zero, zero, zero)

    return objective


def test_finds_the_curvature_of_each_band() -> None:
    def steps(frequency: Tensor) -> Tensor:
        return torch.where(frequency < 0.25, 8.0, 1.0)

    found = curvature(valley(steps, (1.0, 2.0, 4.0)), noise(1, 96, 96))
    assert torch.equal(found, found.transpose(1, 2))
    for band, factor in ((slice(3, 8), 8.0), (slice(8, None), 1.0)):
        mean = found[band].mean(0)
        assert mean.diag().tolist() == pytest.approx([factor, 2 * factor, 4 * factor], rel=0.15)
        assert (mean - mean.diag().diag()).abs().max() < 0.6 * factor


def test_a_picture_that_lacks_bands_takes_the_nearest() -> None:
    found = curvature(valley(torch.ones_like), noise(1, 4, 4))
    assert found.isfinite().all()
    assert curvature(valley(torch.ones_like), noise(1, 1, 1)).isfinite().all()


def test_scales_are_a_power_of_the_inverse() -> None:
    measured = torch.diag_embed(torch.tensor([[4.0, 1.0, 0.04], [1.0, -1.0, 0.0]]))
    found = scales(measured).diagonal(dim1=1, dim2=2)
    assert found[0].tolist() == pytest.approx([1.0, 4**0.4, 100**0.4], rel=1e-4)
    # What does not curve upwards counts as the smallest that is told from noise.
    assert found[1].tolist() == pytest.approx([4**0.4, *[(1 / 0.003) ** 0.4] * 2], rel=1e-4)


def test_scales_of_what_is_nowhere_convex_change_nothing() -> None:
    found = scales(-torch.eye(3).expand(14, 3, 3))
    x = noise(3)
    assert torch.allclose(apply(found, x), x, atol=1e-5)


def test_scaling_is_symmetric() -> None:
    """The same map for pixels and for gradients."""
    root = torch.randn(14, 3, 3, generator=torch.Generator().manual_seed(5))
    bands = root @ root.transpose(1, 2)
    for size in ((48, 61), (5, 4), (1, 1)):
        x, y = noise(1, *size), noise(2, *size)
        assert (apply(bands, x) * y).sum().item() == pytest.approx(
            (x * apply(bands, y)).sum().item(), rel=1e-3, abs=1e-3
        )


def test_the_inverse_undoes_it() -> None:
    root = torch.randn(14, 3, 3, generator=torch.Generator().manual_seed(5))
    bands = root @ root.transpose(1, 2) + torch.eye(3)
    for size in ((48, 61), (5, 4), (1, 1)):
        x = noise(1, *size)
        assert torch.allclose(apply(bands, apply(bands, x), inverse=True), x, atol=1e-4)


def test_what_was_learned_in_pixels_is_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """L-BFGS is the same in coordinates of another unit, unless it begins anew there."""
    doubled = 2 * torch.eye(3).expand(14, 3, 3)
    monkeypatch.setattr("nst.optimise.descent.scales", lambda measured: doubled)
    objective = valley(lambda f: 1e-3 + f**2)

    def totals(after: int) -> list[float]:
        steps = minimise(objective, noise(7), iterations=15, precondition=after)
        return [step.total for step in steps]

    never = totals(99)
    assert never[15] < 0.8 * never[6]
    assert totals(6) == pytest.approx(never, rel=1e-3)


def test_reaches_in_few_iterations_what_pixels_do_not() -> None:
    objective = valley(lambda f: 1e-3 + (f + 0.01) ** 2, (1.0, 0.1, 0.01))

    def best(precondition: int) -> float:
        steps = minimise(objective, noise(7), iterations=40, precondition=precondition)
        return min(step.total for step in steps)

    assert best(5) < 0.1 * best(0)


def test_updates_keep_to_a_length_and_clipped_pixels_to_their_range() -> None:
    objective = valley(lambda f: 1e-3 + f**2)
    steps = list(minimise(objective, noise(7), iterations=20, clip=True, precondition=5))
    lengths = [(b.image - a.image).square().mean().sqrt().item() for a, b in pairwise(steps)]
    assert max(lengths) <= 0.0501
    assert all(step.image.min() >= 0 and step.image.max() <= 1 for step in steps)
    assert steps[-1].total < 0.5 * steps[0].total
