"""The solvers that torch has: L-BFGS without line search (Gatys et al. 2016), and Adam."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from nst.optimise.steps import Objective, Step, evaluate, not_finite, record

# What L-BFGS sees as the loss of the start. It has thresholds with a unit (pairs with s·y below
# 1e-10 are dropped, a first step is no longer than the gradient), and losses of published weights
# reach 1e19, whose squares overflow.
_START = 1000.0
_EXPLODED = 10.0

_Make: TypeAlias = Callable[[Tensor, float], torch.optim.Optimizer]
"""From the picture and a factor of the step, an optimiser of the picture."""


def lbfgs(
    objective: Objective, image: Tensor, *, iterations: int, history: int, clip: bool
) -> Iterator[Step]:
    """L-BFGS, one evaluation in each iteration: no line search, and no tolerance ends it early.

    Args:
        objective: What is minimised.
        image: The start, (1, 3, H, W).
        iterations: Updates of the picture.
        history: Curvature pairs that are kept.
        clip: Clip the pixels to [0, 1] after every update, as Johnson et al. 2016 did.

    Yields:
        iterations + 1 records, the start first.

    Raises:
        NstError: The loss of the start is not finite.
    """

    def make(pixels: Tensor, rate: float) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            [pixels],
            lr=rate,
            max_iter=1,
            history_size=history,
            tolerance_grad=0.0,
            # Any smaller step is taken too; -1 would let it go uphill.
            tolerance_change=0.0,
        )

    return _descend(objective, image, make, iterations, clip, seen=_START, worst=_EXPLODED)


def adam(
    objective: Objective, image: Tensor, *, iterations: int, learning_rate: float, clip: bool
) -> Iterator[Step]:
    """Adam (Kingma and Ba, arXiv 1412.6980) with torch's defaults, one evaluation an iteration.

    Args:
        objective: What is minimised.
        image: The start, (1, 3, H, W).
        iterations: Updates of the picture.
        learning_rate: Of pixels in [0, 1].
        clip: Clip the pixels to [0, 1] after every update.

    Yields:
        iterations + 1 records, the start first.

    Raises:
        NstError: The loss of the start is not finite.
    """

    def make(pixels: Tensor, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam([pixels], lr=rate * learning_rate)

    return _descend(objective, image, make, iterations, clip, seen=None, worst=math.inf)


def _descend(
    objective: Objective,
    start: Tensor,
    make: _Make,
    iterations: int,
    clip: bool,
    *,
    seen: float | None,
    worst: float,
) -> Iterator[Step]:
    """Update a picture by gradients; where the loss explodes, go on from the best so far.

    It then takes half the step. A loss of more than `worst` times the best counts as exploded,
    and so does what is not finite. The optimiser gets the loss times what makes it `seen` at the
    start.
    """
    began = time.perf_counter()
    pixels = start.detach().clone(memory_format=torch.contiguous_format)
    now = best = evaluate(objective, pixels)
    if not math.isfinite(best.total):
        raise not_finite()
    scale = seen / abs(best.total) if seen and best.total else 1.0
    rate = 1.0
    optimiser = make(pixels, rate)
    for iteration in range(iterations + 1):
        if iteration:
            now = evaluate(objective, pixels)
        if now.total < best.total:
            best = now
        yield record(
            now.image, now.terms, iteration=iteration, evaluations=iteration + 1, began=began
        )
        with torch.no_grad():
            if not (now.total <= worst * best.total and bool(now.gradient.isfinite().all())):
                pixels.copy_(best.image)
                rate /= 2
                optimiser = make(pixels, rate)
                continue
            _update(optimiser, pixels, scale * now.gradient, scale * now.total)
            if clip:
                pixels.clamp_(0, 1)
            if torch.equal(pixels, now.image):
                # L-BFGS found no way down, and would give the same answer for ever.
                optimiser = make(pixels, rate)


def _update(
    optimiser: torch.optim.Optimizer, pixels: Tensor, gradient: Tensor, value: float
) -> None:
    """One update from a gradient that is already known."""
    pixels.grad = gradient
    optimiser.step(lambda: value)
