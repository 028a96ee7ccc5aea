"""The facts of an exported model: in its ONNX metadata and in the sidecar `NAME.onnx.json`.

Both are written from one `ModelFacts`, because onnxruntime-web cannot read ONNX metadata.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nst.errors import NstError

FORMAT_VERSION = 1
METADATA_KEY = "nst"
"""Key of the record in a model's ONNX metadata."""
CHECKPOINT_KEY = "nst"
"""Key of the record in a checkpoint of the trainer."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model is and how it was made.

    Attributes:
        style: Name of the style, such as "starry-night".
        network: Configuration of the network: "standard" or "live".
        network_args: Further arguments of `nst.network.TransformNet`.
        min_size: Smallest height and width in pixels that the model accepts.
        precision: "fp32", "fp16-weights", "int8-weights", "fp16" or "int8".
        precision_cost: What fewer bits than fp32 cost, as {"total": ratio of the held-out totals,
            "psnr": mean in decibels, "lowest_psnr": ..., "photos": how many}; empty if it never
            had fewer.
        io: What the model takes and gives: "float32", (N, 3, H, W) in [0, 1], or "uint8",
            (N, H, W, 3).
        backbone: Name of the loss network's weights, such as "vgg19".
        backbone_sha256: Hash of the file these weights came from.
        loss: The `nst.losses.LossConfig` it was trained with.
        stability_weight: Weight that unstable motion had in the training; 0 for a plain model.
        steps: Optimiser steps of the training.
        held_out: Losses on photos not trained on, as {"content": ..., "style": ..., ...}.
        style_image: File name of the painting.
        style_image_sha256: Hash of that file.
        style_size: Short side in pixels that the painting was trained at.
        style_licence: Licence of the painting.
        nst_version: Version that wrote the file.
        format_version: Version of this record; readers refuse newer ones.
    """

    style: str
    network: str
    network_args: dict[str, Any]
    min_size: int
    precision: str = "fp32"
    precision_cost: dict[str, float] = field(default_factory=dict)
    io: str = "float32"
    backbone: str = ""
    backbone_sha256: str = ""
    loss: dict[str, Any] = field(default_factory=dict)
    stability_weight: float = 0.0
    steps: int = 0
    held_out: dict[str, float] = field(default_factory=dict)
    style_image: str = ""
    style_image_sha256: str = ""
    style_size: int = 0
    style_licence: str = ""
    nst_version: str = ""
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, source: str | Path) -> ModelFacts:
        """Read the record back.

        Args:
            text: What `to_json` wrote.
            source: The file it came from, for error messages.

        Raises:
            NstError: Not such a record, or one of a newer format version.
        """
        try:
            record = json.loads(text)
            version = int(record["format_version"])
        except (ValueError, KeyError, TypeError) as error:
            raise NstError(f"{source} holds no nst model facts: export the model again.") from error
        if version > FORMAT_VERSION:
            raise NstError(
                f"{source} has model format {version}, this nst reads up to {FORMAT_VERSION}: "
                "upgrade nst (pip install -U nst)."
            )
        known = {f.name for f in fields(cls)}
        try:
            return cls(**{key: value for key, value in record.items() if key in known})
        except TypeError as error:
            raise NstError(f"{source} lacks model facts ({error}): export it again.") from error


def sidecar_path(model: str | Path) -> Path:
    """Path of the sidecar of a model file."""
    path = Path(model)
    return path.with_name(path.name + ".json")
