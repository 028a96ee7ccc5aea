"""The command `python -m export CHECKPOINT -o NAME.onnx`."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from nst.cli import guarded
from nst.cli.parser import run


def export(checkpoint: Path, output: Path | None = None, style: str | None = None) -> None:
    """Export a trained network to ONNX, with its facts in a sidecar beside it.

    The model takes pictures of any size. It is only written if onnxruntime and torch agree on it.

    Args:
        checkpoint: What a training wrote, such as runs/NAME/final.ckpt.
        output: File to write; by default STYLE.onnx in the current folder.
        style: Name of the style, if not that of the style picture's file.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    from export.graph import build_model, model_bytes, write_model
    from export.parity import check_parity
    from nst.checkpoint import read_checkpoint

    net, facts = read_checkpoint(checkpoint)
    if style:
        facts = dataclasses.replace(facts, style=style)
    target = output or Path(f"{facts.style}.onnx")
    data = model_bytes(build_model(net, facts))
    differences = check_parity(net, data, facts.min_size)
    write_model(data, facts, target)
    print(
        f"{target}: {len(data) / 1e6:.2f} MB, style {facts.style}, from {facts.min_size} px up; "
        f"differs from torch by {max(differences.values()):.1e} at most over "
        f"{len(differences)} sizes."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; bad input ends in one line and exit code 2."""
    return guarded(lambda words: run(export, words, prog="python -m export"), arguments, "export")


if __name__ == "__main__":
    sys.exit(main())
