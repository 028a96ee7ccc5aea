from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from nst.errors import NstError
from nst.losses import LossConfig, PerceptualLoss
from nst.losses.affine import affine_loss
from nst.optimise import Method, Step, Style, Subject
from nst.optimise.matting import locally_affine, matting_laplacian
from nst.optimise.memory import bytes_per_pixel, footprint
from nst.optimise.photographic import photographic, total_iterations

METHOD = Method(iterations=6, start="noise")


def photo(height: int, width: int, seed: int) -> Tensor:
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


@pytest.fixture
def loss(small_weights) -> PerceptualLoss:  # type: ignore[no-untyped-def]
    config = LossConfig(
        content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0}, affine_weight=1e-3
    )
    return PerceptualLoss(config, weights=small_weights)


@pytest.fixture
def subject() -> Subject:
    return Subject(photo(24, 28, 1), (Style(photo(20, 24, 2)),))


def stages(steps: list[Step]) -> list[list[Step]]:
    return [[s for s in steps if s.level == level] for level in range(steps[0].levels)]


def test_two_stages_and_a_smoothing(loss: PerceptualLoss, subject: Subject) -> None:
    steps = list(photographic(loss, subject, METHOD))
    first, second, last = stages(steps)
    assert [s.iteration for s in first] == list(range(7))
    assert [s.iteration for s in second] == list(range(6, 13))
    assert [s.iteration for s in last] == [12]
    assert total_iterations(METHOD) == 12
    assert [s.evaluations for s in steps] == list(range(1, 16))
    assert all(a.seconds <= b.seconds for a, b in pairwise(steps))
    assert all(last[0].beats(s) for s in steps[:-1])


def test_first_stage_has_no_affine_term(loss: PerceptualLoss, subject: Subject) -> None:
    first, second, _ = stages(list(photographic(loss, subject, METHOD)))
    assert all(s.affine == 0 for s in first)
    assert all(s.total == pytest.approx(s.content + 5 * s.style, rel=1e-5) for s in first)
    assert all(
        s.total == pytest.approx(s.content + 5 * s.style + 1e-3 * s.affine, rel=1e-5)
        for s in second
    )


def test_second_stage_goes_on_from_the_best_of_the_first(
    loss: PerceptualLoss, subject: Subject
) -> None:
    first, second, _ = stages(list(photographic(loss, subject, METHOD)))
    best = min(first, key=lambda s: s.total)
    torch.testing.assert_close(second[0].image, best.image)
    energy = affine_loss(best.image, matting_laplacian(subject.content))
    assert second[0].affine == pytest.approx(energy.item(), rel=1e-4)
    assert second[-1].affine < 0.5 * second[0].affine


def test_last_picture_is_the_best_one_smoothed(loss: PerceptualLoss, subject: Subject) -> None:
    _, second, (last,) = stages(list(photographic(loss, subject, METHOD)))
    best = min(second, key=lambda s: s.total)
    torch.testing.assert_close(last.image, locally_affine(best.image, subject.content))
    terms = loss(last.image, loss.content_targets(subject.content))
    assert last.total == pytest.approx(terms.total.item(), rel=1e-5)
    assert last.affine < best.affine


def test_no_masks_are_one_region(loss: PerceptualLoss, subject: Subject) -> None:
    plain = list(photographic(loss, subject, METHOD))
    style = replace(subject.styles[0], masks=torch.ones(1, 20, 24))
    masked = replace(subject, styles=(style,), masks=torch.ones(1, 24, 28))
    same = list(photographic(loss, masked, METHOD))
    torch.testing.assert_close(same[3].image, plain[3].image, rtol=0, atol=1e-3)
    assert same[0].total == pytest.approx(plain[0].total, rel=1e-5)


def test_masks_guide_both_stages(loss: PerceptualLoss) -> None:
    """A grey photo takes the colour of the style's half that its mask names."""
    style = torch.zeros(1, 3, 24, 28)
    style[:, 0, :, :14] = 1.0
    style[:, 2, :, 14:] = 1.0
    right = torch.zeros(1, 24, 28)
    right[..., 14:] = 1.0
    subject = Subject(
        photo(24, 28, 1).mean(1, keepdim=True).expand(1, 3, 24, 28),
        (Style(style, masks=torch.cat([right, 1 - right])),),
        torch.cat([1 - right, right]),
    )
    method = Method(iterations=30)
    for stage in stages(list(photographic(loss, subject, method))):
        red, _, blue = stage[-1].image[0]
        assert (blue - red)[:, :8].mean() > 0.1
        assert (red - blue)[:, -8:].mean() > 0.1


@pytest.mark.parametrize("clipped", [{"clip": True}, {"clip_last": True}])
def test_last_picture_is_clipped(
    loss: PerceptualLoss, subject: Subject, clipped: dict[str, bool]
) -> None:
    steps = list(photographic(loss, subject, replace(METHOD, **clipped)))
    assert 0 <= steps[-1].image.min() <= steps[-1].image.max() <= 1
    outside = any(s.image.max() > 1 or s.image.min() < 0 for s in steps[:-1])
    assert outside == ("clip_last" in clipped)


def test_levels_come_before_the_stages(loss: PerceptualLoss) -> None:
    subject = Subject(photo(64, 136, 1), (Style(photo(128, 128, 2)),))
    subject = replace(subject, content=photo(128, 136, 1))
    method = Method(iterations=[2, 1], start="content")
    steps = list(photographic(loss, subject, method))
    assert [s.level for s in steps] == [0, 0, 0, 1, 1, 2, 2, 3]
    assert {s.levels for s in steps} == {4}
    assert [s.iteration for s in steps] == [0, 1, 2, 2, 3, 3, 4, 4]
    assert total_iterations(method) == 4


def test_memory_of_the_laplacian_is_counted(loss: PerceptualLoss) -> None:
    plain, matting = (footprint(x, METHOD) for x in (loss.without_affine(), loss))
    matrix = matting_laplacian(photo(40, 50, 1))
    held = sum(a.nbytes for a in (matrix.data, matrix.indices, matrix.indptr)) / (40 * 50)
    counted = bytes_per_pixel(matting) - bytes_per_pixel(plain)
    assert held < counted < 1.5 * held


def test_wrong_input_is_refused_before_the_work(loss: PerceptualLoss, subject: Subject) -> None:
    with pytest.raises(NstError, match="masks"):
        photographic(loss, replace(subject, masks=torch.ones(1, 24, 28)), METHOD)
