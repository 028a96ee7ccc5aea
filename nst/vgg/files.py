"""The convolutions of a VGG from a file of PyTorch, safetensors, Keras or ONNX."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nst.errors import NstError, unknown
from nst.vgg.layers import BLOCKS, WIDTHS

Convolutions = list[tuple[Tensor, Tensor]]


def expected_shapes(architecture: str) -> list[tuple[int, int, int, int]]:
    """Shapes (O, I, 3, 3) of an architecture's convolutions in order."""
    shapes, inputs = [], 3
    for width, count in zip(WIDTHS, BLOCKS[architecture], strict=True):
        for _ in range(count):
            shapes.append((width, inputs, 3, 3))
            inputs = width
    return shapes


def architecture_of(convolutions: Convolutions, source: str) -> str:
    """Which VGG these convolutions are.

    Raises:
        NstError: They are neither VGG-16's nor VGG-19's; says where they differ.
    """
    shapes = [tuple(weight.shape) for weight, _ in convolutions]
    for architecture in BLOCKS:
        if shapes == expected_shapes(architecture):
            return architecture
    nearest = "vgg16" if len(shapes) <= 13 else "vgg19"
    wanted = expected_shapes(nearest)
    for k, (got, want) in enumerate(zip(shapes, wanted, strict=False), start=1):
        if got != want:
            raise NstError(
                f"{source} is no VGG: its convolution {k} is {got}, {nearest} has {want}. "
                "Give the weights of a VGG-16 or VGG-19."
            )
    raise NstError(
        f"{source} is no VGG: it has {len(shapes)} convolutions, VGG-16 has 13 and VGG-19 16. "
        "Give the weights of one of them."
    )


def _pairs(tensors: dict[str, Tensor]) -> Convolutions:
    """Convolutions of a state dict: each 4-D weight, in order, with the bias of its name."""
    if any(name.endswith("running_mean") for name in tensors):
        raise NstError("these weights have batch normalisation: give those of a VGG without it.")
    found = []
    for name, weight in tensors.items():
        if weight.ndim != 4:
            continue
        bias = tensors.get(name.removesuffix("weight") + "bias")
        if bias is None:
            raise NstError(f"layer {name} has no bias: give the weights of a VGG without norms.")
        found.append((weight.float(), bias.float()))
    return found


def _natural(name: str) -> list[Any]:
    """Sort key that puts features.2 before features.10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _read_pth(path: Path) -> Convolutions:
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    return _pairs({k: v for k, v in state.items() if isinstance(v, Tensor)})


def _read_safetensors(path: Path) -> Convolutions:
    from safetensors.torch import load_file

    state = load_file(path)
    # safetensors returns its keys in no useful order.
    return _pairs({name: state[name] for name in sorted(state, key=_natural)})


def _read_h5(path: Path) -> Convolutions:
    try:
        import h5py
    except ImportError as error:
        raise NstError(f"{path} is a Keras file: pip install h5py to read it.") from error
    weights: dict[str, np.ndarray] = {}
    biases: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim in (1, 4):
            (weights if item.ndim == 4 else biases)[name.rsplit("/", 1)[0]] = np.asarray(item)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    # Keras stores (3, 3, I, O).
    return [
        (torch.from_numpy(weights[k]).permute(3, 2, 0, 1).float(), torch.from_numpy(biases[k]))
        for k in sorted(weights, key=_natural)
    ]


def _read_onnx(path: Path) -> Convolutions:
    try:
        import onnx
    except ImportError as error:
        raise NstError(f"{path} is an ONNX file: pip install onnx to read it.") from error
    graph = onnx.load(path).graph
    constants = {t.name: t for t in graph.initializer}

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(onnx.numpy_helper.to_array(constants[name]).copy()).float()

    nodes = [n for n in graph.node if n.op_type == "Conv" and len(n.input) == 3]
    return [(tensor(n.input[1]), tensor(n.input[2])) for n in nodes]


_READERS: dict[str, Callable[[Path], Convolutions]] = {
    ".pth": _read_pth,
    ".pt": _read_pth,
    ".safetensors": _read_safetensors,
    ".h5": _read_h5,
    ".onnx": _read_onnx,
}


def read_file(path: Path) -> Convolutions:
    """Read the convolutions of a weights file, in their order.

    Args:
        path: A .pth, .pt, .safetensors, .h5 or .onnx file.

    Returns:
        (weight (O, I, 3, 3), bias (O,)) float32 pairs; `architecture_of` says of which VGG.

    Raises:
        NstError: Missing, of another kind, or not readable as what its name says.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise unknown("kind of weights file", path.suffix, _READERS)
    if not path.is_file():
        raise NstError(f"no such weights file: {path}. Check the path given to --backbone.")
    try:
        return reader(path)
    except NstError:
        raise
    except Exception as error:  # each library raises its own kinds on a damaged file
        raise NstError(
            f"{path} could not be read as {path.suffix} weights ({type(error).__name__}): "
            "is the file complete?"
        ) from error
