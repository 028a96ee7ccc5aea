"""A variant of a model for apps that want no pre-processing: bytes in, bytes out."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from export.graph import model_bytes, with_facts
from nst.errors import NstError
from nst.session import as_input
from nst.sidecar import ModelFacts

_SIZES = [(64, 64), (61, 97), (128, 75)]


def as_bytes(data: bytes, facts: ModelFacts) -> tuple[bytes, ModelFacts]:
    """A model that takes and gives bytes, compared with the one that it was made of.

    Args:
        data: The model with float32 input and output.
        facts: Its facts.

    Returns:
        The variant and its facts.

    Raises:
        NstError: The two differ by more than 1/255.
    """
    facts = dataclasses.replace(facts, io="uint8")
    made = model_bytes(with_facts(with_bytes(onnx.load_from_string(data)), facts))
    check_bytes(data, made)
    return made, facts


def with_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of the same pictures as uint8, (N, H, W, 3), in and out.

    The input is divided by 255; the output is rounded half up, as `nst.styliser` does.

    Args:
        model: With float32 input and output, (N, 3, H, W); it is not changed.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    for node in graph.node:
        node.input[:] = ["image_planes" if n == "image" else n for n in node.input]
        node.output[:] = ["stylised_planes" if n == "stylised" else n for n in node.output]
    constants = {"bytes_range": np.float32(255), "bytes_half": np.float32(0.5)}
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    before = [
        helper.make_node("Cast", ["image"], ["image_floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["image_floats", "bytes_range"], ["image_scaled"]),
        helper.make_node("Transpose", ["image_scaled"], ["image_planes"], perm=[0, 3, 1, 2]),
    ]
    after = [
        helper.make_node("Transpose", ["stylised_planes"], ["stylised_rows"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["stylised_rows", "bytes_range"], ["stylised_scaled"]),
        helper.make_node("Add", ["stylised_scaled", "bytes_half"], ["stylised_raised"]),
        helper.make_node("Floor", ["stylised_raised"], ["stylised_whole"]),
        helper.make_node("Cast", ["stylised_whole"], ["stylised"], to=TensorProto.UINT8),
    ]
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    shape: list[str | int | None] = ["batch", "height", "width", 3]
    for values, name in ((graph.input, "image"), (graph.output, "stylised")):
        del values[:]
        values.append(helper.make_tensor_value_info(name, TensorProto.UINT8, shape))
    onnx.checker.check_model(made, full_check=True)
    return made


def check_bytes(floats: bytes, made: bytes) -> int:
    """Run a model and its variant on random pictures.

    Args:
        floats: The model with float32 input and output.
        made: The variant with bytes.

    Returns:
        The largest difference, in units of 1/255.

    Raises:
        NstError: It is above 1; nothing may be written then.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    sessions = [
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        for data in (floats, made)
    ]
    rng = np.random.default_rng(0)
    worst = 0
    for height, width in _SIZES:
        rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        (expected,) = sessions[0].run(None, {"image": as_input(rgb)})
        (got,) = sessions[1].run(None, {"image": rgb[np.newaxis]})
        rounded = (expected[0].transpose(1, 2, 0) * 255 + 0.5).astype(int)
        worst = max(worst, int(np.abs(rounded - got[0]).max()))
    if worst > 1:
        raise NstError(f"the model with bytes differs by {worst}/255: not written. Report this.")
    return worst
