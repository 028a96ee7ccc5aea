"""What a comparison measures, as plain records. Never imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from nst.sidecar import ModelFacts

NOISE, CONTENT = "noise", "content"
STARTS = (NOISE, CONTENT)
"""The optimiser's starts that a network is compared with."""


@dataclass(frozen=True)
class ModelRecord:
    """A network of the comparison.

    Attributes:
        name: What the report calls it, its file's name without extension.
        sha256: Of the file.
        megabytes: Size of the file.
        yardstick: Which loss and style picture it is measured on; models that share them share
            the optimiser's curves.
        facts: What its file says of it.
    """

    name: str
    sha256: str
    megabytes: float
    yardstick: str
    facts: ModelFacts


@dataclass(frozen=True)
class Losses:
    """The losses of one picture: the weighted total, and its terms without their weights."""

    total: float
    content: float
    style: float
    tv: float


@dataclass(frozen=True)
class NetworkRun:
    """A network on one photo.

    Attributes:
        model: Name of the model.
        photo: Name of the photo.
        size: Side of the square picture in pixels.
        seconds: From 8-bit picture to 8-bit picture in onnxruntime, median of several.
        torch_seconds: Of the same network in torch, if asked for.
        losses: Of its 8-bit output.
        peak_bytes: Memory that loading and running it took, where that can be measured.
    """

    model: str
    photo: str
    size: int
    seconds: float
    torch_seconds: float | None
    losses: Losses
    peak_bytes: int | None


@dataclass(frozen=True)
class Curve:
    """The optimiser's way, its pixels clipped to [0, 1] after every iteration.

    All tuples have a value for the start and for each iteration.

    Attributes:
        seed: Of the noise.
        total: The loss.
        content: Its content term.
        style: Its style term.
        tv: Its total variation.
        seconds: Time of the optimiser alone up to here.
        seconds_per_iteration: Median, the first iterations left out.
        peak_bytes: Memory that it took, where that can be measured.
    """

    seed: int
    total: tuple[float, ...]
    content: tuple[float, ...]
    style: tuple[float, ...]
    tv: tuple[float, ...]
    seconds: tuple[float, ...]
    seconds_per_iteration: float
    peak_bytes: int | None

    @property
    def iterations(self) -> int:
        """Updates of the picture."""
        return len(self.total) - 1


@dataclass(frozen=True)
class OptimiserRun:
    """The optimiser on one photo from one start.

    Attributes:
        yardstick: The loss and style picture that it minimised.
        photo: Name of the photo.
        size: Side of the square picture in pixels.
        start: "noise" or "content".
        curve: How it went.
    """

    yardstick: str
    photo: str
    size: int
    start: str
    curve: Curve


@dataclass(frozen=True)
class Photo:
    """A photo of the comparison.

    Attributes:
        name: Its file's name.
        sha256: Of the file.
        width: Of the photo in pixels.
        height: Of the photo in pixels.
    """

    name: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Skipped:
    """A size that was left out.

    Attributes:
        size: Side of the square picture in pixels.
        reason: Why.
    """

    size: int
    reason: str


@dataclass(frozen=True)
class Machine:
    """What the times were measured on.

    Attributes:
        processor: Name of the CPU.
        cores: Logical cores.
        memory_gb: Memory of the machine in GB, if it says.
        system: Operating system and architecture.
        threads: CPU threads of network and optimiser alike.
        network_device: What onnxruntime ran on: "cpu" or "cuda".
        optimiser_device: What torch ran on: "cpu", or the name of the GPU.
        versions: Of Python and the packages that matter.
        precision: Type of VGG's convolutions, of the optimiser and of what judges both.
    """

    processor: str
    cores: int
    memory_gb: float | None
    system: str
    threads: int
    network_device: str
    optimiser_device: str
    versions: dict[str, str]
    precision: str = "float32"


@dataclass(frozen=True)
class Report:
    """All that was measured; everything else that a report says is computed from it.

    Attributes:
        machine: What it was measured on.
        models: The networks.
        photos: The photos.
        networks: What the networks did.
        optimisers: What the optimiser did.
        skipped: Sizes that were left out.
    """

    machine: Machine
    models: tuple[ModelRecord, ...]
    photos: tuple[Photo, ...]
    networks: tuple[NetworkRun, ...] = ()
    optimisers: tuple[OptimiserRun, ...] = ()
    skipped: tuple[Skipped, ...] = ()
