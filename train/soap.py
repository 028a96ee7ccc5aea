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
        params: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
    ):
        """Take the weights.

        Args:
            params: float32, of any shapes.
            lr: Step in the direction of each eigenvector, and of each of Adam's weights.
            betas: Memory of the gradients, and of their second moments.
        """
        super().__init__(params, {"lr": lr, "betas": betas})

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
            weights = [w for w in group["params"] if w.grad is not None]
            ready = [w for w in weights if _prepare(self.state[w], w)]
            if ready:
                updates = _updates([self.state[w] for w in ready], ready, group["betas"])
                torch._foreach_sub_(ready, updates, alpha=group["lr"])
        return loss


def _prepare(state: dict[str, Any], weight: Tensor) -> bool:
    """Count the step; False for the first of a convolution, which only finds its eigenvectors."""
    state["step"] = state.get("step", 0) + 1
    if "mean" in state:
        return True
    grad = weight.grad
    assert grad is not None
    turned = weight.ndim > 1
    grad = grad.flatten(1) if turned else grad
    state["mean"], state["square"] = torch.zeros_like(grad), torch.zeros_like(grad)
    if turned:
        state["left"], state["right"] = _moments(grad)
        state["left_basis"] = _eigenvectors(state["left"])
        state["right_basis"] = _eigenvectors(state["right"])
    return not turned


def _moments(grad: Tensor) -> tuple[Tensor, Tensor]:
    return grad @ grad.T, grad.T @ grad


def _updates(
    states: list[dict[str, Any]], weights: list[Tensor], betas: tuple[float, float]
) -> list[Tensor]:
    """Adam's steps for a rate of 1 (Kingma and Ba 2015, algorithm 1), in the eigenvectors.

    The mean gradients are kept as they are, since the eigenvectors turn; their squares are kept
    turned. All tensors at once: one by one it would be a thousand small kernels on a GPU.
    """
    means, squares = [s["mean"] for s in states], [s["square"] for s in states]
    # Convolutions as matrices.
    grads = [
        w.grad.reshape(mean.shape)
        for w, mean in zip(weights, means, strict=True)
        if w.grad is not None
    ]
    # A convolution's first step is not counted: it moved nothing.
    counts = [s["step"] - ("left" in s) for s in states]
    torch._foreach_lerp_(means, grads, 1 - betas[0])
    turned = _turned(states, grads)
    torch._foreach_mul_(squares, betas[1])
    torch._foreach_addcmul_(squares, turned, turned, 1 - betas[1])
    roots = torch._foreach_div(squares, [1 - betas[1] ** n for n in counts])
    torch._foreach_sqrt_(roots)
    torch._foreach_add_(roots, _EPS)
    steps = torch._foreach_div(_turned(states, means), [1 - betas[0] ** n for n in counts])
    torch._foreach_div_(steps, roots)
    updates = []
    for state, step, grad, weight in zip(states, steps, grads, weights, strict=True):
        if "left" in state:
            step = state["left_basis"] @ step @ state["right_basis"].T
            for side, moment in zip(("left", "right"), _moments(grad), strict=True):
                state[side].lerp_(moment, 1 - betas[1])
            if state["step"] % _EVERY == 0:
                _turn(state)
        updates.append(step.view_as(weight))
    return updates


def _turned(states: list[dict[str, Any]], tensors: list[Tensor]) -> list[Tensor]:
    """Convolutions' gradients along the eigenvectors, others as they are."""
    return [
        s["left_basis"].T @ t @ s["right_basis"] if "left" in s else t
        for s, t in zip(states, tensors, strict=True)
    ]


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
