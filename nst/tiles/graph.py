"""A model's graph with its instance norms opened: statistics out, and in.

Instance norm is all that keeps a network from being run on parts of a picture. The exported model
stays as it is; what is made here of it is for this process alone:

- *observed*: the same, with the moments of what each norm gets as further outputs;
- *frozen*: each norm is a factor and a summand that are inputs;
- *counted*: both, and the moments are those of the part of the tile that counts.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from nst.errors import NstError

# Each pixel of the output depends on the same one of the input, and on no other.
_POINTWISE = {
    "Add", "Sub", "Mul", "Div", "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh",
    "HardSigmoid", "HardSwish", "Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Concat",
    "Pad", "Slice",
}  # fmt: skip
_AXES = "axes_of_pixels"


@dataclass(frozen=True)
class Norm:
    """An instance norm of a model.

    Attributes:
        name: Ends the names of its inputs and outputs: factor_, summand_, mean_, squares_, shape_.
        scale: (C,).
        shift: (C,).
        epsilon: Added to the variance.
        ratio: Pixels of the picture to one of its own.
        turn: How many norms the longest way to it has: those of one turn need only the ones before.
    """

    name: str
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    epsilon: float
    ratio: int
    turn: int


@dataclass(frozen=True)
class Opened:
    """What is made of a model.

    Attributes:
        observed: The model with further outputs.
        frozen: The model with the norms' factors and summands as inputs.
        counted: Both, and for each ratio the part that counts as inputs, from_ and to_, (2,) int64
            each.
        norms: In the order of their turns.
        halo: Pixels of the picture that an output depends on, each way.
        multiple: Ratio of the smallest features: parts must begin at multiples of it.
    """

    observed: bytes
    frozen: bytes
    counted: bytes
    norms: tuple[Norm, ...]
    halo: int
    multiple: int


@dataclass(frozen=True)
class _Reach:
    """Of a feature map: pixels of the picture to one of its own, and how far it sees."""

    ratio: int = 1
    radius: int = 0
    turn: int = 0


def open_norms(path: Path) -> Opened:
    """Open the norms of a model.

    Raises:
        NstError: The model has a layer that sees the whole picture and is no instance norm.
    """
    model = onnx.load(path)
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    reach = _reaches(model.graph, constants, path)
    norms = []
    for node in model.graph.node:
        if node.op_type == "InstanceNormalization":
            x, scale, shift = node.input
            norms.append(
                Norm(
                    node.output[0],
                    constants[_stored(scale, model.graph)].astype(np.float64),
                    constants[_stored(shift, model.graph)].astype(np.float64),
                    _attribute(node, "epsilon", 1e-5),
                    reach[x].ratio,
                    reach[node.output[0]].turn,
                )
            )
    multiple = max(r.ratio for r in reach.values())
    radius = reach[model.graph.output[0].name].radius
    return Opened(
        observed=_rewritten(model, norms, frozen=False, observed=True),
        frozen=_rewritten(model, norms, frozen=True, observed=False),
        counted=_rewritten(model, norms, frozen=True, observed=True),
        norms=tuple(sorted(norms, key=lambda norm: norm.turn)),
        halo=-(-radius // multiple) * multiple,
        multiple=multiple,
    )


def _reaches(
    graph: onnx.GraphProto, constants: dict[str, NDArray[np.float32]], path: Path
) -> dict[str, _Reach]:
    """What each tensor that is made of the picture, and is one, sees of it."""
    found = {graph.input[0].name: _Reach()}
    for node in graph.node:
        inputs = [found[name] for name in node.input if name in found]
        if not inputs or node.op_type == "Shape":
            continue
        ratio = max(r.ratio for r in inputs)
        radius, turn = max(r.radius for r in inputs), max(r.turn for r in inputs)
        if node.op_type == "Conv":
            side = constants[_stored(node.input[1], graph)].shape[-1]
            step = _attribute(node, "strides", [1])
            radius += side // 2 * _attribute(node, "dilations", [1])[0] * ratio
            ratio *= step[0]
        elif node.op_type in ("Resize", "DepthToSpace"):
            larger = (
                _attribute(node, "blocksize", 1)
                if node.op_type == "DepthToSpace"
                else int(constants[node.input[2]][-1])
            )
            # A pixel of the larger map lies anywhere in one of the smaller.
            radius += ratio - ratio // larger
            ratio //= larger
        elif node.op_type == "InstanceNormalization":
            turn += 1
        elif node.op_type not in _POINTWISE:
            raise NstError(
                f"{path} has a layer {node.op_type}, which cannot be run in tiles: give a larger "
                "--memory, or --max-size."
            )
        found[node.output[0]] = _Reach(ratio, radius, turn)
    return found


def _stored(name: str, graph: onnx.GraphProto) -> str:
    """Name of the constant that a tensor is; those in fewer bits come through some other nodes."""
    while made := next((n for n in graph.node if name in n.output), None):
        name = made.input[0]
    return name


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _rewritten(
    model: onnx.ModelProto, norms: Sequence[Norm], *, frozen: bool, observed: bool
) -> bytes:
    """The model with frozen norms, or the moments of their inputs as outputs, or both."""
    model = copy.deepcopy(model)
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), _AXES))
    by_output = {norm.name: norm for norm in norms}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        norm = by_output.get(node.output[0])
        nodes += [node] if norm is None or not frozen else _affine(graph, norm, node.input[0])
        if norm is not None and observed:
            nodes += _moments(graph, norm, node.input[0], counted=frozen)
    if frozen and observed:
        for ratio in dict.fromkeys(norm.ratio for norm in norms):
            for kind in ("from", "to"):
                graph.input.append(_value(f"{kind}_{ratio}", onnx.TensorProto.INT64, [2]))
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def _affine(graph: onnx.GraphProto, norm: Norm, features: str) -> list[onnx.NodeProto]:
    """Nodes in place of a norm, whose factor and summand become inputs of the graph."""
    factor, summand, scaled = (f"{kind}_{norm.name}" for kind in ("factor", "summand", "scaled"))
    for name in (factor, summand):
        graph.input.append(_value(name, onnx.TensorProto.FLOAT, [1, len(norm.scale), 1, 1]))
    return [
        helper.make_node("Mul", [features, factor], [scaled]),
        helper.make_node("Add", [scaled, summand], [norm.name]),
    ]


def _moments(
    graph: onnx.GraphProto, norm: Norm, features: str, *, counted: bool
) -> list[onnx.NodeProto]:
    """Nodes for the moments of what a norm gets, or of its part that counts: further outputs."""
    part, mean, away, squares, shape = (
        f"{kind}_{norm.name}" for kind in ("counted", "mean", "away", "squares", "shape")
    )
    cut = helper.make_node(
        "Slice", [features, f"from_{norm.ratio}", f"to_{norm.ratio}", _AXES], [part]
    )
    part = part if counted else features
    floats, integers = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    for name, type_ in ((mean, floats), (squares, floats), (shape, integers)):
        graph.output.append(_value(name, type_, None))
    return [
        *([cut] if counted else []),
        helper.make_node("ReduceMean", [part, _AXES], [mean]),
        helper.make_node("Sub", [part, mean], [away]),
        helper.make_node("ReduceSumSquare", [away, _AXES], [squares]),
        helper.make_node("Shape", [part], [shape], start=2),
    ]


def _value(name: str, type_: int, shape: Sequence[int] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, type_, shape)
