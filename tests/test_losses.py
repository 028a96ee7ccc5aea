import itertools
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import Tensor

from nst.errors import NstError
from nst.losses import LossConfig, PerceptualLoss
from nst.losses import functional as L

CHANNELS, HEIGHT, WIDTH, IMAGE_PIXELS = 4, 5, 6, 5 * 6 * 16
N, M = CHANNELS, HEIGHT * WIDTH


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features(seed: int) -> Tensor:
    return draw(2, CHANNELS, HEIGHT, WIDTH, seed=seed)


def raw_gram(f: Tensor) -> Tensor:
    """F Fᵀ of one sample (N, H, W), as every paper writes it."""
    flat = f.reshape(f.shape[0], -1)
    return flat @ flat.T


# Each recipe's formula written out as published, for one sample: raw Grams G and A.
CONTENT_FORMULAS = {
    "relative": lambda f, p: ((f - p) ** 2).sum() / (p**2).sum(),
    "sum": lambda f, p: ((f - p) ** 2).sum(),
    "half_sum": lambda f, p: 0.5 * ((f - p) ** 2).sum(),
    "mean": lambda f, p: ((f - p) ** 2).mean(),
    "half_mean": lambda f, p: ((f - p) ** 2).sum() / (2 * CHANNELS * HEIGHT * WIDTH),
    "quarter_mean": lambda f, p: ((f - p) ** 2).sum() / (4 * HEIGHT * WIDTH * CHANNELS),
}
STYLE_FORMULAS = {
    "relative": lambda g, a: ((g - a) ** 2).sum() / (a**2).sum(),
    "gatys": lambda g, a: ((g - a) ** 2).sum() / (4 * N**2 * M**2),
    "mean_gram": lambda g, a: ((g / M - a / M) ** 2).mean(),
    "johnson": lambda g, a: ((g / (N * M) - a / (N * M)) ** 2).sum(),
    "tutorial": lambda g, a: ((g / (N * M) - a / (N * M)) ** 2).mean(),
    "mean_raw": lambda g, a: ((g - a) ** 2).mean(),
    "luan": lambda g, a: ((g - a) ** 2).sum() / (2 * N**2),
    "ac209b": lambda g, a: ((g - a) ** 2).sum() / (4 * (HEIGHT * WIDTH) ** 2),
    "scinet": lambda g, a: ((g - a) ** 2).sum() / (2 * 3 * IMAGE_PIXELS) ** 2,
}


def test_every_convention_has_a_formula() -> None:
    assert set(CONTENT_FORMULAS) == set(L.CONTENT_CONVENTIONS)
    assert set(STYLE_FORMULAS) == set(L.STYLE_CONVENTIONS)


@pytest.mark.parametrize("convention", L.CONTENT_CONVENTIONS)
def test_content_convention_is_its_formula(convention: str) -> None:
    f, p = features(1), features(2)
    expected = [CONTENT_FORMULAS[convention](a, b) for a, b in zip(f, p, strict=True)]
    got = L.content_loss(f, p, convention, IMAGE_PIXELS)
    torch.testing.assert_close(got, torch.stack(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("convention", L.STYLE_CONVENTIONS)
def test_style_convention_is_its_formula(convention: str) -> None:
    f, s = features(1), features(2)[:1]
    expected = [STYLE_FORMULAS[convention](raw_gram(a), raw_gram(s[0])) for a in f]
    got = L.style_loss(f, L.gram(s), convention, IMAGE_PIXELS)
    torch.testing.assert_close(got, torch.stack(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("convention", L.CONTENT_CONVENTIONS)
def test_content_gradient(convention: str) -> None:
    p = draw(1, 2, 3, 3, seed=2)
    f = draw(1, 2, 3, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: L.content_loss(x, p, convention, 9), f)


@pytest.mark.parametrize("convention", L.STYLE_CONVENTIONS)
def test_style_gradient(convention: str) -> None:
    target = L.gram(draw(1, 2, 3, 4, seed=2))
    f = draw(1, 2, 3, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: L.style_loss(x, target, convention, 9), f)


@pytest.mark.parametrize("form", L.TOTAL_VARIATIONS.values())
def test_total_variation_gradient(form: object) -> None:
    assert callable(form)
    x = draw(2, 3, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(form, x)


def test_total_variation_is_its_formula() -> None:
    x = draw(2, 3, 5, 6)
    every = torch.zeros(2, dtype=torch.float64)
    common = torch.zeros(2, dtype=torch.float64)
    for c, i, j in itertools.product(range(3), range(5), range(6)):
        across = (x[:, c, i, j + 1] - x[:, c, i, j]) ** 2 if j < 5 else 0
        down = (x[:, c, i + 1, j] - x[:, c, i, j]) ** 2 if i < 4 else 0
        every += across + down
        common += across + down if i < 4 and j < 5 else 0
    torch.testing.assert_close(L.total_variation(x), every)
    torch.testing.assert_close(L.total_variation_common(x), common)
    torch.testing.assert_close(L.total_variation_mean(x), every / 90)
    absolute = x.diff(dim=-1).abs().mean((1, 2, 3)) + x.diff(dim=-2).abs().mean((1, 2, 3))
    torch.testing.assert_close(L.total_variation_absolute(x), absolute)


def as_features(array: np.ndarray) -> Tensor:
    """(H, W, C) as (1, C, H, W)."""
    return torch.from_numpy(array).permute(2, 0, 1)[None]


class TestAc209bVectors:
    """Test vectors published with Harvard AC 209B, homework 6 (spring 2018)."""

    @pytest.fixture(autouse=True)
    def _seed(self) -> None:
        np.random.seed(1)  # noqa: NPY002 - the vectors were drawn with it

    def test_content(self) -> None:
        a, b = (as_features(np.random.randn(10, 10, 3)) for _ in range(2))  # noqa: NPY002
        assert L.content_loss(a, b, "sum").item() == pytest.approx(605.62195, abs=1e-4)

    def test_gram(self) -> None:
        got = L.gram(as_features(np.random.randn(10, 10, 3)))[0] * 100  # noqa: NPY002
        expected = [
            [99.757225, -9.961859, -1.4740529],
            [-9.961859, 86.854355, -4.1411047],
            [-1.4740529, -4.1411047, 82.30109],
        ]
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6)

    def test_style(self) -> None:
        a, b = (as_features(np.random.randn(10, 10, 3)) for _ in range(2))  # noqa: NPY002
        got = L.style_loss(a, L.gram(b), "ac209b")
        assert got.item() == pytest.approx(0.09799164, abs=1e-7)

    def test_total_variation(self) -> None:
        x = as_features(np.random.randn(1, 10, 10, 3)[0])  # noqa: NPY002
        assert L.total_variation_common(x).item() == pytest.approx(937.0538, abs=1e-3)


@pytest.mark.parametrize("channels_last", [False, True])
def test_gram_gradient(channels_last: bool) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    f = draw(2, 3, 4, 5).contiguous(memory_format=layout).requires_grad_()
    assert torch.autograd.gradcheck(L.gram, f)
    assert torch.autograd.gradgradcheck(L.gram, f)


@pytest.mark.parametrize("channels_last", [False, True])
def test_gram_summed_in_parts(channels_last: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a GPU alone it is; the sum is the same anywhere.
    features = torch.rand(2, 8, 12, 20, generator=torch.Generator().manual_seed(0))
    if channels_last:
        features = features.contiguous(memory_format=torch.channels_last)
    whole = L.gram(features)
    monkeypatch.setattr(L, "_parts", lambda rows: 16)
    torch.testing.assert_close(L.gram(features), whole)


def test_gram_of_bfloat16_is_computed_in_float32() -> None:
    f = (features(1).float() * 1000).bfloat16()
    got = L.gram(f)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, L.gram(f.double()).float(), rtol=1e-5, atol=1e-2)


def test_gram_ignores_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert L.gram(features(1).float()).dtype == torch.float32


def test_relative_losses_have_no_scale() -> None:
    f, p = features(1), features(2)
    for scale in (1e-3, 1e3):
        torch.testing.assert_close(L.content_loss(scale * f, scale * p), L.content_loss(f, p))
        torch.testing.assert_close(
            L.style_loss(scale * f, L.gram(scale * p)), L.style_loss(f, L.gram(p))
        )


@pytest.fixture
def loss(small_weights) -> PerceptualLoss:  # type: ignore[no-untyped-def]
    config = LossConfig(
        content_weight=2.0,
        style_weight=3.0,
        tv_weight=0.5,
        content_layers={"relu1_2": 0.25},
        style_layers={"conv1_1": 0.5, "block2_conv1": 0.125},
        tv_convention="sum",
        tv_range=255.0,
    )
    built = PerceptualLoss(config, weights=small_weights, dtype=torch.float64)
    built.set_style(torch.rand(1, 3, 20, 24, dtype=torch.float64))
    return built


def test_perceptual_loss_is_the_weighted_sum(loss: PerceptualLoss) -> None:
    image, photo = (
        torch.rand(2, 3, 16, 18, dtype=torch.float64),
        torch.rand(2, 3, 16, 18, dtype=torch.float64),
    )
    terms = loss(image, loss.content_targets(photo))
    ours = loss.vgg(image, ["relu1_2", "conv1_1", "relu2_1"])
    content = 0.25 * L.content_loss(ours["relu1_2"], loss.vgg(photo, ["relu1_2"])["relu1_2"])
    targets = {n: grams[0] for n, grams in loss._styles[0].grams.items()}
    style = 0.5 * L.style_loss(ours["conv1_1"], targets["conv1_1"])
    style = style + 0.125 * L.style_loss(ours["relu2_1"], targets["block2_conv1"])
    tv = L.total_variation(image * 255)
    torch.testing.assert_close(terms.content, content)
    torch.testing.assert_close(terms.style, style)
    torch.testing.assert_close(terms.tv, tv)
    torch.testing.assert_close(terms.total, 2 * content + 3 * style + 0.5 * tv)


def test_perceptual_loss_is_nothing_where_all_is_reached(loss: PerceptualLoss) -> None:
    style = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    loss.set_style(style)
    terms = loss(style, loss.content_targets(style))
    assert terms.content.item() == 0
    assert terms.style.item() == 0


def test_loss_without_style_is_one_clear_error(loss: PerceptualLoss) -> None:
    loss._styles = []
    photo = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    with pytest.raises(NstError, match="set_style"):
        loss(photo, loss.content_targets(photo))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"style_convention": "gatis"}, "'gatys'"),
        ({"content_convention": "men"}, "'mean'"),
        ({"tv_convention": "l3"}, "total variation"),
        ({"pooling": "maximum"}, "pooling"),
        ({"pixels": "cafe"}, "'caffe'"),
        ({"style_weight": -1.0}, "style_weight"),
        ({"content_weight": float("nan")}, "content_weight"),
        ({"content_layers": {}, "style_layers": {}}, "no layer"),
    ],
)
def test_wrong_configurations_say_what_is_valid(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(NstError, match=says):
        LossConfig(**wrong)  # type: ignore[arg-type]


def test_a_stored_loss_without_a_younger_option_is_what_it_was() -> None:
    stored = asdict(LossConfig(border="zeros", style_weight=3.0))
    del stored["border"], stored["guidance"]
    assert LossConfig.from_stored(stored) == LossConfig(border="zeros", style_weight=3.0)
    assert LossConfig.from_stored({"border": "replicate"}).border == "replicate"
    with pytest.raises(NstError, match="upgrade nst"):
        LossConfig.from_stored({"from_the_future": 1})
