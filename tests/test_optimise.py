import math
from dataclasses import replace
from itertools import islice, pairwise

import pytest
import torch
from torch import Tensor

from nst.errors import NstError
from nst.losses import LossTerms, PerceptualLoss
from nst.optimise import Objective, minimise, optimise, start_image

SOLVERS = ["lbfgs", "scipy", "adam"]


@pytest.fixture
def objective(small_loss: PerceptualLoss, small_photo: Tensor) -> Objective:
    targets = small_loss.content_targets(small_photo)
    return lambda image: small_loss(image, targets)


def broken(objective: Objective, at: int) -> Objective:
    """The objective, but not a number at one evaluation, counted from 1."""
    calls = 0

    def evaluate(image: Tensor) -> LossTerms:
        nonlocal calls
        calls += 1
        terms = objective(image)
        return replace(terms, total=terms.total * (math.nan if calls == at else 1.0))

    return evaluate


@pytest.mark.parametrize("start", ["content", "noise"])
def test_reduces_the_loss(small_loss: PerceptualLoss, small_photo: Tensor, start: str) -> None:
    steps = list(optimise(small_loss, small_photo, start=start, iterations=25))
    assert [s.iteration for s in steps] == list(range(26))
    assert [s.evaluations for s in steps] == list(range(1, 27))
    assert steps[-1].total < 0.5 * steps[0].total
    assert steps[-1].seconds >= steps[1].seconds > 0


@pytest.mark.parametrize("optimiser", SOLVERS)
def test_every_solver_reduces_the_loss(
    objective: Objective, small_photo: Tensor, optimiser: str
) -> None:
    before = small_photo.clone()
    steps = list(minimise(objective, small_photo, optimiser=optimiser, iterations=12))
    assert [s.iteration for s in steps] == list(range(13))
    assert torch.equal(steps[0].image, before)
    assert torch.equal(small_photo, before)
    assert steps[-1].total < 0.8 * steps[0].total


@pytest.mark.parametrize("optimiser", SOLVERS)
def test_a_record_holds_the_losses_of_its_own_picture(
    objective: Objective, small_photo: Tensor, optimiser: str
) -> None:
    seen = list(minimise(objective, small_photo, optimiser=optimiser, iterations=3))
    for step in seen:
        terms = objective(step.image)
        assert step.image.dtype == torch.float32
        assert step.total == pytest.approx(terms.total.item(), rel=1e-5)
        assert step.content == pytest.approx(terms.content.item(), rel=1e-4, abs=1e-9)
        assert step.style == pytest.approx(terms.style.item(), rel=1e-4)
        assert step.tv == step.affine == 0


@pytest.mark.parametrize("optimiser", SOLVERS)
def test_a_record_is_not_the_solvers_own(
    objective: Objective, small_photo: Tensor, optimiser: str
) -> None:
    """Whoever changes a record's picture, or leaves at it, harms nothing."""
    first = islice(minimise(objective, small_photo, optimiser=optimiser), 4)
    undisturbed = [s.total for s in first]
    steps = minimise(objective, small_photo, optimiser=optimiser)
    totals = []
    for step in islice(steps, 4):
        totals.append(step.total)
        step.image.fill_(0.0)
    assert totals == undisturbed
    steps.close()  # type: ignore[attr-defined]
    assert next(steps, None) is None


def test_first_record_is_the_start(small_loss: PerceptualLoss, small_photo: Tensor) -> None:
    assert torch.equal(next(optimise(small_loss, small_photo)).image, small_photo)
    noise = next(optimise(small_loss, small_photo, start="noise", seed=3)).image
    assert torch.equal(noise, start_image("noise", small_photo, 3))


@pytest.mark.parametrize("optimiser", SOLVERS)
def test_clip_keeps_pixels_in_range(
    objective: Objective, small_photo: Tensor, optimiser: str
) -> None:
    start = 3 * small_photo - 1
    free = list(minimise(objective, start, optimiser=optimiser, iterations=4))
    assert all(s.image.max() > 1 for s in free)
    for step in minimise(objective, start, optimiser=optimiser, iterations=4, clip=True):
        assert 0 <= step.image.min() <= step.image.max() <= 1
    assert step.total < 0.9 * objective(start.clamp(0, 1)).total


def test_lbfgs_learns_from_the_steps_that_clipping_leaves(
    objective: Objective, small_photo: Tensor
) -> None:
    start = 3 * small_photo - 1
    totals = [s.total for s in minimise(objective, start, iterations=60, clip=True)]
    assert sum(after > 1.02 * before for before, after in pairwise(totals[5:])) == 0


def test_clipping_without_a_gradient_stays_where_it_is(
    objective: Objective, small_photo: Tensor
) -> None:
    def flat(image: Tensor) -> LossTerms:
        terms = objective(image)
        return replace(terms, total=0 * terms.total)

    *_, last = minimise(flat, small_photo, iterations=2, clip=True)
    assert torch.equal(last.image, small_photo)


@pytest.mark.parametrize("optimiser", SOLVERS)
def test_clip_last_changes_the_last_record_alone(
    objective: Objective, small_photo: Tensor, optimiser: str
) -> None:
    start = 3 * small_photo - 1
    free = list(minimise(objective, start, optimiser=optimiser, iterations=2))
    last = list(minimise(objective, start, optimiser=optimiser, iterations=2, clip_last=True))
    for a, b in zip(free[:2], last[:2], strict=True):
        assert torch.equal(a.image, b.image)
    assert torch.equal(last[2].image, free[2].image.clamp(0, 1))
    assert last[2].total == pytest.approx(objective(last[2].image).total.item())
    assert last[2].evaluations == free[2].evaluations + 1
    assert last[2].seconds >= last[1].seconds


def test_adam_is_torchs_step_by_step(objective: Objective, small_photo: Tensor) -> None:
    pixels = small_photo.clone().requires_grad_()
    reference = torch.optim.Adam([pixels], lr=0.03)
    for step in minimise(
        objective, small_photo, optimiser="adam", learning_rate=0.03, iterations=6
    ):
        assert torch.allclose(step.image, pixels, atol=1e-6)
        reference.zero_grad()
        objective(pixels).total.sum().backward()
        reference.step()


@pytest.mark.parametrize("factor", [1e-9, 1e16])
def test_lbfgs_is_the_same_for_losses_of_any_magnitude(
    objective: Objective, small_photo: Tensor, factor: float
) -> None:
    """Published weights make losses from 1e-8 to 1e19."""

    def scaled(image: Tensor) -> LossTerms:
        terms = objective(image)
        return replace(terms, total=factor * terms.total)

    usual = [s.total for s in minimise(objective, small_photo, iterations=20)]
    other = [s.total for s in minimise(scaled, small_photo, iterations=20)]
    assert other[5] == pytest.approx(factor * usual[5], rel=1e-3)
    assert other[20] == pytest.approx(factor * usual[20], rel=0.1)


@pytest.mark.parametrize("optimiser", ["lbfgs", "adam"])
def test_goes_on_from_the_best_when_the_loss_is_not_finite(
    objective: Objective, small_photo: Tensor, optimiser: str
) -> None:
    steps = list(minimise(broken(objective, at=3), small_photo, optimiser=optimiser, iterations=20))
    assert math.isnan(steps[2].total)
    assert steps[3].total == min(s.total for s in steps[:2])
    assert min(s.total for s in steps[4:]) < 0.9 * steps[3].total
    # With half the step, so that it does not run into the same again.
    moves = [(b.image - a.image).abs().sum().item() for a, b in pairwise(steps)]
    assert moves[3] == pytest.approx(0.5 * moves[0], rel=0.02)


@pytest.mark.parametrize("optimiser", SOLVERS)
def test_a_start_whose_loss_is_not_finite(
    objective: Objective, small_photo: Tensor, optimiser: str
) -> None:
    with pytest.raises(NstError, match="not finite"):
        next(minimise(broken(objective, at=1), small_photo, optimiser=optimiser))


def test_a_better_record_is_finer_or_lower(objective: Objective, small_photo: Tensor) -> None:
    step = next(minimise(objective, small_photo))
    assert replace(step, total=1.0).beats(replace(step, total=2.0))
    assert not replace(step, total=2.0).beats(replace(step, total=2.0))
    assert replace(step, total=2.0, level=1).beats(replace(step, total=1.0))
    assert not replace(step, total=1.0).beats(replace(step, total=2.0, level=1))
    assert not replace(step, total=math.nan).beats(step)


def test_wrong_arguments(
    small_loss: PerceptualLoss, small_photo: Tensor, objective: Objective
) -> None:
    """Refused by the call itself, before anything is computed."""
    with pytest.raises(NstError, match="did you mean 'noise'"):
        optimise(small_loss, small_photo, start="nois")
    with pytest.raises(NstError, match="-1 iterations"):
        optimise(small_loss, small_photo, iterations=-1)
    with pytest.raises(NstError, match="did you mean 'lbfgs'"):
        minimise(objective, small_photo, optimiser="lbfg")
    with pytest.raises(NstError, match="history 0"):
        minimise(objective, small_photo, history=0)
    with pytest.raises(NstError, match=r"learning rate is 0\.0"):
        minimise(objective, small_photo, learning_rate=0.0)
    with pytest.raises(NstError, match="0 evaluations"):
        minimise(objective, small_photo, evaluations=0)
