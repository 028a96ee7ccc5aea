"""Pictures in [0, 1] whose gradient leads back from beyond."""

from __future__ import annotations

from pathlib import Path

import torch

from train.clip import clipped
from train.module import StyleModule

STYLE = Path(__file__).parents[1] / "nst" / "styles" / "ink.jpg"


def test_values_are_clamped_and_the_gradient_never_leads_further_out() -> None:
    values = torch.tensor([-0.5, -0.5, 0.3, 0.3, 1.5, 1.5], requires_grad=True)
    uphill = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    pictures = clipped(values)
    assert pictures.tolist() == values.detach().clamp(0, 1).tolist()
    pictures.backward(uphill)
    # Descent goes against it: below 0 only a negative one leads back, above 1 a positive one.
    assert values.grad is not None
    assert values.grad.tolist() == [0.0, -1.0, 1.0, -1.0, 1.0, 0.0]


def test_descent_from_beyond_ends_at_a_target_inside() -> None:
    values = torch.tensor([-2.0, 3.0], requires_grad=True)
    optimiser = torch.optim.SGD([values], lr=0.5)
    for _ in range(50):
        optimiser.zero_grad()
        (clipped(values) - 0.25).square().sum().backward()
        optimiser.step()
    torch.testing.assert_close(values.detach(), torch.full((2,), 0.25), atol=1e-3, rtol=0)


def test_a_training_sees_what_is_saved() -> None:
    module = StyleModule(str(STYLE), 64, network="live", width=2, blocks=1, init="none")
    bias = module.net.body[-1].bias
    assert isinstance(bias, torch.Tensor)
    with torch.no_grad():
        bias.fill_(100.0)  # whiter than white
    pictures = module.stylised(torch.rand(1, 3, 16, 16))
    assert module.net(torch.rand(1, 3, 16, 16)).max() > 1
    assert pictures.max() == 1.0
