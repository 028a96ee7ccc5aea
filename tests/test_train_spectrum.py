import pytest
import torch

from train.spectrum import excess_power, power_spectrum


def noise(seed: int, size: int = 128) -> torch.Tensor:
    drawn = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return (0.5 + 0.1 * drawn).clamp(0, 1)


@pytest.fixture
def style() -> torch.Tensor:
    return power_spectrum(noise(0, 96))


def hatching(size: int = 128, period: float = 4.5) -> torch.Tensor:
    x = torch.arange(size)
    return 0.5 + 0.1 * torch.sin(2 * torch.pi * (x + x[:, None]) / period / 2**0.5).expand(
        1, 3, size, size
    )


def test_power_lies_at_the_frequency_of_the_hatching() -> None:
    spectrum = power_spectrum(hatching(period=32 / (5 * 2**0.5)))[0, 0]
    assert divmod(int(spectrum.argmax()), spectrum.shape[1]) == (5, 5)
    # Parseval: the power of white noise of deviation s in windows of weight w is s² Σw².
    taper = torch.hann_window(32, periodic=False)
    expected = 0.1**2 * float((taper[:, None] * taper).square().sum())
    assert power_spectrum(noise(1, 512))[..., 8].mean().item() == pytest.approx(expected, rel=0.05)


def test_hatching_is_found_and_irregular_marks_are_not(style: torch.Tensor) -> None:
    flat = torch.full((1, 3, 128, 128), 0.5)
    assert excess_power(noise(1), flat, style).item() < 1e-3
    assert excess_power(flat, flat, style).item() == 0
    found = excess_power(torch.cat([hatching(), noise(1)]), flat.expand(2, 3, 128, 128), style)
    assert found[0] > 0.05
    assert found[1] < 1e-3


def test_what_the_photo_or_the_style_repeats_may_stay(style: torch.Tensor) -> None:
    flat = torch.full((1, 3, 128, 128), 0.5)
    assert excess_power(hatching(), hatching(), style).item() == 0
    assert excess_power(hatching(), flat, power_spectrum(hatching())).item() == 0


def test_shapes_of_half_a_window_are_none(style: torch.Tensor) -> None:
    flat = torch.full((1, 3, 128, 128), 0.5)
    assert excess_power(hatching(period=24), flat, style).item() < 1e-2


def test_it_can_be_learned_away(style: torch.Tensor) -> None:
    flat = torch.full((1, 3, 64, 64), 0.5)
    picture = hatching(64).clone().requires_grad_()
    before = excess_power(picture, flat, style).sum()
    (gradient,) = torch.autograd.grad(before, picture)
    assert gradient.isfinite().all()
    after = excess_power(picture - 0.01 * gradient / gradient.abs().max(), flat, style)
    assert after.item() < 0.95 * before.item()


def test_gradients_of_flat_pictures_are_finite(style: torch.Tensor) -> None:
    flat = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(excess_power(flat, flat.detach(), style).sum(), flat)
    assert gradient.isfinite().all()
