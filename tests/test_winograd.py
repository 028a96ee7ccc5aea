import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nst import winograd


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 5),
    height=st.integers(1, 14),
    width=st.integers(1, 14),
)
def test_equals_the_direct_convolution(
    batch: int, inputs: int, outputs: int, height: int, width: int
) -> None:
    generator = torch.Generator().manual_seed(batch + 7 * inputs + 49 * height)
    x = torch.randn(batch, inputs, height, width, generator=generator)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator)
    bias = torch.randn(outputs, generator=generator)
    found = winograd.convolve(x, winograd.transform(weight), bias)
    torch.testing.assert_close(
        found, F.conv2d(x, weight, bias, padding=1), atol=2e-4, rtol=1e-4, check_stride=False
    )
    assert found.is_contiguous()


@pytest.mark.parametrize("size", [(17, 10), (16, 12)])
@pytest.mark.parametrize("tiles", [1, 5, 1024])
def test_gradient_equals_the_direct_convolution(
    tiles: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "_TILES", tiles)
    weight, bias = torch.randn(6, 4, 3, 3), torch.randn(6)
    ours = torch.randn(3, 4, *size, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    y = winograd.FrozenConv3x3.apply(ours, winograd.transform(weight), bias)
    reference = F.conv2d(theirs, weight, bias, padding=1)
    cotangent = torch.randn_like(reference)
    y = torch.relu_(y)  # VGG's ReLUs work in place
    reference = torch.relu(reference)
    y.backward(cotangent)
    reference.backward(cotangent)
    torch.testing.assert_close(y, reference, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(19, 12), (18, 14), (3, 5)])
@pytest.mark.parametrize("tiles", [1, 5, 1024])
def test_trained_weights_get_the_direct_convolutions_gradients(
    tiles: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "_TILES", tiles)
    x, weight = torch.randn(3, 4, *size), torch.randn(6, 4, 3, 3)
    ours = [t.clone().requires_grad_() for t in (x, weight)]
    theirs = [t.clone().requires_grad_() for t in (x, weight)]
    y, reference = winograd.Conv3x3.apply(*ours), F.conv2d(*theirs)
    cotangent = torch.randn_like(reference)
    y.backward(cotangent)
    reference.backward(cotangent)
    torch.testing.assert_close(y, reference, atol=2e-4, rtol=1e-4)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-3, rtol=1e-3)


def test_only_the_gradients_asked_for() -> None:
    x, weight = torch.randn(1, 4, 8, 8), torch.randn(6, 4, 3, 3, requires_grad=True)
    winograd.Conv3x3.apply(x, weight).sum().backward()
    assert weight.grad is not None
    assert x.grad is None


def test_pays_with_many_channels_in_float32_only() -> None:
    many = torch.empty(256, 128, 3, 3)
    assert winograd.pays(many)
    assert not winograd.pays(many.double())
    assert not winograd.pays(many.bfloat16())
    assert winograd.pays(many[:, :64])
    assert not winograd.pays(many[:64, :64])
    assert not winograd.pays(many[:, :32])
