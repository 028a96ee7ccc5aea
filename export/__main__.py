"""The commands `python -m export SOURCE -o NAME.onnx` and `python -m export web MODEL ...`."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from nst.cli import guarded
from nst.cli.parser import run
from nst.cli.targets import check_not_inputs

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"


def export(
    source: Path,
    output: Path | None = None,
    style: str | None = None,
    precision: Literal["fp32", "fp16-weights", "int8-weights", "fp16", "int8"] = "fp32",
    io: Literal["float32", "uint8"] = "float32",
    style_image: str | None = None,
    photos: str = str(PHOTOS),
    allow_loss: bool = False,
) -> None:
    """Export a trained network to ONNX, with its facts in a sidecar beside it.

    The model takes pictures of any size. It is only written if onnxruntime and torch agree on it,
    and in fewer bits only if that costs little.

    Args:
        source: What a training wrote, such as runs/NAME/final.ckpt; or an exported model, not in
            int8, to have it in another precision or with bytes.
        output: File to write; by default STYLE.onnx in the current folder, or such as
            STYLE-int8.onnx, with the source's name for STYLE if that is a model.
        style: Name of the style, if not that of the style picture's file.
        precision: fp32; fp16-weights for about half the file and fp32's pictures and speed;
            int8-weights for a third of the file, and nearly those; fp16 to compute in 16 bits,
            too; or int8 for less than half of the file, and less time on processors.
        io: float32 takes and gives (N, 3, H, W) in [0, 1]; uint8 takes and gives bytes,
            (N, H, W, 3), for apps that want no pre-processing. Such a model cannot be run in tiles.
        style_image: The style picture, by which fewer bits are judged; that of a shipped style
            is known.
        photos: Folder of photos that int8 is calibrated on and all fewer bits are judged on.
        allow_loss: Write fewer bits whatever they cost.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    from rich.console import Console

    from export.graph import build_model, model_bytes, write_model
    from export.parity import check_parity
    from export.source import read_source

    net, facts, name = read_source(source)
    facts = dataclasses.replace(facts, style=style or facts.style, precision="fp32", io="float32")
    target = _target(source, output, style or name, precision, io)
    with Console(stderr=True).status("exporting ...") as status:
        model = build_model(net, facts)
        data = model_bytes(model)
        status.update("comparing with torch ...")
        differences = check_parity(net, data, facts.min_size)
        what = (
            f"differs from torch by {max(differences.values()):.1e} at most over "
            f"{len(differences)} sizes"
        )
        if precision != "fp32":
            status.update(f"making {precision}, and judging it on photos ...")
            from export.variants import reduced

            variant = reduced(
                model,
                facts,
                precision,
                style_image=style_image,
                photos=photos,
                allow_loss=allow_loss,
            )
            data, facts, what = variant.data, variant.facts, str(variant.cost)
        if io == "uint8":
            from export.io import as_bytes

            data, facts = as_bytes(data, facts)
        write_model(data, facts, target)
    print(
        f"{target}: {len(data) / 1e6:.2f} MB, style {facts.style}, from {facts.min_size} px up; "
        f"{what}."
    )


def _target(source: Path, output: Path | None, name: str, precision: str, io: str) -> Path:
    """The file to write, which is not the one that is read."""
    from export.graph import check_name

    suffix = "".join(f"-{kind}" for kind in (precision, io) if kind not in ("fp32", "float32"))
    target = output or Path(f"{name}{suffix}.onnx")
    check_name(target)
    check_not_inputs([target], [source])
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; bad input ends in one line and exit code 2."""
    return guarded(_run, arguments, "export")


def _run(words: list[str]) -> int:
    if words[:1] == ["web"]:
        from export.web import web

        return run(web, words[1:], prog="python -m export web", leading="models")
    return run(export, words, prog="python -m export")


if __name__ == "__main__":
    sys.exit(main())
