import pytest
import torch

from nst.vgg import Vgg, load_weights
from nst.vgg.stand_in import stand_in

LAYERS = ["conv1_1", "relu2_2", "conv3_1"]


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def test_it_is_the_original_for_torchvisions_pixels(image: torch.Tensor) -> None:
    original = Vgg(load_weights(), LAYERS)(image, LAYERS)
    found = Vgg(stand_in("vgg19-torchvision"), LAYERS)(image, LAYERS)
    for name in LAYERS:
        # 255 · mean(0.229, 0.224, 0.225); the means of the pixels differ by half a grey level.
        expected = original[name] / 57.63
        difference = (found[name] - expected).abs().max() / expected.abs().max()
        assert difference < 0.01


def test_it_takes_the_pixels_that_a_preset_asks_for(image: torch.Tensor) -> None:
    plain = stand_in("vgg19-torchvision", "none")
    assert plain.pixels == "none"
    weight, bias = plain.convolutions[0]
    # Red first, as it comes, and not the BGR of the original.
    expected = torch.nn.functional.conv2d(image, weight, bias, padding=1)
    got = Vgg(plain, ["conv1_1"])(image, ["conv1_1"])["conv1_1"]
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    colours = load_weights().convolutions[0][0].sum((0, 2, 3))
    torch.testing.assert_close(weight.sum((0, 2, 3)), colours.flip(0), rtol=0.05, atol=0.05)


def test_for_original_weights_it_is_the_original_as_it_is() -> None:
    found = stand_in("vgg16-original")
    assert (found.architecture, found.pixels) == ("vgg19", "caffe")
    torch.testing.assert_close(found.convolutions[0][0], load_weights().convolutions[0][0])
