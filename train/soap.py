"""SOAP: Adam along the directions in which Shampoo scales (Vyas et al. 2024, arXiv 2409.11321).

A convolution of a style network sees inputs that are alike, channel to channel and pixel to pixel,
so its gradients are large along few directions, which are no single weight's. Adam scales weight by
weight. Scaled along the eigenvectors of the gradients' second moments, the loss is lower after
equal steps (docs/training.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor

_EPS = 1e-8
_EVERY = 10
"""Steps between two corrections of the eigenvectors, which change slowly."""


class Soap(torch.optim.Optimizer):
    """Algorithm 3 of the paper for convolutions, as matrices (outputs, inputs · k · k).

    Adam for what has one dimension: scales and shifts. There is no weight decay.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
    ):
        """Take the weights.

        Args:
            params: float32, of any shapes; or groups of them, with "turned" False where Adam is
                to be used for all, as for rows that are no convolution.
            lr: Step in the direction of each eigenvector, and of each of Adam's weights.
            betas: Memory of the gradients, and of their second moments.
        """
        super().__init__(params, {"lr": lr, "betas": betas, "turned": True})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step; the first one of a convolution only finds its eigenvectors.

        Args:
            closure: Evaluates the loss and its gradient first.

        Returns:
            What the closure returned, if there is one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    # Checkpoints from before there were groups do not name it.
                    turned = group.get("turned", True) and weight.ndim > 1
                    update = _update(self.state[weight], weight.grad, group["betas"], turned)
                    if update is not None:
                        weight.sub_(update.view_as(weight), alpha=group["lr"])
        return loss


def _update(
    state: dict[str, Any], grad: Tensor, betas: tuple[float, float], turned: bool
) -> Tensor | None:
    """The step of one tensor for a rate of 1, or None in the first of a convolution."""
    count = state["step"] = state.get("step", 0) + 1
    if not turned:
        return _adam(state, grad, grad, count, betas)
    grad = grad.flatten(1)
    moments = (grad @ grad.T, grad.T @ grad)
    if count == 1:
        state["left"], state["right"] = moments
        state["left_basis"], state["right_basis"] = map(_eigenvectors, moments)
        return None
    left, right = state["left_basis"], state["right_basis"]
    step = _adam(state, grad, left.T @ grad @ right, count - 1, betas, left, right)
    update: Tensor = left @ step @ right.T
    for side, moment in zip(("left", "right"), moments, strict=True):
        state[side].lerp_(moment, 1 - betas[1])
    if count % _EVERY == 0:
        _turn(state)
    return update


def _adam(
    state: dict[str, Any],
    grad: Tensor,
    turned: Tensor,
    count: int,
    betas: tuple[float, float],
    left: Tensor | None = None,
    right: Tensor | None = None,
) -> Tensor:
    """Adam's step (Kingma and Ba 2015, algorithm 1), in the eigenvectors if they are given.

    The mean gradient is kept as it is, since the eigenvectors turn; its squares are kept turned.
    """
    if "mean" not in state:
        state["mean"], state["square"] = torch.zeros_like(grad), torch.zeros_like(grad)
    mean = state["mean"].lerp_(grad, 1 - betas[0])
    square = state["square"].mul_(betas[1]).addcmul_(turned, turned, value=1 - betas[1])
    if left is not None and right is not None:
        mean = left.T @ mean @ right
    root = (square / (1 - betas[1] ** count)).sqrt_().add_(_EPS)
    step: Tensor = mean / (1 - betas[0] ** count) / root
    return step


def _eigenvectors(moment: Tensor) -> Tensor:
    """Of a symmetric matrix, as columns, the largest eigenvalue's first."""
    vectors: Tensor = torch.linalg.eigh(moment)[1]
    return vectors.flip(1)


def _turn(state: dict[str, Any]) -> None:
    """Correct both bases by one power iteration and QR (algorithm 4), in order of eigenvalues."""
    for side, axis in (("left", 0), ("right", 1)):
        moment, basis = state[side], state[f"{side}_basis"]
        order = (basis * (moment @ basis)).sum(0).argsort(descending=True)
        state["square"] = state["square"].index_select(axis, order)
        state[f"{side}_basis"] = torch.linalg.qr(moment @ basis[:, order])[0]
