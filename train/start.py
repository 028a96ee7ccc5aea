"""What a network starts from: random weights, or a network that was trained on another style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nst.checkpoint import read_checkpoint
from nst.errors import NstError
from nst.exported import read_exported
from nst.network import TransformNet
from nst.shipped import FOLDER
from nst.sidecar import ModelFacts

BASE, SCRATCH = "base", "none"
BASES = (FOLDER / "starry-night-live.onnx", FOLDER / "starry-night.onnx")
"""Networks that were trained long. They come further on another style than one that several styles
share (docs/training.md)."""


def start(
    net: TransformNet, init: str, network: str, arguments: dict[str, Any]
) -> ModelFacts | None:
    """Give a new network the weights that it starts from.

    Args:
        net: Has random weights; it is changed in place.
        init: `BASE`, `SCRATCH`, a checkpoint of a training, or an exported model.
        network: The new network's configuration.
        arguments: Its further arguments.

    Returns:
        What that network says of itself, or None if the weights stayed as they were: there may be
        no base of this configuration.

    Raises:
        NstError: No such file, or it holds another kind of network.
    """
    if init == SCRATCH:
        return None
    ours = {"network": network, **arguments}
    for path in BASES if init == BASE else [Path(init)]:
        other, facts = read_exported(path) if path.suffix == ".onnx" else read_checkpoint(path)
        theirs = {"network": facts.network, **facts.network_args}
        if {**theirs, "blocks": 0} == {**ours, "blocks": 0} and theirs["blocks"] <= ours["blocks"]:
            net.take_over(other)
            return facts
    if init == BASE:
        return None
    raise NstError(
        f"--model.init {init} holds a network of {theirs}, this one has {ours}: give it "
        "the same network, width and photo_skip, and as many blocks or more."
    )
