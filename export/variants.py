"""A variant of a model in fewer bits, made and judged."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import torch

from export.cost import Cost, measure
from export.graph import model_bytes, with_facts, write_model
from export.precision import PRECISIONS
from nst.cli.targets import find_sources
from nst.compare.models import read_contenders
from nst.compare.pictures import Pixels, read_square
from nst.errors import NstError
from nst.sidecar import ModelFacts

_CALIBRATION, _HELD_OUT, _SIDE = 16, 12, 256


@dataclass(frozen=True)
class Variant:
    """A model in fewer bits.

    Attributes:
        data: The model file's bytes.
        facts: Its facts, with what it costs.
        cost: What it costs.
    """

    data: bytes
    facts: ModelFacts
    cost: Cost


def reduced(
    model: onnx.ModelProto,
    facts: ModelFacts,
    precision: str,
    *,
    style_image: str | None,
    photos: str,
    allow_loss: bool,
) -> Variant:
    """Make a variant of a model, and judge it by the loss that the model was trained with.

    Args:
        model: In float32, from `build_model`.
        facts: Its facts; what it lost before counts, too.
        precision: A key of `PRECISIONS`.
        style_image: The style picture; None for that of a shipped style.
        photos: Folder of photos, of which some calibrate and others judge.
        allow_loss: Take it whatever it costs.

    Raises:
        NstError: It costs too much, the style picture is missing or another one, or there are no
            photos.
    """
    calibration, held_out = _squares(photos)
    with tempfile.TemporaryDirectory() as folder:
        full, variant = Path(folder) / "fp32.onnx", Path(folder) / f"{precision}.onnx"
        write_model(model_bytes(model), facts, full)
        (contender,) = read_contenders([full], [style_image] if style_image else [])
        facts = replace(facts, precision=precision)
        made = PRECISIONS[precision](model, calibration)
        write_model(model_bytes(with_facts(made, facts)), facts, variant)
        judge = contender.yardstick.build(torch.device("cpu"), torch.float32)
        cost = measure(full, variant, judge, held_out).after(facts.precision_cost)
    if not allow_loss:
        cost.check(precision)
    facts = replace(facts, precision_cost=cost.as_facts())
    return Variant(model_bytes(with_facts(made, facts)), facts, cost)


def _squares(folder: str) -> tuple[list[Pixels], list[Pixels]]:
    """Photos to calibrate on, and others to judge on."""
    paths = [path for path in find_sources([folder]) if path is not None]
    if len(paths) < 2:
        raise NstError(f"{folder} holds {len(paths)} photos: give a folder of two or more.")
    squares = [read_square(path, _SIDE) for path in paths[: _CALIBRATION + _HELD_OUT]]
    cut = max(1, len(squares) * _CALIBRATION // (_CALIBRATION + _HELD_OUT))
    return squares[:cut], squares[cut:]
