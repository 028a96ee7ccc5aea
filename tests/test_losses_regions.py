import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nst.errors import NstError
from nst.losses import LossConfig, PerceptualLoss, regions
from nst.losses import functional as L
from nst.losses.affine import affine_loss


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def halves(height: int, width: int, cut: int) -> Tensor:
    """Two regions: the columns left of `cut`, and the others."""
    left = torch.zeros(height, width, dtype=torch.float64)
    left[:, :cut] = 1
    return torch.stack([left, 1 - left])


def build(small_weights, **settings: object) -> PerceptualLoss:  # type: ignore[no-untyped-def]
    config = LossConfig(
        content_layers={"relu1_2": 1.0},
        style_layers={"relu1_1": 0.25, "relu2_1": 0.75},
        **settings,  # type: ignore[arg-type]
    )
    return PerceptualLoss(config, weights=small_weights, dtype=torch.float64)


def style_term(loss: PerceptualLoss, image: Tensor) -> Tensor:
    return loss(image, loss.content_targets(image)).style


# The guided Gram of each paper, longhand, from one sample's F (N, M) and T (M,).
GRAMS = {
    # gatys2017: T normalised so that Σ T² = 1, F_r = T ∘ F, G = F_r F_rᵀ.
    "gatys2017": lambda f, t: (f * t / t.norm()) @ (f * t / t.norm()).T,
    # luan2017: F_c = F · mask, G = F_c F_cᵀ, in the units of a mean Gram: over all positions.
    "luan2017": lambda f, t: (f * t) @ (f * t).T / f.shape[1],
    # Their code: that divided by the mean of the mask.
    "luan2017_code": lambda f, t: (f * t) @ (f * t).T / f.shape[1] / t.mean(),
}


def test_every_guidance_has_a_formula() -> None:
    assert set(GRAMS) == set(regions.DIVISORS)


@pytest.mark.parametrize("guidance", regions.DIVISORS)
@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 6), width=st.integers(1, 6), seed=st.integers(0, 99))
def test_guided_gram_is_its_formula(guidance: str, height: int, width: int, seed: int) -> None:
    f = draw(2, 3, height, width, seed=seed)
    mask = uniform(height, width, seed=seed)
    mask[mask < 0.3] = 0
    mask[0, 0] = 0.5
    expected = torch.stack([GRAMS[guidance](x.reshape(3, -1), mask.flatten()) for x in f])
    torch.testing.assert_close(regions.guided_gram(f, mask, guidance), expected)


@pytest.mark.parametrize("guidance", regions.DIVISORS)
def test_guided_gram_of_the_whole_picture_is_the_gram(guidance: str) -> None:
    f = draw(2, 3, 4, 5)
    ones = torch.ones(4, 5, dtype=torch.float64)
    torch.testing.assert_close(regions.guided_gram(f, ones, guidance), L.gram(f))


@pytest.mark.parametrize("guidance", regions.DIVISORS)
def test_guided_gram_gradient(guidance: str) -> None:
    mask = halves(3, 4, 2)[0] * uniform(3, 4)
    f = draw(1, 2, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: regions.guided_gram(x, mask, guidance), f)


def test_guided_gram_of_an_empty_mask_is_nothing() -> None:
    f = draw(1, 2, 3, 4).requires_grad_()
    got = regions.guided_gram(f, torch.zeros(3, 4), "gatys2017")
    got.sum().backward()
    assert not got.any()
    assert f.grad is not None
    assert not f.grad.any()


def test_masks_are_averaged_over_the_area() -> None:
    mask = torch.tensor([[[1.0, 1, 0, 0], [1, 0, 0, 0]]])
    torch.testing.assert_close(regions.masks_at(mask, (1, 2)), torch.tensor([[[0.75, 0.0]]]))


@pytest.mark.parametrize("guidance", regions.DIVISORS)
@pytest.mark.parametrize("convention", ["relative", "gatys", "luan"])
def test_style_term_sums_over_regions(small_weights, guidance: str, convention: str) -> None:  # type: ignore[no-untyped-def]
    loss = build(small_weights, guidance=guidance, style_convention=convention)
    image, style = uniform(2, 3, 12, 16, seed=1), uniform(1, 3, 14, 20, seed=2)
    ours, theirs = halves(12, 16, 4), halves(14, 20, 14)
    loss.set_styles([(style, 3.0)], content_masks=ours, style_masks=[theirs])
    expected = torch.zeros(2, dtype=torch.float64)
    for layer, weight in loss.config.style_layers.items():
        f, s = loss.vgg(image, [layer])[layer], loss.vgg(style, [layer])[layer][0]
        channels, positions = f.shape[1], f.shape[2] * f.shape[3]
        for r, share in enumerate((0.25, 0.75)):
            t = torch.nn.functional.interpolate(ours[None, r : r + 1], f.shape[2:], mode="area")
            u = torch.nn.functional.interpolate(theirs[None, r : r + 1], s.shape[1:], mode="area")
            a = GRAMS[guidance](s.flatten(1), u.flatten())
            g = torch.stack([GRAMS[guidance](x.flatten(1), t.flatten()) for x in f])
            distance = (g - a).square().sum((1, 2))
            factor = {
                "relative": share / a.square().sum(),
                "gatys": 1 / (4 * channels**2),
                # 1/(2N²) Σ of the raw Grams: M times ours.
                "luan": positions**2 / (2 * channels**2),
            }[convention]
            if guidance == "luan2017_code" and convention != "relative":
                factor *= share
            expected += weight * factor * distance
    torch.testing.assert_close(style_term(loss, image), expected, rtol=1e-9, atol=0)


def test_luan2017_is_the_paper_s_sum(small_weights) -> None:  # type: ignore[no-untyped-def]
    """Σ_c 1/(2N²) Σ_ij (G_c - A_c)² with G_c = F_c F_cᵀ and F_c = F · mask_c, nothing else."""
    loss = build(small_weights, guidance="luan2017", style_convention="luan")
    image, style = uniform(1, 3, 12, 16, seed=1), uniform(1, 3, 12, 16, seed=2)
    ours, theirs = halves(12, 16, 4), halves(12, 16, 8)
    loss.set_styles([(style, 1.0)], content_masks=ours, style_masks=[theirs])
    expected = 0.0
    for layer, weight in loss.config.style_layers.items():
        f, s = loss.vgg(image, [layer])[layer][0], loss.vgg(style, [layer])[layer][0]
        for t, u in zip(ours, theirs, strict=True):
            step = 12 // f.shape[1]
            fc = (f * t[::step, ::step]).flatten(1)
            sc = (s * u[::step, ::step]).flatten(1)
            expected += weight * float(((fc @ fc.T - sc @ sc.T) ** 2).sum()) / (2 * len(f) ** 2)
    assert style_term(loss, image).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("guidance", regions.DIVISORS)
def test_one_region_of_everything_is_no_guidance(small_weights, guidance: str) -> None:  # type: ignore[no-untyped-def]
    loss = build(small_weights, guidance=guidance)
    image, style = uniform(1, 3, 12, 16, seed=1), uniform(1, 3, 14, 20, seed=2)
    loss.set_style(style)
    plain = style_term(loss, image)
    ones = torch.ones(1, 12, 16, dtype=torch.float64), torch.ones(1, 14, 20, dtype=torch.float64)
    loss.set_styles([(style, 1.0)], content_masks=ones[0], style_masks=[ones[1]])
    torch.testing.assert_close(style_term(loss, image), plain)


@pytest.mark.parametrize("guidance", regions.DIVISORS)
def test_relative_term_does_not_grow_with_the_regions(small_weights, guidance: str) -> None:  # type: ignore[no-untyped-def]
    """Two masks that share every pixel 1 : 3 are the same as none."""
    loss = build(small_weights, guidance=guidance)
    image, style = uniform(1, 3, 12, 16, seed=1), uniform(1, 3, 14, 20, seed=2)
    loss.set_style(style)
    plain = style_term(loss, image)
    shares = torch.tensor([0.25, 0.75], dtype=torch.float64).view(2, 1, 1)
    loss.set_styles(
        [(style, 1.0)],
        content_masks=shares.expand(2, 12, 16),
        style_masks=[shares.expand(2, 14, 20)],
    )
    torch.testing.assert_close(style_term(loss, image), plain)


def test_a_region_is_blind_to_the_other(small_weights) -> None:  # type: ignore[no-untyped-def]
    """Far from the border, each side's gradient is of its own region alone."""
    loss = build(small_weights)
    masks = halves(12, 32, 16)
    image, style = uniform(1, 3, 12, 32, seed=1).requires_grad_(), uniform(1, 3, 12, 32, seed=2)
    other = style.clone()
    other[..., 24:] = 0.5
    gradients = []
    for picture in (style, other):
        loss.set_styles([(picture, 1.0)], content_masks=masks, style_masks=[masks])
        gradients.append(torch.autograd.grad(style_term(loss, image).sum(), image)[0])
    torch.testing.assert_close(gradients[0][..., :8], gradients[1][..., :8])
    assert (gradients[0] - gradients[1])[..., 24:].abs().max() > 1e-6


def test_several_styles_are_averaged_by_weight(small_weights) -> None:  # type: ignore[no-untyped-def]
    loss = build(small_weights)
    image = uniform(1, 3, 12, 16, seed=1)
    styles = [uniform(1, 3, 14, 20, seed=2), uniform(1, 3, 10, 12, seed=3)]
    alone = []
    for style in styles:
        loss.set_style(style)
        alone.append(style_term(loss, image))
    loss.set_styles([(styles[0], 1.0), (styles[1], 3.0)])
    torch.testing.assert_close(style_term(loss, image), (alone[0] + 3 * alone[1]) / 4)


def test_one_style_is_seen_once(small_weights, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """The training's path: one pass of VGG and one Gram for each layer."""
    loss = build(small_weights)
    loss.set_style(uniform(1, 3, 14, 20))
    image = uniform(1, 3, 12, 16, seed=1)
    targets = loss.content_targets(image)
    calls: list[str] = []
    walk, gram = loss.vgg.walk, L.gram
    monkeypatch.setattr(loss.vgg, "walk", lambda *a: calls.append("vgg") or walk(*a))
    monkeypatch.setattr(L, "gram", lambda f: calls.append("gram") or gram(f))
    loss(image, targets)
    assert calls == ["vgg", "gram", "gram"]


def test_affine_term(small_weights) -> None:  # type: ignore[no-untyped-def]
    loss = build(small_weights, affine_weight=7.0)
    image, style = uniform(2, 3, 4, 5, seed=1), uniform(1, 3, 8, 8, seed=2)
    loss.set_style(style)
    dense = draw(20, 20)
    dense = dense + dense.T
    with pytest.raises(NstError, match="set_matting"):
        loss(image, loss.content_targets(image))
    loss.set_matting(scipy.sparse.csr_array(dense.numpy()))
    terms = loss(image, loss.content_targets(image))
    expected = torch.stack([sum(c.flatten() @ dense @ c.flatten() for c in x) for x in image])  # type: ignore[misc]
    torch.testing.assert_close(terms.affine, expected)
    rest = terms.content + 5 * terms.style
    torch.testing.assert_close(terms.total, rest + 7 * expected)
    with pytest.raises(NstError, match="20 pixels"):
        loss(image[..., :4], loss.content_targets(image[..., :4]))


def test_affine_term_is_nothing_where_it_has_no_weight(small_weights) -> None:  # type: ignore[no-untyped-def]
    loss = build(small_weights)
    image = uniform(2, 3, 8, 8)
    loss.set_style(image[:1])
    assert loss(image, loss.content_targets(image)).affine.tolist() == [0, 0]


def test_affine_gradient() -> None:
    dense = draw(12, 12)
    matrix = scipy.sparse.csr_array((dense + dense.T).numpy())
    image = draw(2, 3, 3, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: affine_loss(x, matrix), image)
    (gradient,) = torch.autograd.grad(affine_loss(image, matrix).sum(), image)
    product = torch.from_numpy(matrix @ image.detach().flatten(2)[1].T.numpy()).T
    torch.testing.assert_close(gradient[1].flatten(1), 2 * product)


@pytest.mark.parametrize(
    ("content", "style", "says"),
    [
        (halves(12, 16, 4), [], "1 styles with 0 masks"),
        (None, [halves(8, 8, 4)], "no content mask"),
        (halves(12, 16, 4), [halves(8, 8, 4)[:1]], "as many regions"),
        (halves(12, 16, 4), [halves(8, 9, 4)], "size of the style's picture"),
        (halves(12, 16, 4), [halves(8, 8, 8)], "nothing of region 2"),
    ],
)
def test_wrong_masks_say_what_is_wrong(  # type: ignore[no-untyped-def]
    small_weights, content: Tensor | None, style: list[Tensor], says: str
) -> None:
    loss = build(small_weights)
    with pytest.raises(NstError, match=says):
        loss.set_styles([(uniform(1, 3, 8, 8), 1.0)], content_masks=content, style_masks=style)


def test_masks_of_another_size_than_the_picture(small_weights) -> None:  # type: ignore[no-untyped-def]
    loss = build(small_weights)
    masks = halves(8, 8, 4)
    loss.set_styles([(uniform(1, 3, 8, 8), 1.0)], content_masks=masks, style_masks=[masks])
    with pytest.raises(NstError, match=r"masks are \(8, 8\), the picture is \(8, 10\)"):
        style_term(loss, uniform(1, 3, 8, 10))


@pytest.mark.parametrize("weights", [[], [0.0], [-1.0, 2.0], [float("inf")]])
def test_wrong_weights_of_styles(small_weights, weights: list[float]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NstError, match="weights"):
        build(small_weights).set_styles([(uniform(1, 3, 8, 8), w) for w in weights])


@pytest.mark.parametrize(
    ("wrong", "says"), [({"guidance": "gatys"}, "gatys2017"), ({"affine_weight": -1.0}, "affine")]
)
def test_wrong_configurations(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(NstError, match=says):
        LossConfig(**wrong)  # type: ignore[arg-type]
