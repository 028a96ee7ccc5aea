"""SOAP: what it is equal to where that is known, and that it helps where Adam is slow."""

from __future__ import annotations

import torch
from torch import Tensor

from train.soap import Soap


def test_scales_and_shifts_take_adams_steps() -> None:
    ours, theirs = (torch.zeros(5, requires_grad=True) for _ in range(2))
    optimisers = (
        Soap([ours], lr=0.1, betas=(0.9, 0.99)),
        torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99)),
    )
    for step in range(30):
        grad = torch.linspace(-1, 1, 5) * (1 + step % 3)
        for weight, optimiser in zip((ours, theirs), optimisers, strict=True):
            weight.grad = grad.clone()
            optimiser.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_first_step_of_a_convolution_only_looks() -> None:
    weight = torch.ones(4, 3, 3, 3, requires_grad=True)
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    Soap([weight], lr=0.1).step()
    assert torch.equal(weight, torch.ones_like(weight))


def test_weights_without_gradient_stay() -> None:
    weight = torch.ones(4, 3, requires_grad=True)
    Soap([weight], lr=0.1).step()
    assert torch.equal(weight, torch.ones(4, 3))


def test_steps_do_not_depend_on_how_the_channels_are_mixed() -> None:
    """Adam's do: it scales weight by weight. SOAP's are turned as the gradients are."""
    made = torch.Generator().manual_seed(1)
    size, kind = (6, 6), torch.float64
    mix = torch.linalg.qr(torch.randn(size, generator=made, dtype=kind))[0]
    grads = [torch.randn(size, generator=made, dtype=kind) for _ in range(12)]

    def walk(turn: Tensor) -> Tensor:
        weight = torch.zeros(size, dtype=kind, requires_grad=True)
        optimiser = Soap([weight], lr=0.1)
        for grad in grads:
            weight.grad = turn @ grad
            optimiser.step()
        return weight.detach()

    assert torch.allclose(mix @ walk(torch.eye(6, dtype=kind)), walk(mix))


def test_it_is_ahead_of_adam_where_inputs_are_alike() -> None:
    """A linear layer whose inputs nearly agree, as features of neighbouring pixels do."""
    made = torch.Generator().manual_seed(2)
    inputs = torch.randn(256, 1, generator=made) + 0.1 * torch.randn(256, 16, generator=made)
    wanted = torch.randn(8, 16, generator=made)

    def loss_after(kind: type[torch.optim.Optimizer]) -> float:
        weight = torch.zeros(8, 16, requires_grad=True)
        optimiser = kind([weight], lr=0.03, betas=(0.9, 0.95))  # type: ignore[call-arg]
        for _ in range(200):
            optimiser.zero_grad()
            loss = ((inputs @ (weight - wanted).T) ** 2).mean()
            loss.backward()
            optimiser.step()
        return float(loss.detach())

    assert loss_after(Soap) < 0.5 * loss_after(torch.optim.Adam)


def test_a_resumed_training_goes_on_as_an_unbroken_one() -> None:
    def walk(optimiser: Soap, weight: Tensor, steps: range) -> None:
        for step in steps:
            weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(step))
            optimiser.step()

    whole = torch.zeros(4, 2, 3, 3, requires_grad=True)
    walk(Soap([whole], lr=0.1), whole, range(25))
    half = torch.zeros(4, 2, 3, 3, requires_grad=True)
    first = Soap([half], lr=0.1)
    walk(first, half, range(13))
    second = Soap([half], lr=0.5)
    second.load_state_dict(first.state_dict())
    walk(second, half, range(13, 25))
    assert torch.equal(whole, half)
