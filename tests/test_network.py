import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nst.errors import NstError
from nst.network import NETWORKS, TransformNet
from nst.network.layers import ReflectConv, Residual, ThinConv, UpConv

torch.manual_seed(0)
NETS = {name: TransformNet(name, width=4, blocks=1) for name in NETWORKS}
NET = NETS["standard"]
both = pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())


@both
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 2), st.integers(0, 65), st.integers(0, 65))
def test_output_has_the_size_of_the_input(
    net: TransformNet, batch: int, taller: int, wider: int
) -> None:
    shape = (batch, 3, net.min_size + taller, net.min_size + wider)
    with torch.no_grad():
        assert net(torch.rand(shape)).shape == shape


@both
def test_smaller_than_min_size_is_one_clear_error(net: TransformNet) -> None:
    with pytest.raises(NstError, match=f"{net.min_size - 1}×20 pixels"):
        net(torch.rand(1, 3, 20, net.min_size - 1))


def test_default_is_johnsons() -> None:
    net = TransformNet()
    kernels = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    # c9s1-32, d64, d128, R128 ×5, u64, u32, c9s1-3
    assert [(k.out_channels, k.kernel_size[0], k.stride[0]) for k in kernels] == [
        (32, 9, 1), (64, 3, 2), (128, 3, 2), *[(128, 3, 1)] * 10, (64, 3, 1), (32, 3, 1), (3, 9, 1),
    ]  # fmt: skip
    assert all(k.padding_mode == "reflect" or isinstance(k, UpConv) for k in kernels)
    assert sum(isinstance(m, nn.InstanceNorm2d) for m in net.body.modules()) == 15


def test_live_has_nothing_at_full_size() -> None:
    net = TransformNet("live")
    kernels = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    # c5s2-16, d32, R32 ×5, u16, u3
    assert [(k.out_channels, k.kernel_size[0], k.stride[0]) for k in kernels] == [
        (16, 5, 2), (32, 3, 2), *[(32, 3, 1)] * 10, (16, 3, 1), (3, 3, 1),
    ]  # fmt: skip


@both
def test_flat_pictures_get_no_grid_even_from_random_weights(net: TransformNet) -> None:
    """What a flat picture becomes is flat: there is nothing that could tell pixels apart."""
    for grey in (0.0, 0.5, 1.0):
        with torch.no_grad():
            got = net(torch.full((1, 3, 37, 50), grey))
        assert got.flatten(2).std(2).max() < 1e-4


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    a, b = torch.rand(1, 3, 24, 24), torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(NET(torch.cat([a, b]))[:1], NET(a), rtol=1e-4, atol=1e-5)


def test_starts_from_the_photo_in_the_styles_colours() -> None:
    net, photo, style = (
        TransformNet(width=4, blocks=1),
        torch.rand(1, 3, 48, 48),
        torch.rand(1, 3, 40, 64) / 2,
    )
    net.start_from(style)
    nn.init.zeros_(net.body[-1].weight)
    nn.init.zeros_(net.body[-1].bias)
    with torch.no_grad():
        got = net(photo)
    torch.testing.assert_close(got.mean((2, 3)), style.mean((2, 3)), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(got.std((2, 3)), style.std((2, 3)), rtol=1e-2, atol=1e-3)
    for c in range(3):
        both = torch.stack([got[0, c].flatten(), photo[0, c].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.999


@pytest.mark.parametrize("name", NETS)
def test_a_deeper_network_starts_as_the_one_it_takes_over(name: str) -> None:
    net, deeper = NETS[name], TransformNet(name, width=4, blocks=3)
    photo = torch.rand(1, 3, 24, 28)
    with torch.no_grad():
        before = net(photo)
        deeper.take_over(net)
        torch.testing.assert_close(deeper(photo), before)
    deeper(photo).sum().backward()
    blocks = [m for m in deeper.body if isinstance(m, Residual)]
    assert all(block.last_norm.weight.grad.abs().min() > 0 for block in blocks)


def test_flat_photos_stay_flat() -> None:
    noise = 0.5 + 0.002 * torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert NET.photo is not None
        assert NET.photo(noise).std() < 0.1


def test_contrast_of_the_content_does_not_matter() -> None:
    """Ulyanov et al. 2016: with instance normalisation the result ignores the photo's contrast."""
    photo = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(NET(0.5 * photo + 0.25), NET(photo), rtol=1e-2, atol=2e-2)


def test_statistics_are_in_float32_under_bfloat16() -> None:
    x = (torch.rand(1, 8, 64, 64) * 1000 + 3000).bfloat16()
    norm = nn.InstanceNorm2d(8, affine=True)
    with torch.autocast("cpu", torch.bfloat16):
        got = norm(x).float()
    expected = norm(x.float())
    # One rounding of the result to bfloat16, and no more.
    torch.testing.assert_close(got, expected, rtol=2**-8, atol=2**-8)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"blocks": -1}])
def test_no_network(wrong: dict[str, int]) -> None:
    with pytest.raises(NstError, match="is no network"):
        TransformNet(**wrong)


def test_unknown_network() -> None:
    with pytest.raises(NstError, match=r"network 'lively': did you mean 'live'"):
        TransformNet("lively")


@pytest.mark.parametrize("size", [(5, 7), (9, 6)])
def test_thin_convolution_is_a_convolution(size: tuple[int, int]) -> None:
    thin = ThinConv(4, 3, 9).double()
    plain = nn.Conv2d(4, 3, 9, padding=4, padding_mode="reflect").double()
    plain.load_state_dict(thin.state_dict())
    x = torch.rand(2, 4, *size, dtype=torch.float64)
    _same_with_gradients(thin, plain, x)


def test_convolution_of_many_channels_is_the_direct_one() -> None:
    conv = ReflectConv(128, 128, 3)
    x = torch.randn(2, 128, 13, 18)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, reference = conv(ours), nn.Conv2d.forward(conv, theirs)
    torch.testing.assert_close(y, reference, atol=1e-4, rtol=1e-4)
    cotangent = torch.randn_like(reference)
    grads = torch.autograd.grad(y, (ours, conv.weight), cotangent)
    expected = torch.autograd.grad(reference, (theirs, conv.weight), cotangent)
    for a, b in zip(grads, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_up_sampling_is_doubling_and_then_convolving() -> None:
    up = UpConv(4, 3, bias=True).double()
    conv = nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect").double()
    conv.load_state_dict(up.state_dict())
    doubled = nn.Sequential(nn.UpsamplingNearest2d(scale_factor=2), conv)
    _same_with_gradients(up, doubled, torch.rand(2, 4, 5, 3, dtype=torch.float64))


def _same_with_gradients(ours: nn.Module, plain: nn.Module, x: torch.Tensor) -> None:
    results = []
    for module in (ours, plain):
        y = module(x.requires_grad_())
        wanted = [x, *module.parameters()]
        results.append((y, *torch.autograd.grad(y.square().sum() + y[..., 0].sum(), wanted)))
    torch.testing.assert_close(*results)
