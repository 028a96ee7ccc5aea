"""Variants of an exported model in fewer bits.

All take and give float32, so that apps need not know. Instance norm stays in float32 in all: its
sums over a whole picture overflow float16, and its output decides all that follows.
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

from nst.session import as_input

Pixels = NDArray[np.uint8]


def stored_in_half(model: onnx.ModelProto, photos: Sequence[Pixels]) -> onnx.ModelProto:
    """The model with its convolutions' weights stored in float16 and computed with in float32.

    A runtime widens them once, as it folds constants when it opens the model. Those of up-sampling
    convolutions stay: of a flat picture all pixels of a cell are sums of the same taps, merged in
    other ways (`export.rewrites.ShuffledUpConv`), and rounding each would make a grid of them.

    Args:
        model: In float32; it is not changed.
        photos: Not needed.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    shuffled = {node.input[0] for node in made.graph.node if node.op_type == "DepthToSpace"}
    casts = {}
    for node in made.graph.node:
        if node.op_type == "Conv" and node.output[0] not in shuffled:
            weight = node.input[1]
            wide = node.input[1] = f"{weight}_wide"
            casts[weight] = helper.make_node("Cast", [weight], [wide], to=TensorProto.FLOAT)
    for value in made.graph.initializer:
        if value.name in casts:
            narrow = numpy_helper.to_array(value).astype(np.float16)
            value.CopyFrom(numpy_helper.from_array(narrow, value.name))
    for value in made.graph.value_info:
        if value.name in casts:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    nodes = [*casts.values(), *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    onnx.checker.check_model(made, full_check=True)
    return made


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
            copy.deepcopy(model), keep_io_types=True, op_block_list=["InstanceNormalization"]
        )
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
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantised)


PRECISIONS: dict[str, Callable[[onnx.ModelProto, Sequence[Pixels]], onnx.ModelProto]] = {
    "fp16-weights": stored_in_half,
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
