"""What the solvers share: the objective, an evaluation of it, and the record they yield."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from nst.errors import NstError
from nst.losses import LossTerms

Objective: TypeAlias = Callable[[Tensor], LossTerms]
"""From a picture, (1, 3, H, W), to its loss, differentiable."""


@dataclass(frozen=True)
class Step:
    """The state after an iteration; iteration 0 is the start.

    Iterations, evaluations and seconds count over all levels. The first record of a level is the
    picture as it was passed up, so that its iteration is the last of the level below. Losses of
    different levels cannot be compared: `beats` knows.

    Attributes:
        iteration: Updates of the picture so far; for SciPy's solver, outer iterations.
        evaluations: Evaluations of loss and gradient so far.
        total: The loss that is minimised.
        content: Its content term, without weight.
        style: Its style term, without weight.
        tv: Its total variation, without weight.
        affine: Its affine term, without weight.
        seconds: Since the start of the optimisation.
        image: The picture these losses are of, (1, 3, H, W) float32, about [0, 1].
        level: The level's number, 0 for the coarsest.
        levels: How many levels there are.
    """

    iteration: int
    evaluations: int
    total: float
    content: float
    style: float
    tv: float
    affine: float
    seconds: float
    image: Tensor
    level: int = 0
    levels: int = 1

    def beats(self, other: Step) -> bool:
        """Whether this is the better picture: of a finer level, or of a lower loss."""
        return self.level > other.level or (self.level == other.level and self.total < other.total)


@dataclass(frozen=True)
class Evaluation:
    """The objective at a picture.

    Attributes:
        image: A copy of the picture.
        terms: Its loss.
        total: `terms.total` as a number.
        gradient: Of the total, contiguous.
    """

    image: Tensor
    terms: LossTerms
    total: float
    gradient: Tensor


def evaluate(objective: Objective, image: Tensor) -> Evaluation:
    """Loss and gradient of a picture, (1, 3, H, W)."""
    copy = image.detach().clone(memory_format=torch.contiguous_format)
    with torch.enable_grad():
        pixels = copy.detach().requires_grad_()
        terms = objective(pixels)
        (gradient,) = torch.autograd.grad(terms.total.sum(), pixels)
    # A copy, made when the activations are gone: the gradient itself lies where they were, and for
    # as long as it is kept the next ones need other memory.
    own = gradient.clone(memory_format=torch.contiguous_format)
    return Evaluation(copy, terms, terms.total.item(), own)


def record(
    image: Tensor, terms: LossTerms, *, iteration: int, evaluations: int, began: float
) -> Step:
    """A record of a picture, which gets a copy of its own.

    Args:
        image: (1, 3, H, W), any floating type.
        terms: Its loss.
        iteration: Updates so far.
        evaluations: Evaluations so far.
        began: `time.perf_counter()` at the start.
    """
    return Step(
        iteration,
        evaluations,
        terms.total.item(),
        terms.content.item(),
        terms.style.item(),
        terms.tv.item(),
        terms.affine.item(),
        time.perf_counter() - began,
        image.detach().to(torch.float32, copy=True),
    )


def not_finite() -> NstError:
    """The error for a loss that has no meaning at the start."""
    return NstError("the loss of the start is not finite: check the weights of the loss.")
