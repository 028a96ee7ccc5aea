"""The networks of a comparison, and what they are measured on: their loss and style picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from nst import shipped
from nst.compare.peak import PeakMemory
from nst.compare.records import ModelRecord
from nst.errors import NstError
from nst.files import sha256_of
from nst.images import load
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import optimise
from nst.sidecar import ModelFacts
from nst.styliser import Styliser
from nst.tensors import resize_short_side, to_tensor

_WARM = 32  # side in pixels of the picture that warms up


@dataclass(frozen=True)
class Judge:
    """A loss that is ready to be used.

    Attributes:
        loss: With its style, on its device.
        held_bytes: Memory that it takes, where that can be measured.
    """

    loss: PerceptualLoss
    held_bytes: int | None


@dataclass(frozen=True)
class Yardstick:
    """The loss that network and optimiser share.

    Attributes:
        name: A hash of all that it depends on.
        config: The loss the network was trained with.
        backbone_sha256: Hash of the file of its weights; empty if the model does not say.
        style: File of the style picture.
        style_size: Short side in pixels that it is resized to.
    """

    name: str
    config: LossConfig
    backbone_sha256: str
    style: Path
    style_size: int

    def build(self, device: torch.device, dtype: torch.dtype) -> Judge:
        """The loss with its style.

        Args:
            device: Where it is to be.
            dtype: Of VGG's convolutions.

        Raises:
            NstError: The backbone cannot be had, or is not the one of the training.
        """
        memory = PeakMemory(device)
        loss = PerceptualLoss(self.config, dtype=dtype)
        if self.backbone_sha256 not in ("", loss.weights.sha256):
            raise NstError(
                f"backbone {self.config.backbone} has SHA-256 {loss.weights.sha256}, and the model "
                f"was trained with {self.backbone_sha256}: give that file with --backbone."
            )
        style = resize_short_side(load(self.style).rgb, self.style_size)
        loss = loss.to(device)
        loss.set_style(to_tensor(style).to(device))
        # The first gradient transforms VGG's weights, and the first L-BFGS loads much of torch:
        # that belongs to no picture's time or memory.
        for _ in optimise(loss, torch.rand(1, 3, _WARM, _WARM, device=device), iterations=2):
            pass
        return Judge(loss, memory.kept())


@dataclass(frozen=True)
class Contender:
    """A network that is compared.

    Attributes:
        path: Its file.
        record: What the report says of it.
        yardstick: What it is measured on.
    """

    path: Path
    record: ModelRecord
    yardstick: Yardstick


def read_contenders(
    models: Sequence[Path], style_images: Sequence[str], backbone: str | None = None
) -> list[Contender]:
    """Read the facts of models and find what they are measured on.

    Args:
        models: Files of exported models; one that is given twice counts once.
        style_images: The style pictures, in any order; those of shipped styles are found.
        backbone: Source of the loss network's weights in place of what the models name.

    Raises:
        NstError: A file that is no model, or one that does not say how it was trained; a style
            picture that is missing, or of none of the models.
    """
    found: dict[str, tuple[Path, ModelFacts]] = {}
    for path in models:
        facts = Styliser(path, provider="cpu").facts
        if not facts.loss or facts.style_size < 1 or not facts.style_image_sha256:
            raise NstError(
                f"{path} does not say which loss and style picture it was trained with, and so "
                "cannot be compared: export it again from its checkpoint."
            )
        found.setdefault(sha256_of(path), (path, facts))
    given = _given(style_images, {facts.style_image_sha256 for _, facts in found.values()})
    contenders: list[Contender] = []
    for digest, (path, facts) in found.items():
        yardstick = _yardstick(path, facts, given, backbone)
        record = ModelRecord(
            name=_unused(path.stem, [c.record.name for c in contenders]),
            sha256=digest,
            megabytes=round(path.stat().st_size / 1e6, 3),
            yardstick=yardstick.name,
            facts=_without_folders(facts),
        )
        contenders.append(Contender(path, record, yardstick))
    return contenders


def _given(style_images: Sequence[str], wanted: set[str]) -> dict[str, Path]:
    """The style pictures by their hashes, all of which must be wanted."""
    given: dict[str, Path] = {}
    for name in style_images:
        load(name)  # says what is wrong with it, if it is no picture
        given[sha256_of(name)] = Path(name)
    for digest, path in given.items():
        if digest not in wanted:
            raise NstError(
                f"{path} is not the picture that the model was trained on (SHA-256 "
                f"{digest[:12]}..., not {' or '.join(sorted(w[:12] for w in wanted))}...): "
                "give the very file of the training."
            )
    return given


def _yardstick(
    path: Path, facts: ModelFacts, given: Mapping[str, Path], backbone: str | None
) -> Yardstick:
    digest = facts.style_image_sha256
    style = given.get(digest) or _shipped(digest)
    if style is None:
        raise NstError(
            f"{path} was trained on {facts.style_image or 'a picture'}, which does not come with "
            "nst: give it with --style-image."
        )
    try:
        config = LossConfig.from_stored(facts.loss)
    except NstError as error:
        raise NstError(f"{path}: {error}") from error
    what = [asdict(config), facts.backbone_sha256, digest, facts.style_size]
    name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    if backbone is not None:
        config = replace(config, backbone=backbone)
    return Yardstick(name, config, facts.backbone_sha256, style, facts.style_size)


def _shipped(digest: str) -> Path | None:
    pictures = [s.style_image for s in shipped.styles() if s.facts.style_image_sha256 == digest]
    return next((path for path in pictures if path and sha256_of(path) == digest), None)


def _unused(name: str, taken: Sequence[str]) -> str:
    names = [name, *(f"{name}-{k}" for k in range(2, len(taken) + 2))]
    return next(candidate for candidate in names if candidate not in taken)


def _without_folders(facts: ModelFacts) -> ModelFacts:
    """A backbone may be a file of the machine of the training, whose folders are nobody's."""
    if "backbone" not in facts.loss:
        return facts
    return replace(facts, loss={**facts.loss, "backbone": Path(facts.loss["backbone"]).name})
