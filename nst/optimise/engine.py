"""One picture optimised at one size, by any of the solvers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from nst.errors import NstError, unknown
from nst.losses import PerceptualLoss
from nst.optimise.descent import adam, lbfgs
from nst.optimise.scipy_lbfgsb import lbfgsb
from nst.optimise.start import start_image
from nst.optimise.steps import Objective, Step, record

OPTIMISERS = ("lbfgs", "scipy", "adam")


def minimise(
    objective: Objective,
    image: Tensor,
    *,
    optimiser: str = "lbfgs",
    iterations: int = 300,
    history: int = 20,
    learning_rate: float = 0.02,
    evaluations: int = 20,
    clip: bool = False,
    clip_last: bool = False,
    precondition: int = 0,
) -> Iterator[Step]:
    """Minimise an objective over the pixels.

    Args:
        objective: From a picture to its loss, differentiable.
        image: The start, (1, 3, H, W) in about [0, 1]; it is not changed.
        optimiser: "lbfgs" (torch's, one evaluation an iteration), "scipy" (L-BFGS-B in calls of
            `evaluations` each) or "adam".
        iterations: Updates of the picture, or calls of SciPy.
        history: Curvature pairs that both L-BFGS keep.
        learning_rate: Of Adam, for pixels in [0, 1].
        evaluations: Evaluations in each of SciPy's iterations.
        clip: Clip the pixels to [0, 1], those of the start and after every update.
        clip_last: Clip the pixels of the last picture alone.
        precondition: Updates after which "lbfgs" goes on in coordinates scaled by the curvature,
            which it measures then; 0 for never.

    Returns:
        An iterator over iterations + 1 records, the start first, which can be left at any time.

    Raises:
        NstError: Unknown optimiser or a number out of range; while iterating, a loss that is not
            finite at the start.
    """
    check_numbers(optimiser, iterations, history, learning_rate, evaluations)
    start = image.clamp(0, 1) if clip else image
    if optimiser == "lbfgs":
        steps = lbfgs(
            objective,
            start,
            iterations=iterations,
            history=history,
            clip=clip,
            precondition=precondition,
        )
    elif optimiser == "adam":
        steps = adam(
            objective, start, iterations=iterations, learning_rate=learning_rate, clip=clip
        )
    else:
        steps = lbfgsb(
            objective,
            start,
            iterations=iterations,
            evaluations=evaluations,
            history=history,
            clip=clip,
        )
    return _clip_last(objective, steps, iterations) if clip_last else steps


def check_numbers(
    optimiser: str, iterations: int, history: int, learning_rate: float, evaluations: int
) -> None:
    """Refuse what `minimise` cannot take.

    Raises:
        NstError: Unknown optimiser or a number out of range.
    """
    if optimiser not in OPTIMISERS:
        raise unknown("optimiser", optimiser, OPTIMISERS)
    if iterations < 0 or history < 1:
        raise NstError(f"{iterations} iterations with history {history}: give at least 0 and 1.")
    if not 0 < learning_rate < float("inf"):
        raise NstError(f"the learning rate is {learning_rate}: give a number above 0.")
    if evaluations < 1:
        raise NstError(f"{evaluations} evaluations an iteration: give at least 1.")


def _clip_last(objective: Objective, steps: Iterator[Step], last: int) -> Iterator[Step]:
    """The same records, but the last one's picture is clipped to [0, 1] and evaluated again."""
    for step in steps:
        if step.iteration < last:
            yield step
            continue
        clipped = step.image.clamp(0, 1)
        with torch.no_grad():
            terms = objective(clipped)
        counted = record(
            clipped, terms, iteration=last, evaluations=step.evaluations + 1, began=0.0
        )
        yield replace(counted, seconds=step.seconds)


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
    """Minimise a loss that has its style over the pixels with L-BFGS (Gatys et al. 2016).

    Args:
        loss: With its style set.
        content: The content picture, (1, 3, H, W) in [0, 1].
        start: "content" or "noise".
        iterations: Updates of the picture, each of one evaluation.
        history: Curvature pairs that L-BFGS keeps.
        clip: Clip the pixels to [0, 1] after every update, as Johnson et al. 2016 did.
        seed: Seed of the noise.

    Returns:
        An iterator over iterations + 1 records, the start first.

    Raises:
        NstError: Unknown start, a number out of range, or a loss that is not finite at the start.
    """
    image = start_image(start, content, seed)
    targets = loss.content_targets(content)
    return minimise(
        lambda pixels: loss(pixels, targets),
        image,
        iterations=iterations,
        history=history,
        clip=clip,
    )
