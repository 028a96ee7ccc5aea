import pytest
import torch
from torch import Tensor

from nst.errors import NstError
from nst.optimise import start_image
from nst.optimise.start import resized

PHOTO = torch.full((1, 3, 60, 64), 0.5)


def channels(image: Tensor) -> Tensor:
    return image[0].flatten(1)


def test_uniform_noise() -> None:
    noise = start_image("noise", PHOTO, 1)
    assert noise.shape == PHOTO.shape
    assert 0 <= noise.min() < 0.01
    assert 0.99 < noise.max() <= 1
    assert channels(noise).mean(1).tolist() == pytest.approx([0.5] * 3, abs=0.02)


def test_gaussian_noise() -> None:
    noise = start_image("noise", PHOTO, 1, noise_kind="gaussian")
    assert channels(noise).mean(1).tolist() == pytest.approx([0.0] * 3, abs=0.06)
    assert channels(noise).std(1).tolist() == pytest.approx([1.0] * 3, abs=0.05)


def test_ac209b_noise() -> None:
    """Uniform in 0..255 minus 128 once VGG's mean is taken off, in BGR order as the network's."""
    noise = start_image("noise", PHOTO, 1, noise_kind="ac209b")
    caffe = 255 * noise.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    assert -128.001 <= caffe.min() < -127
    assert 126 < caffe.max() <= 127.001
    assert channels(caffe).mean(1).tolist() == pytest.approx([-0.5] * 3, abs=4)
    assert channels(caffe).std(1).tolist() == pytest.approx([255 / 12**0.5] * 3, rel=0.03)


@pytest.mark.parametrize("kind", ["uniform", "gaussian", "ac209b"])
def test_seeds(kind: str) -> None:
    first = start_image("noise", PHOTO, 1, noise_kind=kind)
    assert torch.equal(first, start_image("noise", PHOTO, 1, noise_kind=kind))
    assert not torch.equal(first, start_image("noise", PHOTO, 2, noise_kind=kind))


def test_wash_is_the_photo_pale_in_the_styles_colours() -> None:
    photo = 0.2 * torch.rand(PHOTO.shape, generator=torch.Generator().manual_seed(1))
    style = 0.5 + 0.4 * torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(2))
    wash = start_image("wash", photo, style=style)
    assert torch.allclose(wash.mean((2, 3)), style.mean((2, 3)), atol=1e-5)
    expected = 0.3 * style.std((2, 3), correction=0)
    assert torch.allclose(wash.std((2, 3), correction=0), expected, rtol=1e-3)
    for painted, seen in zip(channels(wash), channels(photo), strict=True):
        assert torch.corrcoef(torch.stack([painted, seen]))[0, 1] > 0.999


def test_wash_of_one_colour_is_the_styles_mean() -> None:
    style = torch.rand(1, 3, 1, 1, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(start_image("wash", PHOTO, style=style), style.expand_as(PHOTO))


def test_content_is_a_copy() -> None:
    start = start_image("content", PHOTO)
    assert torch.equal(start, PHOTO)
    start.fill_(0.0)
    assert PHOTO.min() == 0.5


def test_content_with_noise() -> None:
    start = start_image("content+noise", PHOTO, 1, noise=0.1)
    assert 0.4 <= start.min() < 0.401
    assert 0.599 < start.max() <= 0.6
    assert start.mean().item() == pytest.approx(0.5, abs=0.002)
    assert not torch.equal(start, start_image("content+noise", PHOTO, 2, noise=0.1))
    bright = start_image("content+noise", 2 * PHOTO, 1, noise=0.1)
    assert bright.max() == 1
    assert bright.min() >= 0.9


def test_style_takes_the_contents_size() -> None:
    style = torch.rand(1, 3, 20, 90, generator=torch.Generator().manual_seed(0))
    start = start_image("style", PHOTO, style=style)
    assert start.shape == PHOTO.shape
    assert start.mean().item() == pytest.approx(style.mean().item(), abs=0.02)


def test_resized_shrinks_by_averages_and_stays_in_range() -> None:
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2
    board = board.float().expand(1, 3, 32, 32)
    assert torch.allclose(resized(board, (8, 8)), torch.full((1, 3, 8, 8), 0.5), atol=0.01)
    edge = (torch.arange(8) >= 4).float().expand(1, 3, 8, 8)
    large = resized(edge, (16, 24))
    assert large.shape == (1, 3, 16, 24)
    assert large.min() == 0
    assert large.max() == 1
    assert resized(board, (32, 32)) is not board


def test_wrong_starts() -> None:
    with pytest.raises(NstError, match="did you mean 'content'"):
        start_image("contents", PHOTO)
    with pytest.raises(NstError, match="did you mean 'ac209b'"):
        start_image("noise", PHOTO, noise_kind="ac209")
    with pytest.raises(NstError, match="'style' needs a picture"):
        start_image("style", PHOTO)
    with pytest.raises(NstError, match="'network' needs a picture"):
        start_image("network", PHOTO)
    with pytest.raises(NstError, match=r"noise is -0\.1"):
        start_image("content+noise", PHOTO, noise=-0.1)
