"""What is exported: a training, or a model that was exported before."""

from __future__ import annotations

from pathlib import Path

from export.rewrites import without_drift
from nst.checkpoint import read_checkpoint
from nst.exported import read_exported
from nst.network import TransformNet
from nst.sidecar import ModelFacts


def read_source(path: Path) -> tuple[TransformNet, ModelFacts, str]:
    """The network to export, in eval mode, what is known of it, and what to call its file.

    Args:
        path: A checkpoint of a training, or an .onnx file.

    Raises:
        NstError: It is neither.
    """
    again = path.suffix == ".onnx"
    net, facts = read_exported(path) if again else read_checkpoint(path)
    return without_drift(net), facts, path.stem if again else facts.style
