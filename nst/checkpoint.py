"""What a checkpoint of `python -m train` holds: the network and its facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import nst
from nst.errors import NstError
from nst.network import TransformNet
from nst.sidecar import CHECKPOINT_KEY, ModelFacts

_PREFIX = "net."


def read_checkpoint(path: str | Path) -> tuple[TransformNet, ModelFacts]:
    """The network with its averaged weights, in eval mode, and what is known of it.

    Args:
        path: A .ckpt file of a training.

    Raises:
        NstError: No such file, or it is no checkpoint of an nst training.
    """
    if not Path(path).is_file():
        raise NstError(f"no such checkpoint: {path}. Trainings write runs/NAME/final.ckpt.")
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        facts = dict(checkpoint[CHECKPOINT_KEY])
        state = {
            name.removeprefix(_PREFIX): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith(_PREFIX)
        }
        net = TransformNet(facts["network"], **facts["network_args"])
        net.load_state_dict(state)
        facts |= {"min_size": net.min_size, "nst_version": nst.__version__}
        return net.eval(), ModelFacts(**facts)
    except Exception as error:  # whatever a foreign or damaged file makes of this
        raise NstError(
            f"{path} is no checkpoint of an nst training ({type(error).__name__}): "
            "give a .ckpt that `python -m train fit` wrote."
        ) from error
