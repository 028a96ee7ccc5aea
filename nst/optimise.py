"""The reference: Gatys' method, the pixels themselves optimised on the perceptual loss.

The engine yields a record after each evaluation; it prints nothing and writes no file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nst.errors import NstError, unknown
from nst.losses import PerceptualLoss

STARTS = ("content", "noise")
# L-BFGS drops curvature pairs below 1e-10, and its first step is 1 / |gradient|₁ long.
_LOSS_SCALE = 1000.0
_EXPLODED = 10.0


@dataclass(frozen=True)
class Step:
    """The state after an iteration; iteration 0 is the start.

    Attributes:
        iteration: Updates of the picture so far.
        evaluations: Evaluations of loss and gradient so far.
        total: The loss that is minimised.
        content: Its content term, without weight.
        style: Its style term, without weight.
        tv: Its total variation, without weight.
        seconds: Since the start of the optimisation.
        image: The picture these losses are of, (1, 3, H, W) float32, about [0, 1].
    """

    iteration: int
    evaluations: int
    total: float
    content: float
    style: float
    tv: float
    seconds: float
    image: Tensor


def start_image(start: str, content: Tensor, seed: int = 0) -> Tensor:
    """The picture that an optimisation starts from.

    Args:
        start: "content", or "noise" for uniform noise in [0, 1].
        content: (1, 3, H, W) in [0, 1].
        seed: Seed of the noise.

    Raises:
        NstError: Unknown start.
    """
    if start not in STARTS:
        raise unknown("start", start, STARTS)
    if start == "content":
        return content.clone()
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(content.shape, generator=generator).to(content.device)


def optimise(
    loss: PerceptualLoss,
    content: Tensor,
    *,
    start: str = "content",
    iterations: int = 300,
    history: int = 20,
    clip: bool = False,
    seed: int = 0,
) -> Iterator[Step]:
    """Minimise the loss over the pixels with L-BFGS (Gatys et al. 2016).

    Each iteration is one evaluation: there is no line search, and no tolerance ends it early.
    When the loss becomes infinite or explodes, it starts again from the best picture
    so far, with half the step.

    Args:
        loss: With its style set.
        content: The content picture, (1, 3, H, W) in [0, 1].
        start: "content" or "noise".
        iterations: Updates of the picture.
        history: Curvature pairs that L-BFGS keeps.
        clip: Clip the pixels to [0, 1] after every update, as Johnson et al. 2016 did.
        seed: Seed of the noise.

    Yields:
        iterations + 1 records, the start first.

    Raises:
        NstError: Unknown start, a number out of range, or a loss that is never finite.
    """
    if iterations < 0 or history < 1:
        raise NstError(f"{iterations} iterations with history {history}: give at least 0 and 1.")
    image = start_image(start, content, seed).contiguous().requires_grad_()
    targets = loss.content_targets(content)
    rate = 1.0
    optimiser = _lbfgs(image, history, rate)
    began = time.perf_counter()
    best, best_image = math.inf, image.detach().clone()
    for iteration in range(iterations + 1):
        terms = loss(image, targets)
        (gradient,) = torch.autograd.grad(_LOSS_SCALE * terms.total.sum(), image)
        total = terms.total.item()
        if total < best:
            best, best_image = total, image.detach().clone()
        current = image.detach().clone()
        yield Step(
            iteration,
            iteration + 1,
            total,
            terms.content.item(),
            terms.style.item(),
            terms.tv.item(),
            time.perf_counter() - began,
            current,
        )
        if not math.isfinite(best):
            raise NstError("the loss of the start is not finite: check the weights of the loss.")
        with torch.no_grad():
            if not (total <= _EXPLODED * best and bool(torch.isfinite(gradient).all())):
                image.copy_(best_image)
                rate /= 2
                optimiser = _lbfgs(image, history, rate)
                continue
            _update(optimiser, image, gradient, _LOSS_SCALE * total)
            if clip:
                image.clamp_(0, 1)
            if torch.equal(image, current):
                # L-BFGS found no way down, and would give the same answer for ever.
                optimiser = _lbfgs(image, history, rate)


def _lbfgs(image: Tensor, history: int, rate: float) -> torch.optim.LBFGS:
    return torch.optim.LBFGS(
        [image],
        lr=rate,
        max_iter=1,
        history_size=history,
        tolerance_grad=0.0,
        # Any smaller step is taken too; -1 would let it go uphill.
        tolerance_change=0.0,
    )


def _update(optimiser: torch.optim.LBFGS, image: Tensor, gradient: Tensor, value: float) -> None:
    """One L-BFGS update from a gradient that is already known."""
    image.grad = gradient.contiguous()
    optimiser.step(lambda: value)  # type: ignore[no-untyped-call]
