"""What a network starts from: random weights, the base that comes with nst, or another training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nst.checkpoint import read_checkpoint
from nst.errors import NstError
from nst.network import TransformNet
from nst.sidecar import ModelFacts

BASE, SCRATCH = "base", "none"
BASES = Path(__file__).parent / "bases"
"""Folder of networks trained on several styles, NETWORK.ckpt each."""


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
        What the checkpoint says of itself, or None if the weights stayed as they were: there may
        be no base for this network.

    Raises:
        NstError: No such file, or it holds another kind of network.
    """
    base = BASES / f"{network}.ckpt"
    if init == SCRATCH or (init == BASE and not base.is_file()):
        return None
    if Path(init).suffix == ".onnx":
        from nst.exported import read_exported  # only this needs onnx

        other, facts = read_exported(init)
    else:
        other, facts = read_checkpoint(base if init == BASE else init)
    theirs = {"network": facts.network, **facts.network_args}
    ours = {"network": network, **arguments}
    if {**theirs, "blocks": 0} != {**ours, "blocks": 0} or theirs["blocks"] > ours["blocks"]:
        if init == BASE:
            return None
        raise NstError(
            f"--model.init {init} holds a network of {theirs}, this one has {ours}: give it "
            "the same network, width and photo_skip, and as many blocks or more."
        )
    net.take_over(other)
    return facts
