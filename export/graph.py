"""The ONNX graph: the network with a clamp, any size, one file, nothing of this machine in it."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.rewrites import rewritten
from nst.errors import NstError
from nst.files import atomic_write
from nst.sidecar import METADATA_KEY, ModelFacts, sidecar_path

OPSET = 18


class ExportedNet(nn.Module):
    """The network as apps run it: output clamped to [0, 1], exactly of the input's size."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) float32 in [0, 1] to the same."""
        y: Tensor = self.net(image).clamp(0.0, 1.0)
        return y


def build_model(net: nn.Module, facts: ModelFacts) -> onnx.ModelProto:
    """Export a network with dynamic batch, height and width.

    Args:
        net: Maps (N, 3, H, W) to the same, in eval mode.
        facts: Written into the model's metadata.

    Returns:
        A checked model with the input `image` and the output `stylised`.

    Raises:
        NstError: The exporter wrote another opset than `OPSET`.
    """
    example = torch.rand(1, 3, 64, 72)
    with warnings.catch_warnings():
        # About its own internals; `check_parity` and the checks below say what matters.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            ExportedNet(rewritten(net)),
            (example,),
            input_names=["image"],
            output_names=["stylised"],
            dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise NstError("torch.onnx.export returned no model: install torch 2.9 or newer.")
    model = program.model_proto
    _strip(model)
    model = with_facts(model, facts)
    written = {o.domain: o.version for o in model.opset_import}
    if written.get("") != OPSET:
        raise NstError(f"the exporter wrote opset {written}, not {OPSET}: install torch >= 2.9.")
    onnx.checker.check_model(model, full_check=True)
    return model


def with_facts(model: onnx.ModelProto, facts: ModelFacts) -> onnx.ModelProto:
    """A copy of a model with these facts alone in its metadata."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    entry = copy.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, facts.to_json()
    copy.producer_name, copy.producer_version = "nst", facts.nst_version
    return copy


def _strip(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes of the source code: it holds this machine's file paths."""
    del model.metadata_props[:]
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        for part in (graph, *graph.node, *getattr(graph, "value_info", ())):
            del part.metadata_props[:]
            part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""


def model_bytes(model: onnx.ModelProto) -> bytes:
    """The model as one file's bytes."""
    return bytes(model.SerializeToString(deterministic=True))


def check_name(path: str | Path) -> None:
    """Refuse a file that is not named .onnx.

    Raises:
        NstError: It is not.
    """
    if Path(path).suffix != ".onnx":
        raise NstError(f"cannot export to {path}: name the file .onnx.")


def write_model(data: bytes, facts: ModelFacts, path: str | Path) -> Path:
    """Write a model and its sidecar, each whole or not at all.

    Args:
        data: From `model_bytes`.
        facts: Its facts.
        path: File to write, named .onnx.

    Returns:
        The path of the sidecar.

    Raises:
        NstError: Not named .onnx, or it cannot be written.
    """
    check_name(path)
    sidecar = sidecar_path(path)
    with atomic_write(path) as model_file, atomic_write(sidecar) as facts_file:
        model_file.write_bytes(data)
        facts_file.write_text(facts.to_json() + "\n", encoding="utf-8")
    return sidecar
