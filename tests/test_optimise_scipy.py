"""SciPy's L-BFGS-B, on an objective that is quick to evaluate."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch
from numpy.typing import NDArray
from torch import Tensor

from nst.losses import LossTerms
from nst.optimise import Step, minimise

SHAPE = (1, 3, 6, 7)
TARGET = torch.rand(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Valley:
    """The sum of cosh of the distances from a picture, weighted from 1 to 1000."""

    def __init__(self, scale: float = 1.0, broken_at: int = 0) -> None:
        self.scale, self.broken_at = scale, broken_at
        self.dtypes: list[torch.dtype] = []
        self.seen: set[bytes] = set()

    def __call__(self, image: Tensor) -> LossTerms:
        self.dtypes.append(image.dtype)
        self.seen.add(image.detach().numpy().tobytes())
        steepness = torch.logspace(0, 3, TARGET.numel(), dtype=image.dtype).view(SHAPE)
        each = steepness * ((3 * (image - TARGET.to(image.dtype))).cosh() - 1)
        total = self.scale * each.sum().view(1)
        if len(self.dtypes) == self.broken_at:
            total = total * math.nan
        zero = torch.zeros(1)
        return LossTerms(total, total.detach(), zero, zero, zero)


def run(valley: Valley, start: Tensor, **options: Any) -> list[Step]:
    return list(minimise(valley, start, optimiser="scipy", **options))


def test_records_and_evaluations() -> None:
    valley = Valley()
    start = torch.full(SHAPE, 0.5, dtype=torch.float64)
    steps = run(valley, start, iterations=5, evaluations=4)
    assert [s.iteration for s in steps] == [0, 1, 2, 3, 4, 5]
    assert steps[0].evaluations == 1
    assert steps[-1].evaluations == len(valley.dtypes)
    # No picture is evaluated twice, though each call asks for the one it starts from.
    assert len(valley.seen) == len(valley.dtypes)
    spent = np.diff([s.evaluations for s in steps])
    # The picture a call starts from is one of the four; its last step is completed.
    assert all(3 <= n <= 4 + 20 for n in spent)
    totals = [s.total for s in steps]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] < 0.2 * totals[0]
    assert steps[-1].content == steps[-1].total


def test_is_the_loop_of_the_recipes() -> None:
    """`fmin_l_bfgs_b` with maxfun on pixels up to 255, called again from where it ended."""
    valley = Valley()

    def function(pixels: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        image = torch.from_numpy(pixels / 255).view(SHAPE).requires_grad_()
        total = valley(image).total
        total.backward()  # type: ignore[no-untyped-call]
        assert image.grad is not None
        return total.item(), image.grad.numpy().ravel() / 255

    start = torch.full(SHAPE, 0.5, dtype=torch.float64)
    steps = run(valley, start, iterations=4, evaluations=6, history=10)
    x = 255 * start.numpy().ravel()
    for step in steps[1:]:
        x, value, _ = scipy.optimize.fmin_l_bfgs_b(function, x, maxfun=6)
        assert step.total == pytest.approx(value, rel=1e-6)
        assert np.allclose(step.image.numpy().ravel(), x / 255, atol=1e-6)


def test_float64_outside_and_the_pictures_type_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[NDArray[Any]] = []
    real = scipy.optimize.minimize

    def spy(function: Any, x: NDArray[Any], **options: Any) -> Any:
        def watched(pixels: NDArray[Any]) -> Any:
            value, gradient = function(pixels)
            given.extend([pixels, gradient])
            return value, gradient

        given.append(x)
        return real(watched, x, **options)

    monkeypatch.setattr(scipy.optimize, "minimize", spy)
    valley = Valley()
    steps = run(valley, torch.full(SHAPE, 0.5), iterations=2, evaluations=3)
    assert len(given) > 6
    assert {a.dtype for a in given} == {np.dtype(np.float64)}
    assert set(valley.dtypes) == {torch.float32}
    assert steps[-1].image.dtype == torch.float32


def test_the_best_picture_is_kept_when_the_loss_is_not_finite() -> None:
    for broken_at in range(2, 12):
        steps = run(Valley(broken_at=broken_at), torch.full(SHAPE, 0.5), iterations=4)
        totals = [s.total for s in steps]
        assert totals == sorted(totals, reverse=True)
        assert totals[-1] < 0.1 * totals[0]


def test_small_gradients_do_not_end_it() -> None:
    """The gradient of a relative loss of a large picture is below SciPy's default tolerance."""
    steps = run(Valley(scale=1e-7), torch.full(SHAPE, 0.5), iterations=3)
    assert steps[-1].total < 0.5 * steps[0].total


def test_clipping_bounds_the_solver() -> None:
    """The best picture within the bounds is found, which clipping afterwards would not give."""
    outside = TARGET * 2
    steps = run(Valley(), outside.float(), iterations=3, clip=True)
    assert all(0 <= s.image.min() <= s.image.max() <= 1 for s in steps)
    assert steps[-1].total < 0.01 * steps[0].total
