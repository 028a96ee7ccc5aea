import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import nst
from export.__main__ import main
from export.graph import build_model, model_bytes
from export.parity import check_parity
from export.precision import stored_in_eight, stored_in_half
from export.rewrites import UP_CONV_NORM, ShuffledUpConv, rewritten, without_drift
from nst.checkpoint import read_checkpoint
from nst.errors import NstError
from nst.exported import read_exported
from nst.network import NETWORKS, TransformNet
from nst.network.layers import ConvNorm, UpConv
from nst.sidecar import METADATA_KEY, ModelFacts
from nst.styliser import Styliser

ROOT = Path(__file__).parent.parent
ARGUMENTS = {"width": 4, "blocks": 1}
Stored = Callable[[onnx.ModelProto, Sequence[Any]], onnx.ModelProto]


@pytest.fixture(scope="module", params=NETWORKS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = TransformNet(request.param, **ARGUMENTS)
    for parameter in net.parameters():  # the exporter merges what is equal, as untrained norms are
        parameter.data += 0.01 * torch.randn_like(parameter)
    path = tmp_path_factory.mktemp("checkpoint") / "final.ckpt"
    facts = {
        "style": "wave", "network": request.param, "network_args": ARGUMENTS, "steps": 7,
        "loss": {"style_weight": 5.0}, "held_out": {"total": 1.5}, "backbone": "vgg19",
        "backbone_sha256": "0" * 64, "style_image": "wave.jpg", "style_image_sha256": "1" * 64,
        "style_size": 256, "style_licence": "public domain", "nst_version": "0",
    }  # fmt: skip
    state = {f"net.{k}": v for k, v in net.state_dict().items()}
    torch.save({"state_dict": state, "nst": facts}, path)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    """The model as the command writes it."""
    path = checkpoint.with_name("wave.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "export", str(checkpoint), "-o", str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "differs from torch by" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    return path


def test_unfolds_to_what_was_exported(exported: Path, checkpoint: Path) -> None:
    net, facts = read_exported(exported)
    before, _ = read_checkpoint(checkpoint)
    assert (facts.style, facts.steps) == ("wave", 7)
    for name, value in before.state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value, msg=name)


@pytest.mark.parametrize("stored", [stored_in_half, stored_in_eight])
def test_unfolds_narrow_weights(
    stored: Stored, exported: Path, checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "narrow.onnx"
    onnx.save(stored(onnx.load(exported), []), path)
    net, _ = read_exported(path)
    before, _ = read_checkpoint(checkpoint)
    for name, value in before.state_dict().items():
        # Half of a step of float16, more where an up-sampling's taps are unfolded from sums, and
        # half of a step of eight bits in residual blocks.
        most = 1e-3
        if stored is stored_in_eight and ".body." in name:
            most += value.abs().max().item() / 254
        torch.testing.assert_close(net.state_dict()[name], value, rtol=0, atol=most, msg=name)


def test_refuses_to_unfold_what_is_no_model(tmp_path: Path, exported: Path) -> None:
    path = tmp_path / "a.onnx"
    with pytest.raises(NstError, match="no such model"):
        read_exported(path)
    path.write_text("a text")
    with pytest.raises(NstError, match="is no model of nst"):
        read_exported(path)
    model = onnx.load(exported)
    del model.graph.initializer[0]
    onnx.save(model, path)
    with pytest.raises(NstError, match="is no model of nst"):
        read_exported(path)


def test_contract(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert {o.domain: o.version for o in model.opset_import}[""] == 18
    (image,), (stylised,) = model.graph.input, model.graph.output
    assert (image.name, stylised.name) == ("image", "stylised")
    for value in (image, stylised):
        tensor = value.type.tensor_type
        assert tensor.elem_type == onnx.TensorProto.FLOAT
        assert tensor.shape.dim[1].dim_value == 3
        assert all(tensor.shape.dim[k].dim_param for k in (0, 2, 3))
    operators = {node.op_type for node in model.graph.node}
    assert operators <= {
        "Add", "Clip", "Constant", "Conv", "DepthToSpace", "InstanceNormalization", "Pad", "Relu",
        "Shape", "Slice",
    }  # fmt: skip


def test_nothing_of_this_machine_is_inside(exported: Path) -> None:
    data = exported.read_bytes()
    for trace in (str(ROOT), str(Path.home()), "site-packages", "stack_trace", ".py"):
        assert trace.encode() not in data
    assert not exported.with_name("wave.onnx.data").exists()


def test_facts_are_the_same_twice(exported: Path) -> None:
    sidecar = json.loads(exported.with_name("wave.onnx.json").read_text())
    properties = {p.key: p.value for p in onnx.load(exported).metadata_props}
    assert json.loads(properties[METADATA_KEY]) == sidecar
    assert sidecar["style"] == "wave"
    assert sidecar["steps"] == 7
    assert sidecar["min_size"] == TransformNet(**ARGUMENTS).min_size
    assert sidecar["nst_version"] == nst.__version__
    assert sidecar["held_out"] == {"total": 1.5}


@pytest.mark.parametrize("size", [(5, 5), (33, 47), (21, 96)])
def test_runs_what_torch_runs(checkpoint: Path, exported: Path, size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    net, _ = read_checkpoint(checkpoint)
    with torch.no_grad():
        x = torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255
        expected = (net(x).clamp(0, 1)[0].permute(1, 2, 0) * 255).round().numpy()
    got = Styliser(exported, provider="cpu")(rgb)
    assert np.abs(got.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4)])
def test_up_sampling_becomes_one_convolution_and_a_shuffle(
    bias: bool, size: tuple[int, int]
) -> None:
    up = UpConv(5, 3, bias=bias).double()
    shuffled = ShuffledUpConv(up)
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    torch.testing.assert_close(shuffled(x), up(x))


@pytest.mark.parametrize("photo_skip", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_rewriting_is_exact_and_leaves_the_network_as_it_is(name: str, photo_skip: bool) -> None:
    net = TransformNet(name, **ARGUMENTS, photo_skip=photo_skip).double()
    nn.init.normal_(net.body[-1].bias)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    other = rewritten(net)
    photo = torch.rand(2, 3, 21, 34, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(other(photo), net(photo))
    assert not any(isinstance(m, UpConv) for m in other.modules())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@torch.no_grad()
def test_weights_that_drifted_make_no_noise_of_a_flat_picture() -> None:
    torch.manual_seed(0)
    net = TransformNet("standard", width=8, blocks=1).eval()
    for name in net.norm_parameters:  # what is left of a flat picture comes of their shifts
        net.get_parameter(name).copy_(torch.randn_like(net.get_parameter(name)))
    for module in net.modules():
        if isinstance(module, ConvNorm) and isinstance(up := module[0], UpConv):
            up.weight *= 1000
    grey, photo = torch.full((1, 3, 203, 301), 0.3), torch.rand(1, 3, 64, 96)
    other = without_drift(net)
    deviations = [n(grey).std((2, 3)).max() for n in (net, other)]
    assert deviations[0] > 20 * deviations[1]
    torch.testing.assert_close(other(photo), net(photo), rtol=0, atol=2e-3)
    assert other.body[-2][0].weight.flatten(1).norm(dim=1).max() < UP_CONV_NORM + 1e-3
    torch.testing.assert_close(without_drift(other).state_dict(), other.state_dict())


class Wrong(nn.Module):
    """Another network than the one that was exported."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * 0.9


def test_a_model_that_differs_is_refused(exported: Path) -> None:
    with pytest.raises(NstError, match="differs from torch by"):
        check_parity(Wrong(), exported.read_bytes(), 5)


def test_parity_covers_the_sizes_that_go_wrong(checkpoint: Path) -> None:
    net, facts = read_checkpoint(checkpoint)
    found = check_parity(net, model_bytes(build_model(net, facts)), facts.min_size)
    assert {"1x3x256x256", "1x3x203x301", "1x3x64x640", "1x3x5x5", "2x3x96x128"} <= set(found)
    assert max(found.values()) < 1e-4


def test_bad_input_is_one_clear_line(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    cases = [
        ([tmp_path / "none.ckpt"], "no such checkpoint"),
        ([tmp_path / "text.ckpt"], "is no checkpoint of an nst training"),
        ([tmp_path / "foreign.ckpt"], "is no checkpoint of an nst training"),
        ([checkpoint, "-o", tmp_path / "model.pt"], "name the file .onnx"),
        ([checkpoint, "--outptu", "x.onnx"], "did you mean '--output'"),
    ]
    for arguments, says in cases:
        assert main([str(a) for a in arguments]) == 2
        errors = capsys.readouterr().err.splitlines()
        assert len(errors) == 1
        assert says in errors[0]
    assert not list(tmp_path.glob("*.onnx*"))


def test_facts_of_a_newer_format_are_refused() -> None:
    text = ModelFacts("wave", "standard", {}, 5, format_version=99).to_json()
    with pytest.raises(NstError, match="model format 99"):
        ModelFacts.from_json(text, "wave.onnx")
