import pytest
import torch

from train.grid import grid_power


@pytest.mark.parametrize("period", [2, 4])
def test_power_of_stripes_is_their_variance(period: int) -> None:
    stripes = torch.zeros(1, 3, 70, 96)
    stripes[..., ::period] = 0.1
    share = 1 / period
    expected = torch.tensor([0.01 * share * (1 - share)])
    torch.testing.assert_close(grid_power(stripes), expected)
    torch.testing.assert_close(grid_power(stripes.transpose(2, 3)), expected)


def test_stripes_of_opposite_phase_in_the_halves_do_not_hide() -> None:
    stripes = torch.zeros(2, 1, 64, 64)
    stripes[..., :32:4] = stripes[..., 34::4] = 0.1
    assert grid_power(stripes).min() > 1e-3


def test_other_stripes_and_noise_have_next_to_none() -> None:
    x = torch.arange(192)
    waves = torch.sin(2 * torch.pi * x / 5.3).expand(1, 3, 192, 192) / 10
    assert grid_power(waves).item() < 1e-3 * waves.var()
    noise = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(0)) / 10
    assert grid_power(noise).item() < 5e-3 * noise.var()


def test_it_can_be_learned_away() -> None:
    stripes = torch.zeros(1, 1, 32, 32)
    stripes[..., ::4] = 0.1
    stripes.requires_grad_()
    (gradient,) = torch.autograd.grad(grid_power(stripes).sum(), stripes)
    assert grid_power(stripes - 5 * 32 * gradient).item() < grid_power(stripes).item()
