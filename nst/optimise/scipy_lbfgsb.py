"""SciPy's L-BFGS-B as the recipes in Keras call it: a few evaluations at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nst.optimise.steps import Evaluation, Objective, Step, evaluate, not_finite, record

# SciPy's variables are pixels up to 255, as the recipes': its first step and tolerances have units.
_WHITE = 255.0


def lbfgsb(
    objective: Objective,
    image: Tensor,
    *,
    iterations: int,
    evaluations: int,
    history: int,
    clip: bool,
) -> Iterator[Step]:
    """`fmin_l_bfgs_b` again and again, each time from the best picture so far.

    Each call forgets the curvature of the one before. SciPy ends it after the first whole step, of
    one evaluation or a few, that reaches more than `evaluations`.

    Args:
        objective: What is minimised; it gets pictures of the type of `image`, all else is float64.
        image: The start, (1, 3, H, W).
        iterations: Calls, the recipes' outer iterations.
        evaluations: Evaluations of a call, SciPy's `maxfun`.
        history: Curvature pairs that are kept, SciPy's `m` (its default is 10).
        clip: Bound the pixels to [0, 1].

    Yields:
        iterations + 1 records of the best picture so far, the start first.

    Raises:
        NstError: The loss of the start is not finite.
    """
    from scipy.optimize import Bounds, minimize

    began = time.perf_counter()
    function = _Function(objective, image)
    bounds = Bounds(0.0, _WHITE) if clip else None
    # gtol is 0: the recipes' gradients never fell below its default, relative losses always do.
    options = {"maxcor": history, "maxfun": evaluations, "gtol": 0.0}
    for iteration in range(iterations + 1):
        if iteration:
            minimize(
                function,
                function.best_pixels,
                jac=True,
                method="L-BFGS-B",
                bounds=bounds,
                options=options,
            )
        best = function.best
        yield record(
            best.image,
            best.terms,
            iteration=iteration,
            evaluations=function.evaluations,
            began=began,
        )


class _Function:
    """The objective as SciPy calls it, which keeps the best picture.

    Attributes:
        best: The evaluation with the lowest loss.
        best_pixels: Its picture as SciPy gave it, (3·H·W,) float64 up to 255.
        evaluations: Evaluations so far.
    """

    def __init__(self, objective: Objective, image: Tensor) -> None:
        self._objective, self._like = objective, image
        self.best_pixels = _to_scipy(image) * _WHITE
        self.best = evaluate(objective, image)
        self.evaluations = 1
        if not math.isfinite(self.best.total):
            raise not_finite()

    def __call__(self, pixels: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Loss and gradient; what is known of the best picture is not computed again."""
        if np.array_equal(pixels, self.best_pixels):
            return self._answer(self.best)
        image = torch.from_numpy(pixels / _WHITE).view(self._like.shape).to(self._like)
        found = evaluate(self._objective, image)
        self.evaluations += 1
        if found.total < self.best.total:
            self.best, self.best_pixels = found, pixels.copy()
        return self._answer(found)

    @staticmethod
    def _answer(found: Evaluation) -> tuple[float, NDArray[np.float64]]:
        return found.total, _to_scipy(found.gradient) / _WHITE


def _to_scipy(tensor: Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.detach().double().cpu().numpy().ravel()
    return array
