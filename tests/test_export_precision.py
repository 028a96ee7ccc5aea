"""Fewer bits against fp32, on the shipped loss network and a small network."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export.__main__ import main
from export.cost import Cost, psnr
from export.precision import PRECISIONS
from nst import shipped
from nst.errors import NstError
from nst.files import sha256_of
from nst.network import TransformNet
from nst.sidecar import METADATA_KEY, ModelFacts
from nst.styliser import Styliser

ARGUMENTS = {"width": 8, "blocks": 1}
PHOTO = Path(__file__).parent.parent / "examples" / "photos" / "owl.jpg"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of a shipped painting, by whose loss it can be judged."""
    torch.manual_seed(0)
    net = TransformNet(**ARGUMENTS)
    for parameter in net.parameters():  # the exporter merges what is equal, as untrained norms are
        parameter.data += 0.01 * torch.randn_like(parameter)
    style = shipped.find()
    assert style.style_image is not None
    facts = {
        "style": "dusk", "network": "standard", "network_args": ARGUMENTS, "steps": 7,
        "loss": {"style_weight": 5.0}, "style_image": style.style_image.name,
        "style_image_sha256": sha256_of(style.style_image), "style_size": 64,
    }  # fmt: skip
    path = tmp_path_factory.mktemp("checkpoint") / "final.ckpt"
    state = {f"net.{k}": v for k, v in net.state_dict().items()}
    torch.save({"state_dict": state, "nst": facts}, path)
    return path


def test_an_exported_model_is_a_source_too(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    direct, again = ["-o", "direct.onnx"], ["live.onnx"]
    assert main([str(checkpoint), "-o", "live.onnx", "--style", "mine"]) == 0
    for fewer in (["--precision", "int8"], ["--precision", "int8-weights", "--io", "uint8"]):
        assert main([str(checkpoint), *direct, *fewer, "--style", "mine"]) == 0
        assert main([*again, *fewer]) == 0
        made = Path("-".join(["live", *fewer[1::2]]) + ".onnx")
        pictures = [
            Styliser(path, provider="cpu")(PHOTO, max_size=96) for path in (made, "direct.onnx")
        ]
        assert psnr(*(np.asarray(picture) for picture in pictures)) > 45
        facts = Styliser(made).facts
        assert (facts.style, facts.steps, facts.precision) == ("mine", 7, fewer[1])
    # And back: what is written computes in full, with bytes or not, and tells what was lost.
    assert main([str(made), "-o", "back.onnx"]) == 0
    back = Styliser("back.onnx").facts
    assert (back.precision, back.io, back.precision_cost) == (
        "fp32",
        "float32",
        facts.precision_cost,
    )
    capsys.readouterr()
    before = Path("live.onnx").read_bytes()
    for words, says in (
        (again, "is one of the inputs"),
        (["live-int8.onnx"], "is in int8: give the same model in fp32"),
        (["none.onnx"], "no such model"),
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1
    assert Path("live.onnx").read_bytes() == before


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_variant_keeps_the_contract_and_says_what_it_cost(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    full, path = tmp_path / "full.onnx", tmp_path / "variant.onnx"
    assert main([str(checkpoint), "-o", str(full)]) == 0
    assert main([str(checkpoint), "-o", str(path), "--precision", precision]) == 0
    assert "times the held-out total of fp32" in capsys.readouterr().out
    model = onnx.load(path)
    assert [v.name for v in (*model.graph.input, *model.graph.output)] == ["image", "stylised"]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    properties = {p.key: p.value for p in model.metadata_props}
    assert list(properties) == [METADATA_KEY]
    facts = ModelFacts.from_json(properties[METADATA_KEY], path)
    assert facts == ModelFacts.from_json(path.with_name("variant.onnx.json").read_text(), path)
    assert facts.precision == precision
    assert facts.precision_cost["psnr"] > 30
    assert facts.precision_cost["total"] < 1.03
    assert str(tmp_path).encode() not in path.read_bytes()
    # Of pictures of other sizes than it was made with, too.
    for size in ((64, 64), (97, 131), (5, 5)):
        picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        picture = (picture // 4 + 96).astype(np.uint8)
        found = [Styliser(p, provider="cpu")(picture) for p in (full, path)]
        assert psnr(*found) > 25
    assert path.stat().st_size < 0.75 * full.stat().st_size


def test_int8_that_takes_and_gives_bytes(checkpoint: Path, tmp_path: Path) -> None:
    floats, made, photos = tmp_path / "floats.onnx", tmp_path / "bytes.onnx", tmp_path / "photos"
    photos.mkdir()
    for path in sorted(PHOTO.parent.glob("*.jpg"))[:3]:
        shutil.copy(path, photos)
    options = ["--precision", "int8", "--photos", str(photos)]
    assert main([str(checkpoint), "-o", str(floats), *options]) == 0
    assert main([str(checkpoint), "-o", str(made), *options, "--io", "uint8"]) == 0
    assert (Styliser(made).facts.precision, Styliser(made).facts.io) == ("int8", "uint8")
    pictures = [np.asarray(Styliser(path)(PHOTO), np.int16) for path in (floats, made)]
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_what_is_in_fewer_bits(checkpoint: Path, tmp_path: Path) -> None:
    types = {}
    for precision in PRECISIONS:
        path = tmp_path / f"{precision}.onnx"
        assert main([str(checkpoint), "-o", str(path), "--precision", precision]) == 0
        model = onnx.load(path)
        types[precision] = {
            onnx.TensorProto.DataType.Name(i.data_type)
            for i in model.graph.initializer
            if len(i.dims) == 4
        }
        made = {name: node.op_type for node in model.graph.node for name in node.output}
        for node in model.graph.node:
            if node.op_type == "InstanceNormalization" and precision == "fp16":
                assert made.get(node.input[0], "Cast") == "Cast"
        kept = [i for i in model.graph.initializer if len(i.dims) == 4 and i.data_type == 1]
        scales = {(1, 1)} if precision == "int8-weights" else set()
        assert {tuple(i.dims[2:]) for i in kept} == {(2, 2)} | scales  # the up-samplings'
    assert types == {
        "fp16-weights": {"FLOAT16", "FLOAT"},
        "int8-weights": {"INT8", "FLOAT16", "FLOAT"},
        "fp16": {"FLOAT16", "FLOAT"},
        "int8": {"INT8", "FLOAT"},
    }


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_blank_picture_stays_blank(tmp_path: Path, precision: str) -> None:
    """Of a trained network, whose norms stretch to the whole contrast what rounding leaves."""
    path = tmp_path / "variant.onnx"
    live = shipped.find("starry-night-live").path
    assert main([str(live), "-o", str(path), "--precision", precision]) == 0
    styliser = Styliser(path, provider="cpu")
    for grey in (0, 90, 255):
        for size in ((64, 64), (67, 101)):
            made = styliser(np.full((*size, 3), grey, np.uint8)).astype(int)
            assert np.ptp(made, axis=(0, 1)).max() <= 1


@pytest.mark.parametrize(("precision", "least"), [("fp16-weights", 50), ("int8-weights", 40)])
def test_narrow_weights_are_computed_with_in_full(
    checkpoint: Path, tmp_path: Path, precision: str, least: float
) -> None:
    full, path = tmp_path / "full.onnx", tmp_path / "narrow.onnx"
    assert main([str(checkpoint), "-o", str(full)]) == 0
    assert main([str(checkpoint), "-o", str(path), "--precision", precision]) == 0
    assert psnr(*(np.asarray(Styliser(p, provider="cpu")(PHOTO)) for p in (full, path))) > least
    # They are widened once, when a runtime opens the model, and not for every picture.
    options, opened = onnxruntime.SessionOptions(), tmp_path / "opened.onnx"
    options.optimized_model_filepath = str(opened)
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert not {"Cast", "Mul"} & {node.op_type for node in onnx.load(opened).graph.node}


def test_what_costs_too_much_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def spoiled(model: onnx.ModelProto, photos: object) -> onnx.ModelProto:
        """Whose pictures are all grey."""
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        clip = copy.graph.node[-1]
        assert clip.op_type == "Clip"
        half = onnx.helper.make_tensor("half", onnx.TensorProto.FLOAT, [], [0.5])
        copy.graph.initializer.append(half)
        clip.input[1] = clip.input[2] = "half"
        return copy

    monkeypatch.setitem(PRECISIONS, "int8", spoiled)
    path = tmp_path / "spoiled.onnx"
    command = [str(checkpoint), "-o", str(path), "--precision", "int8"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "int8 has" in error
    assert "--allow-loss" in error
    assert not path.exists()
    assert main([*command, "--allow-loss"]) == 0
    facts = ModelFacts.from_json(path.with_name("spoiled.onnx.json").read_text(), path)
    assert facts.precision_cost["total"] > 1.03 or facts.precision_cost["psnr"] < 30


def test_bounds_of_a_cost() -> None:
    Cost(1.03, 30.0, 20.0, 12).check("int8")
    for total, decibels in ((1.031, 50.0), (1.0, 29.9)):
        with pytest.raises(NstError, match=r"int8 has .*export fp32, or give --allow-loss"):
            Cost(total, decibels, decibels, 12).check("int8")


def test_what_was_lost_before_counts() -> None:
    cost = Cost(1.01, 40.0, 30.0, 12)
    assert cost.after({}) == cost
    twice = cost.after({"total": 1.02, "psnr": 40.0, "lowest_psnr": 50.0, "photos": 12})
    assert twice.total == pytest.approx(1.0302)
    assert twice.psnr == pytest.approx(36.99, abs=0.01)  # twice the squared error
    assert twice.lowest_psnr == pytest.approx(29.96, abs=0.01)


def test_psnr() -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr(black, black) == 99
    assert psnr(black, white) == 0
    assert psnr(black, black + np.uint8(1)) == pytest.approx(48.13, abs=0.01)


def test_wrong_options(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(checkpoint), "-o", str(tmp_path / "x.onnx"), "--precision"]
    (tmp_path / "empty").mkdir()
    for options, message in [
        (["int4"], "int4"),
        (["int8", "--photos", str(tmp_path / "empty")], "empty"),
        (["int8", "--style-image", str(PHOTO)], "is not the picture that the model was trained on"),
    ]:
        assert main([*command, *options]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "x.onnx").exists()
