"""Models that take and give bytes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export.__main__ import main
from export.graph import build_model, model_bytes
from export.io import check_bytes, with_bytes
from nst.errors import NstError
from nst.network import TransformNet
from nst.session import as_input
from nst.sidecar import CHECKPOINT_KEY, METADATA_KEY, ModelFacts
from nst.styliser import Styliser

ARGUMENTS = {"width": 2, "blocks": 1, "photo_skip": True}


@pytest.fixture(scope="module")
def floats() -> onnx.ModelProto:
    torch.manual_seed(0)
    facts = ModelFacts(style="s", network="live", network_args=ARGUMENTS, min_size=5)
    return build_model(TransformNet("live", **ARGUMENTS).eval(), facts)


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model_bytes(model), providers=["CPUExecutionProvider"])
    return session.run(["stylised"], {"image": image})[0]


@pytest.mark.parametrize("size", [(5, 5), (61, 40), (33, 90)])
def test_the_bytes_are_the_rounded_floats(floats: onnx.ModelProto, size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    got = run(with_bytes(floats), rgb)
    assert got.dtype == np.uint8
    assert got.shape == rgb.shape
    for picture, result in zip(rgb, got, strict=True):
        planes = run(floats, as_input(picture))[0]
        expected = (planes.transpose(1, 2, 0) * 255 + 0.5).astype(int)
        assert np.abs(result - expected).max() <= 1


def test_a_wrong_variant_is_not_written(floats: onnx.ModelProto) -> None:
    other = build_model(
        TransformNet("live", **ARGUMENTS).eval(),
        ModelFacts(style="s", network="live", network_args=ARGUMENTS, min_size=5),
    )
    assert check_bytes(model_bytes(floats), model_bytes(with_bytes(floats))) <= 1
    with pytest.raises(NstError, match="not written"):
        check_bytes(model_bytes(floats), model_bytes(with_bytes(other)))


def test_the_command_and_the_styliser(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = TransformNet("live", **ARGUMENTS)
    facts = {"style": "s", "network": "live", "network_args": ARGUMENTS}
    state = {f"net.{k}": v for k, v in net.state_dict().items()}
    torch.save({"state_dict": state, CHECKPOINT_KEY: facts}, tmp_path / "final.ckpt")
    plain, made = tmp_path / "s.onnx", tmp_path / "s-uint8.onnx"
    assert main([str(tmp_path / "final.ckpt"), "-o", str(plain)]) == 0
    assert main([str(tmp_path / "final.ckpt"), "-o", str(made), "--io", "uint8"]) == 0
    assert '"io": "uint8"' in (tmp_path / "s-uint8.onnx.json").read_text()
    assert '"io": "uint8"' in onnx.load(made).metadata_props[0].value
    assert onnx.load(made).metadata_props[0].key == METADATA_KEY
    rgb = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    for options in ({}, {"strength": 0.4}, {"keep_colour": True}):
        results = [Styliser(path, provider="cpu")(rgb, **options) for path in (plain, made)]
        assert np.abs(results[0].astype(int) - results[1]).max() <= 1


def test_tiles_are_refused_in_one_line(floats: onnx.ModelProto, tmp_path: Path) -> None:
    from nst.tiles.graph import open_norms

    path = tmp_path / "bytes.onnx"
    path.write_bytes(model_bytes(with_bytes(floats)))
    with pytest.raises(NstError, match="cannot be run in tiles"):
        open_norms(path)
