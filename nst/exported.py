"""The network of an exported model, to train on or export again: `export.rewrites` undone."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from nst.errors import NstError
from nst.network import TransformNet
from nst.network.layers import MERGED_TAPS, UpConv
from nst.network.transform import OUTPUT_SCALE
from nst.sidecar import METADATA_KEY, ModelFacts

SCALE = "_scale"
"""What the name of a weight's scale ends with, where the weight itself is in 8 bits."""


def read_exported(path: str | Path) -> tuple[TransformNet, ModelFacts]:
    """The network of a model that `python -m export` wrote, in eval mode, and what is known of it.

    Args:
        path: An .onnx file, not in int8.

    Raises:
        NstError: No such file, no model of ours, or one in int8.
    """
    if not Path(path).is_file():
        raise NstError(f"no such model: {path}. `python -m export` writes them.")
    try:
        model = onnx.load(str(path))
        facts = ModelFacts.from_json(
            {p.key: p.value for p in model.metadata_props}[METADATA_KEY], path
        )
        if facts.precision == "int8":
            raise NstError(f"{path} is in int8: give the same model in fp32.")
        weights = model.graph.initializer
        folded = {i.name: torch.tensor(numpy_helper.to_array(i)).float() for i in weights}
        for name in [name for name in folded if name.endswith(SCALE)]:
            folded[name.removesuffix(SCALE)] *= folded.pop(name)
        net = TransformNet(facts.network, **facts.network_args)
        net.load_state_dict(_unfolded(net, {k.removeprefix("net."): v for k, v in folded.items()}))
    except NstError:
        raise
    except Exception as error:  # whatever a foreign or damaged file makes of this
        raise NstError(
            f"{path} is no model of nst ({type(error).__name__}): give an .onnx that "
            "`python -m export` wrote, not in int8."
        ) from error
    return net.eval(), facts


def _unfolded(net: TransformNet, folded: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {name: value for name, value in folded.items() if name in net.state_dict()}
    for name, layer in net.named_modules():
        if isinstance(layer, UpConv):
            state[f"{name}.weight"] = _unmerged(folded[f"{name}.conv.weight"])
            if layer.bias is not None:
                state[f"{name}.bias"] = folded[f"{name}.conv.bias"][::4]
    last = f"body.{len(net.body) - 1}"
    state[f"{last}.weight"] = state[f"{last}.weight"] / OUTPUT_SCALE
    offset = 0.5 if net.photo is None else 0.0
    state[f"{last}.bias"] = (state[f"{last}.bias"] - offset) / OUTPUT_SCALE
    return state


def _unmerged(weight: Tensor) -> Tensor:
    """(4 · outputs, inputs, 2, 2) of `ShuffledUpConv` to the (outputs, inputs, 3, 3) they were."""
    taps = torch.linalg.pinv(MERGED_TAPS.flatten(0, 1)).view(3, 2, 2)
    merged = weight.view(weight.shape[0] // 4, 2, 2, weight.shape[1], 2, 2)
    return torch.einsum("kai,lbj,oabcij->ockl", taps, taps, merged)
