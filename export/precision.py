"""Variants of an exported model in fewer bits.

All take and give float32, so that apps need not know. What stays in float32 in all:

- Instance norms: their sums over a whole picture overflow float16, and their output decides all
  that follows.
- Up-sampling convolutions. Of a flat picture all pixels of a cell are sums of the same taps, merged
  in other ways (`export.rewrites.ShuffledUpConv`): rounding each of these would make a grid, which
  the norm after it would stretch to a picture's whole contrast.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from nst.exported import SCALE
from nst.session import as_input

Pixels = NDArray[np.uint8]


def stored_in_half(model: onnx.ModelProto, photos: Sequence[Pixels]) -> onnx.ModelProto:
    """The model with its convolutions' weights stored in float16 and computed with in float32.

    A runtime widens them once, as it folds constants when it opens the model.

    Args:
        model: In float32; it is not changed.
        photos: Not needed.
    """
    return _stored(model, residual_in_eight=False)


def stored_in_eight(model: onnx.ModelProto, photos: Sequence[Pixels]) -> onnx.ModelProto:
    """`stored_in_half`, with the weights of residual blocks in 8 bits and a scale per output.

    Those are most of a model, and what rounding changes is only a part of what a block adds.

    Args:
        model: In float32; it is not changed.
        photos: Not needed.
    """
    return _stored(model, residual_in_eight=True)


def _stored(model: onnx.ModelProto, residual_in_eight: bool) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    kept = _up_sampling(graph)
    weights = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    narrow: dict[str, NDArray[Any]] = {}
    widening = []
    for node in graph.node:
        if node.op_type != "Conv" or node.name in kept:
            continue
        name = node.input[1]
        wide = node.input[1] = f"{name}_wide"
        if name in narrow:  # two convolutions may share one weight
            continue
        weight = weights[name]
        if residual_in_eight and weight.shape[0] == weight.shape[1]:
            scale = np.abs(weight).max((1, 2, 3), keepdims=True) / np.float32(127)
            scale[scale == 0] = 1
            narrow |= {name: np.rint(weight / scale).astype(np.int8), name + SCALE: scale}
            widening += [
                helper.make_node("Cast", [name], [f"{name}_float"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}_float", name + SCALE], [wide]),
            ]
        else:
            narrow[name] = weight.astype(np.float16)
            widening.append(helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT))
    _replace(graph, narrow, widening)
    onnx.checker.check_model(made, full_check=True)
    return made


def _up_sampling(graph: onnx.GraphProto) -> list[str]:
    """Names of the convolutions whose output is shuffled into pixels."""
    shuffled = {node.input[0] for node in graph.node if node.op_type == "DepthToSpace"}
    return [node.name for node in graph.node if node.output[0] in shuffled]


def _replace(
    graph: onnx.GraphProto, constants: dict[str, NDArray[Any]], first: Sequence[onnx.NodeProto]
) -> None:
    """Put constants into a graph, in place of those of the same names, and nodes before all."""
    kept = [value for value in graph.initializer if value.name not in constants]
    new = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *new])
    infos = [value for value in graph.value_info if value.name not in constants]
    del graph.value_info[:]
    graph.value_info.extend(infos)
    nodes = [*first, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def half(model: onnx.ModelProto, photos: Sequence[Pixels]) -> onnx.ModelProto:
    """The model with weights and convolutions in float16.

    Args:
        model: In float32; it is not changed.
        photos: Not needed.
    """
    with warnings.catch_warnings():
        # Weights below float16's smallest number become that: of no account beside the others.
        warnings.simplefilter("ignore")
        converted: onnx.ModelProto = convert_float_to_float16(
            copy.deepcopy(model),
            keep_io_types=True,
            op_block_list=["InstanceNormalization"],
            node_block_list=_up_sampling(model.graph),
        )
    # It leaves the casts that it adds at the end, and stale types, both of which ONNX forbids.
    OnnxModel(converted).topological_sort()
    del converted.graph.value_info[:]
    onnx.checker.check_model(converted, full_check=True)
    return converted


def eight_bits(model: onnx.ModelProto, photos: Sequence[Pixels]) -> onnx.ModelProto:
    """The model with convolutions in 8 bits, per channel, calibrated on photos (static QDQ).

    Weights take 7 bits: pairs of products of 8 bits are added in 16 on processors without VNNI
    instructions, and saturate there.

    Args:
        model: In float32; it is not changed.
        photos: (H, W, 3) each, of any sizes.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        full, prepared, quantised = (Path(folder) / f"{k}.onnx" for k in ("full", "pre", "int8"))
        # As a file: of a model in memory it would make one with external data, and fail on that.
        full.write_bytes(model.SerializeToString())
        quant_pre_process(full, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _Calibration(photos),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=_up_sampling(model.graph),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantised)


PRECISIONS: dict[str, Callable[[onnx.ModelProto, Sequence[Pixels]], onnx.ModelProto]] = {
    "fp16-weights": stored_in_half,
    "int8-weights": stored_in_eight,
    "fp16": half,
    "int8": eight_bits,
}
"""What makes a variant of a float32 model, by its name."""


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Photos one by one, as the model takes them."""

    def __init__(self, photos: Sequence[Pixels]):
        self._photos: Iterator[Pixels] = iter(photos)

    def get_next(self) -> dict[str, Any] | None:
        """The next photo, or None."""
        photo = next(self._photos, None)
        if photo is None:
            return None
        return {"image": as_input(photo)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice in the log."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
