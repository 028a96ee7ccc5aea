import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nst.errors import NstError
from nst.losses import LossConfig, LossTerms, PerceptualLoss
from nst.optimise import optimise, start_image


@pytest.fixture
def loss(small_weights) -> PerceptualLoss:  # type: ignore[no-untyped-def]
    config = LossConfig(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0})
    built = PerceptualLoss(config, weights=small_weights)
    built.set_style(torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1)))
    return built


@pytest.fixture
def photo() -> Tensor:
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.interpolate(coarse, (24, 28), mode="bilinear")


@pytest.mark.parametrize("start", ["content", "noise"])
def test_reduces_the_loss(loss: PerceptualLoss, photo: Tensor, start: str) -> None:
    steps = list(optimise(loss, photo, start=start, iterations=25))
    assert [s.iteration for s in steps] == list(range(26))
    assert steps[-1].total < 0.5 * steps[0].total
    assert steps[-1].seconds >= steps[1].seconds > 0


def test_a_record_holds_the_losses_of_its_own_picture(loss: PerceptualLoss, photo: Tensor) -> None:
    for step in optimise(loss, photo, iterations=3):
        terms = loss(step.image, loss.content_targets(photo))
        assert step.total == pytest.approx(terms.total.item(), rel=1e-5)
        assert step.content == pytest.approx(terms.content.item(), rel=1e-4, abs=1e-9)
        assert step.style == pytest.approx(terms.style.item(), rel=1e-4)


def test_first_record_is_the_start(loss: PerceptualLoss, photo: Tensor) -> None:
    assert torch.equal(next(optimise(loss, photo)).image, photo)
    noise = next(optimise(loss, photo, start="noise", seed=3)).image
    assert torch.equal(noise, start_image("noise", photo, 3))
    assert not torch.equal(noise, start_image("noise", photo, 4))


def test_clip_keeps_pixels_in_range(loss: PerceptualLoss, photo: Tensor) -> None:
    for step in optimise(loss, photo, start="noise", iterations=10, clip=True):
        assert 0 <= step.image.min() <= step.image.max() <= 1


class Exploding(PerceptualLoss):
    """The loss, but not a number at one evaluation."""

    bad_at = 6
    calls = 0

    def forward(self, image: Tensor, targets: dict[str, Tensor]) -> LossTerms:  # type: ignore[override]
        terms = super().forward(image, targets)
        self.calls += 1
        bad = math.nan if self.calls == self.bad_at else 1.0
        return replace(terms, total=terms.total * bad)


def test_starts_again_from_the_best_when_the_loss_is_not_finite(
    small_weights,
    photo: Tensor,  # type: ignore[no-untyped-def]
) -> None:
    config = LossConfig(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0})
    loss = Exploding(config, weights=small_weights)
    loss.set_style(torch.rand(1, 3, 24, 24))
    steps = list(optimise(loss, photo, iterations=20))
    assert math.isnan(steps[5].total)
    assert steps[6].total == min(s.total for s in steps[:5])
    assert min(s.total for s in steps[7:]) < 0.8 * steps[6].total
    loss.calls, loss.bad_at = 0, 1
    with pytest.raises(NstError, match="not finite"):
        list(optimise(loss, photo, iterations=20))


def test_wrong_arguments(loss: PerceptualLoss, photo: Tensor) -> None:
    with pytest.raises(NstError, match="did you mean 'noise'"):
        list(optimise(loss, photo, start="nois"))
    with pytest.raises(NstError, match="-1 iterations"):
        list(optimise(loss, photo, iterations=-1))
