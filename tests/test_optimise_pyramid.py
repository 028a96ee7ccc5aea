from dataclasses import replace
from itertools import groupby, islice, pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nst.errors import NstError
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import Method, Step, Style, Subject, minimise, pyramid, render, start_image
from nst.optimise.pyramid import levels


@pytest.fixture(autouse=True)
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels of 8 px and more, so that three fit into a picture that is quick to optimise."""
    monkeypatch.setattr(pyramid, "SMALLEST", 8)


@pytest.fixture
def loss(small_weights: Any) -> PerceptualLoss:
    config = LossConfig(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0})
    return PerceptualLoss(config, weights=small_weights)


def picture(height: int, width: int, seed: int) -> Tensor:
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return interpolate(coarse, (height, width), mode="bilinear")


SUBJECT = Subject(picture(32, 40, 1), (Style(picture(36, 34, 2)),))


def by_level(steps: list[Step]) -> list[list[Step]]:
    return [list(group) for _, group in groupby(steps, key=lambda s: s.level)]


@pytest.mark.parametrize(
    ("iterations", "scale_step", "short_side", "expected"),
    [
        ([120, 60, 30], 2.0, 512, [(0.25, 120), (0.5, 60), (1.0, 30)]),
        ([120, 60, 30], 2.0, 256, [(0.25, 120), (0.5, 60), (1.0, 30)]),
        ([120, 60, 30], 2.0, 253, [(0.5, 180), (1.0, 30)]),
        ([120, 60, 30], 2.0, 126, [(1.0, 210)]),
        ([120, 60, 30], 2.0, 20, [(1.0, 210)]),
        ([9, 8, 7], 2**0.5, 128, [(0.5, 9), (2**-0.5, 8), (1.0, 7)]),
        (300, 2.0, 512, [(1.0, 300)]),
        ([300], 2.0, 20, [(1.0, 300)]),
    ],
)
def test_levels(
    monkeypatch: pytest.MonkeyPatch,
    iterations: list[int] | int,
    scale_step: float,
    short_side: int,
    expected: list[tuple[float, int]],
) -> None:
    """Below 64 px a level is dropped, and the next does its iterations."""
    monkeypatch.undo()
    found = levels(Method(iterations=iterations, scale_step=scale_step), short_side)
    assert [level.iterations for level in found] == [n for _, n in expected]
    assert [level.scale for level in found] == pytest.approx([s for s, _ in expected])


def test_sizes_and_counts(loss: PerceptualLoss) -> None:
    steps = list(render(loss, SUBJECT, Method(iterations=[4, 3, 2])))
    groups = by_level(steps)
    assert [tuple(g[0].image.shape[2:]) for g in groups] == [(8, 10), (16, 20), (32, 40)]
    assert [s.iteration for s in steps] == [0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9]
    assert [s.evaluations for s in steps] == list(range(1, 13))
    assert {s.levels for s in steps} == {3}
    assert [s.level for s in steps] == [0] * 5 + [1] * 4 + [2] * 3
    seconds = [s.seconds for s in steps]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_a_style_too_small_for_a_level_drops_it_too(loss: PerceptualLoss) -> None:
    subject = Subject(SUBJECT.content, (*SUBJECT.styles, Style(picture(40, 14, 3))))
    steps = list(render(loss, subject, Method(iterations=[2, 1])))
    assert [s.image.shape[2] for s in steps] == [32] * 4


def test_the_best_picture_is_passed_up(loss: PerceptualLoss) -> None:
    # So high a learning rate that the last picture is not the best.
    method = Method(iterations=[6, 2], optimiser="adam", learning_rate=0.3, detail=0.0)
    coarse, fine = by_level(list(render(loss, SUBJECT, method)))
    best = min(coarse, key=lambda s: s.total)
    assert best.total < coarse[-1].total
    expected = interpolate(best.image, (32, 40), mode="bicubic", antialias=True).clamp(0, 1)
    assert torch.allclose(fine[0].image, expected, atol=1e-6)


def test_an_enlarged_picture_gets_the_photos_detail(loss: PerceptualLoss) -> None:
    """What the photo loses by shrinking and enlarging; the photo itself comes back whole."""
    method = Method(iterations=[0, 0], start="content")
    coarse, fine = by_level(list(render(loss, SUBJECT, method)))
    blurred = interpolate(coarse[0].image, (32, 40), mode="bicubic", antialias=True).clamp(0, 1)
    assert not torch.allclose(blurred, SUBJECT.content, atol=0.05)
    assert torch.allclose(fine[0].image, SUBJECT.content, atol=1e-6)
    half = [*render(loss, SUBJECT, replace(method, detail=0.5))][-1].image
    assert torch.allclose(half, (blurred + SUBJECT.content) / 2, atol=1e-6)


def test_coarse_to_fine_is_ahead_of_the_start(loss: PerceptualLoss) -> None:
    noise = Method(iterations=[30, 2], start="noise", scale_step=2.0)
    direct = Method(iterations=2, start="noise")
    last = [*render(loss, SUBJECT, noise)][-1]
    assert last.total < 0.5 * [*render(loss, SUBJECT, direct)][-1].total


def test_each_level_has_its_own_style_and_content(loss: PerceptualLoss) -> None:
    """A level's losses are those of the small pictures, and the finest's of the pictures given."""
    coarse, fine = by_level(list(render(loss, SUBJECT, Method(iterations=[1, 1]))))
    photo, style = SUBJECT.content, SUBJECT.styles[0].image
    for steps, size, style_size in ((coarse, (16, 20), (18, 17)), (fine, (32, 40), (36, 34))):
        loss.set_style(interpolate(style, style_size, mode="bicubic", antialias=True))
        small = interpolate(photo, size, mode="bicubic", antialias=True)
        terms = loss(steps[1].image, loss.content_targets(small))
        assert steps[1].total == pytest.approx(terms.total.item(), rel=1e-3)


def test_one_level_is_minimise(loss: PerceptualLoss) -> None:
    method = Method(
        iterations=5, start="content+noise", seed=3, noise=0.1, history=4, precondition=0
    )
    steps = list(render(loss, SUBJECT, method))
    loss.set_style(SUBJECT.styles[0].image)
    targets = loss.content_targets(SUBJECT.content)
    start = start_image("content+noise", SUBJECT.content, 3, noise=0.1)
    expected = minimise(lambda x: loss(x, targets), start, iterations=5, history=4)
    for step, other in zip(steps, expected, strict=True):
        assert torch.equal(step.image, other.image)
        assert step.total == other.total


def test_the_curvature_is_measured_at_each_level(loss: PerceptualLoss) -> None:
    steps = by_level(list(render(loss, SUBJECT, Method(iterations=[4, 4], precondition=2))))
    took = [b.evaluations - a.evaluations for level in steps for a, b in pairwise(level)]
    assert took == 2 * [1, 1, 3, 1]


def test_wash_is_of_the_heaviest_style(loss: PerceptualLoss) -> None:
    light, heavy = Style(torch.full((1, 3, 20, 20), 0.1)), Style(torch.full((1, 3, 9, 9), 0.7), 2.0)
    first = next(render(loss, Subject(SUBJECT.content, (light, heavy)), Method(iterations=0)))
    assert torch.allclose(first.image, torch.full((1, 3, 32, 40), 0.7))


def test_several_styles_and_their_weights(loss: PerceptualLoss) -> None:
    first, second = SUBJECT.styles[0], Style(picture(20, 20, 9), weight=3.0)
    method = Method(iterations=0, start="content")

    def style_loss(*styles: Style) -> float:
        return next(render(loss, Subject(SUBJECT.content, styles), method)).style

    both = style_loss(first, second)
    assert both == pytest.approx(0.25 * style_loss(first) + 0.75 * style_loss(second), rel=1e-4)


def test_masks_go_down_with_the_pictures(loss: PerceptualLoss) -> None:
    """Halves that take the halves of a style: the loss is small where each is already its own."""
    left = (torch.arange(40) < 20).float().expand(32, 40)
    masks = torch.stack([left, 1 - left])
    photo = SUBJECT.content
    turned = Style(photo.flip(3), masks=masks.flip(2))
    crossed = Style(photo.flip(3), masks=masks.flip(2).flip(0))
    method = Method(iterations=[1, 1], start="content")
    matching = by_level(list(render(loss, Subject(photo, (turned,), masks), method)))
    crossing = by_level(list(render(loss, Subject(photo, (crossed,), masks), method)))
    assert [tuple(g[0].image.shape[2:]) for g in matching] == [(16, 20), (32, 40)]
    for good, bad in zip(matching, crossing, strict=True):
        assert good[0].style < 0.1 * bad[0].style


def test_start_picture_takes_the_first_levels_size(loss: PerceptualLoss) -> None:
    other = picture(50, 50, 7)
    first = next(render(loss, SUBJECT, Method(iterations=[1, 1]), start_picture=other))
    assert torch.allclose(
        first.image, interpolate(other, (16, 20), mode="bicubic", antialias=True), atol=1e-5
    )
    network = Method(iterations=[1, 1], start="network")
    again = next(render(loss, SUBJECT, network, start_picture=other))
    assert torch.equal(again.image, first.image)


def test_noise_depends_on_the_seed_alone(loss: PerceptualLoss) -> None:
    def start(seed: int) -> Tensor:
        return next(render(loss, SUBJECT, Method(iterations=1, start="noise", seed=seed))).image

    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))


def test_clip_last_is_the_finest_levels(loss: PerceptualLoss) -> None:
    method = Method(
        iterations=[3, 3], optimiser="adam", start="noise", learning_rate=0.1, clip_last=True
    )
    coarse, fine = by_level(list(render(loss, SUBJECT, method)))
    assert coarse[-1].image.max() > 1
    assert fine[-2].image.max() > 1
    assert fine[-1].image.max() <= 1


def test_can_be_left_at_any_record(loss: PerceptualLoss) -> None:
    for count in range(1, 6):
        steps = render(loss, SUBJECT, Method(iterations=[1, 2]))
        assert len(list(islice(steps, count))) == count
        steps.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimiser": "sgd"}, "unknown optimiser"),
        ({"start": "nois"}, "did you mean 'noise'"),
        ({"noise_kind": "white"}, "unknown noise"),
        ({"iterations": []}, "iterations is empty"),
        ({"iterations": [3, -1]}, "-1 iterations"),
        ({"scale_step": 1.0}, r"scale_step is 1\.0"),
        ({"detail": 1.5}, r"detail is 1\.5"),
        ({"history": 0}, "history 0"),
        ({"precondition": -1}, "precondition is -1"),
        ({"noise": -1.0}, r"noise is -1\.0"),
    ],
)
def test_wrong_methods(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(NstError, match=message):
        Method(**arguments)


def test_wrong_subjects(loss: PerceptualLoss) -> None:
    """Refused by the call itself."""
    photo, style = SUBJECT.content, SUBJECT.styles[0].image
    masks, style_masks = torch.ones(1, 32, 40), torch.ones(1, 36, 34)
    with pytest.raises(NstError, match="no style"):
        render(loss, Subject(photo, ()), Method())
    with pytest.raises(NstError, match="give both"):
        render(loss, Subject(photo, (Style(style),), masks), Method())
    with pytest.raises(NstError, match="give both"):
        render(loss, Subject(photo, (Style(style, masks=style_masks),)), Method())
    both = (Style(style, masks=style_masks), Style(style))
    with pytest.raises(NstError, match="give both"):
        render(loss, Subject(photo, both, masks), Method())
    with pytest.raises(NstError, match="'network' needs a picture"):
        render(loss, SUBJECT, Method(start="network"))
