"""The solvers that torch has: L-BFGS without line search (Gatys et al. 2016), and Adam."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nst.optimise.preconditioner import EVALUATIONS, apply, curvature, scales
from nst.optimise.steps import Objective, Step, evaluate, not_finite, record

# What L-BFGS sees as the loss of the start. It has thresholds with a unit (pairs with s·y below
# 1e-10 are dropped, a first step is no longer than the gradient), and losses of published weights
# reach 1e19, whose squares overflow.
_START = 1000.0
_EXPLODED = 10.0
# Root mean squares of updates, for pixels in [0, 1]. The first update of L-BFGS in torch's way is
# too small to learn from: at a pale start its curvature is next to nothing, and the second update
# then throws the picture out of its range.
_FIRST = 0.02
_LONGEST = 0.05

_Make: TypeAlias = Callable[[Tensor, float], torch.optim.Optimizer]
"""From what is changed and a factor of the step, an optimiser of it."""


def lbfgs(
    objective: Objective,
    image: Tensor,
    *,
    iterations: int,
    history: int,
    clip: bool,
    precondition: int = 0,
) -> Iterator[Step]:
    """L-BFGS, one evaluation in each iteration: no line search, and no tolerance ends it early.

    Args:
        objective: What is minimised.
        image: The start, (1, 3, H, W).
        iterations: Updates of the picture.
        history: Curvature pairs that are kept.
        clip: Clip the pixels to [0, 1] after every update, as Johnson et al. 2016 did.
        precondition: Updates in plain pixels, after which the curvature is measured and the
            coordinates scaled by it; 0 for never. The curvature of a start such as noise says
            little of the picture's.

    Yields:
        iterations + 1 records, the start first.

    Raises:
        NstError: The loss of the start is not finite.
    """

    def make(change: Tensor, rate: float) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            [change],
            lr=rate,
            max_iter=1,
            history_size=history,
            tolerance_grad=0.0,
            # Any smaller step is taken too; -1 would let it go uphill.
            tolerance_change=0.0,
        )

    return _descend(
        objective,
        image,
        make,
        iterations,
        clip,
        seen=_START,
        worst=_EXPLODED,
        precondition=precondition,
    )


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

    def make(change: Tensor, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam([change], lr=rate * learning_rate)

    return _descend(objective, image, make, iterations, clip)


def _descend(
    objective: Objective,
    start: Tensor,
    make: _Make,
    iterations: int,
    clip: bool,
    *,
    seen: float | None = None,
    worst: float = math.inf,
    precondition: int = 0,
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
    rate, measurements = 1.0, 0
    # Of each band of frequencies; none as long as the coordinates are pixels.
    scaling: Tensor | None = None
    # What the optimiser changes: the way from the picture as it is, in its own coordinates. Both
    # solvers look at gradients and their own steps alone, never at the place.
    change = torch.zeros_like(pixels)
    optimiser = make(change, rate)
    for iteration in range(iterations + 1):
        if iteration:
            now = evaluate(objective, pixels)
        if now.total < best.total:
            best = now
        evaluations = iteration + 1 + measurements
        yield record(
            now.image, now.terms, iteration=iteration, evaluations=evaluations, began=began
        )
        if iteration == iterations:
            return
        if precondition and iteration == precondition:
            scaling = scales(curvature(objective, best.image))
            measurements = EVALUATIONS
            _take_along(optimiser.state[change], scaling, change.shape)
        with torch.no_grad():
            if not (now.total <= worst * best.total and bool(now.gradient.isfinite().all())):
                pixels.copy_(best.image)
                rate /= 2
                optimiser = make(change, rate)
                continue
            pixels += _update(
                optimiser,
                change,
                scale * now.gradient,
                scale * now.total,
                scaling,
                rate,
                limited=precondition > 0,
            )
            if clip:
                pixels.clamp_(0, 1)
                if scaling is None:
                    _learn_from(pixels - now.image, optimiser, change)
            if torch.equal(pixels, now.image):
                # L-BFGS found no way down, and would give the same answer for ever.
                optimiser = make(change, rate)


def _take_along(state: dict[str, Any], scaling: Tensor, shape: torch.Size) -> None:
    """Move what L-BFGS learned in pixels to the coordinates that it goes on in.

    With pixels x = S z, steps s become S⁻¹ s and differences of gradients y become S y, and s·y is
    the same. To begin anew there cost about eight iterations, and the loss rose at first.
    """

    def moved(flat: Tensor, *, inverse: bool) -> Tensor:
        return apply(scaling, flat.view(shape), inverse=inverse).flatten()

    # There is none yet where the first gradient was zero.
    if "d" in state:
        state["d"] = moved(state["d"], inverse=True)
        state["old_stps"] = [moved(step, inverse=True) for step in state["old_stps"]]
        state["prev_flat_grad"] = moved(state["prev_flat_grad"], inverse=False)
        state["old_dirs"] = [moved(y, inverse=False) for y in state["old_dirs"]]


def _learn_from(moved: Tensor, optimiser: torch.optim.Optimizer, change: Tensor) -> None:
    """Have L-BFGS learn from the step that clipping left: that it asked for misled it for long."""
    if isinstance(optimiser, torch.optim.LBFGS):
        state = optimiser.state[change]
        # It takes d · t for its step, and has neither where the first gradient was zero.
        if state.get("t"):
            state["d"] = moved.flatten() / state["t"]


def _update(
    optimiser: torch.optim.Optimizer,
    change: Tensor,
    gradient: Tensor,
    value: float,
    scaling: Tensor | None,
    rate: float,
    *,
    limited: bool,
) -> Tensor:
    """The update of the pixels from a gradient that is already known."""
    first = not optimiser.state[change]
    change.zero_()
    change.grad = gradient if scaling is None else apply(scaling, gradient)
    optimiser.step(lambda: value)
    if not limited:
        return change
    moved = change if scaling is None else apply(scaling, change)
    length = moved.square().mean().sqrt().item()
    if not length or (not first and length <= _LONGEST):
        return moved
    factor = (rate * _FIRST if first else _LONGEST) / length
    # L-BFGS learns from the step that it believes to have taken.
    optimiser.state[change]["t"] *= factor
    return factor * moved
