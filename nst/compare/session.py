"""A whole comparison: every network and the optimiser on every photo and size."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from nst.compare.measure import measure_network, measure_optimiser
from nst.compare.models import Contender, Judge, Yardstick
from nst.compare.peak import release_memory
from nst.compare.pictures import Pixels, named, of_end, of_equal, of_network, read_square
from nst.compare.records import Curve, NetworkRun, OptimiserRun, Photo, Report, Skipped
from nst.errors import NstError
from nst.optimise import Method
from nst.optimise.memory import check_memory


@dataclass(frozen=True)
class Round:
    """One size.

    Attributes:
        size: Side of the square pictures in pixels.
        iterations: Of the optimiser.
        photos: How many, the first of all.
    """

    size: int
    iterations: int
    photos: int


@dataclass(frozen=True)
class Plan:
    """What is to be measured, and how.

    Attributes:
        rounds: The sizes.
        starts: Of the optimiser.
        seed: Of the noise.
        threads: CPU threads of network and optimiser.
        provider: What onnxruntime runs on.
        device: What torch runs on.
        precision: Name of the type of VGG's convolutions.
        with_torch: Whether to time the networks in torch, too.
    """

    rounds: tuple[Round, ...]
    starts: tuple[str, ...]
    seed: int
    threads: int
    provider: str
    device: torch.device
    precision: Literal["float32", "bfloat16"] = "float32"
    with_torch: bool = False


@dataclass(frozen=True)
class Found:
    """A record, and the pictures that belong to it by their names in the report."""

    record: NetworkRun | OptimiserRun | Skipped
    pictures: dict[str, Pixels] = field(default_factory=dict)


Watch = Callable[[float, str], None]
"""Is told of work that is done, in pixels · iterations, and of what is being done."""


def work(rounds: Sequence[Round], contenders: Sequence[Contender], starts: Sequence[str]) -> float:
    """How much there is to optimise, in pixels · iterations."""
    curves = len({c.yardstick.name for c in contenders}) * len(starts)
    return float(sum(curves * r.photos * r.iterations * r.size**2 for r in rounds))


class _Unfit(Exception):
    """A size that cannot be measured; the text says why."""


class Session:
    """A comparison that goes on from what is already known."""

    def __init__(
        self,
        plan: Plan,
        contenders: Sequence[Contender],
        photos: Sequence[tuple[Photo, Path]],
        known: Report,
        watch: Watch,
    ) -> None:
        """Prepare; nothing is measured yet.

        Args:
            plan: What is to be measured.
            contenders: The networks.
            photos: The photos and their files.
            known: What was measured before.
            watch: Is told of the progress.
        """
        self._plan, self._contenders, self._photos = plan, contenders, photos
        self._watch = watch
        self._networks = {(r.model, r.photo, r.size): r for r in known.networks}
        self._optimisers = {(r.yardstick, r.photo, r.size, r.start): r for r in known.optimisers}
        self._judges: dict[str, Judge] = {}

    def __iter__(self) -> Iterator[Found]:
        """What is measured, as soon as it is; what is known already is left out.

        Yields:
            Networks before the optimiser of the same photo; of a size that does not fit, why.

        Raises:
            NstError: A photo or the loss network cannot be read.
        """
        for turn in self._plan.rounds:
            try:
                for contender in self._contenders:
                    self._check_size(contender, turn.size)
                for photo, path in self._photos[: turn.photos]:
                    yield from self._photo(turn, photo, path)
            except (_Unfit, torch.OutOfMemoryError, MemoryError) as error:
                whole = work([turn], self._contenders, self._plan.starts)
                self._watch(whole, f"{turn.size} px is left out")
                reason = str(error) if isinstance(error, _Unfit) else "memory ran out"
                yield Found(Skipped(turn.size, reason))

    def _check_size(self, contender: Contender, size: int) -> None:
        smallest = contender.record.facts.min_size
        if size < smallest:
            raise _Unfit(f"{contender.record.name} needs {smallest} pixels on each side")
        loss = self._judge(contender.yardstick).loss
        release_memory()
        try:
            check_memory(loss, (size, size), Method(iterations=1))
        except NstError as error:
            # What the message says after the reason is advice for `nst optimise`.
            raise _Unfit(str(error).partition(": give")[0]) from error

    def _photo(self, turn: Round, photo: Photo, path: Path) -> Iterator[Found]:
        pixels = read_square(path, turn.size)
        reach: dict[str, dict[str, float]] = {}
        for contender in self._contenders:
            record = contender.record
            self._watch(0, f"{turn.size} px · {photo.name} · {record.name}")
            run = self._networks.get((record.name, photo.name, turn.size))
            if run is None or (self._plan.with_torch and run.torch_seconds is None):
                run, result = self._network(contender, pixels, photo)
                shown = {"photo": pixels, of_network(record.name): result}
                yield Found(run, named(photo, turn.size, shown))
            reach.setdefault(record.yardstick, {})[record.name] = run.losses.total
        yield from self._curves(turn, photo, pixels, reach)

    def _curves(
        self, turn: Round, photo: Photo, pixels: Pixels, reach: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Found]:
        for yardstick in {c.yardstick.name: c.yardstick for c in self._contenders}.values():
            for start in self._plan.starts:
                text = f"{turn.size} px · {photo.name} · from {start}"
                known = self._optimisers.get((yardstick.name, photo.name, turn.size, start))
                if known is not None and self._is_enough(known.curve, turn):
                    self._watch(turn.iterations * turn.size**2, text)
                    continue
                self._watch(0, text)
                totals = reach[yardstick.name]
                curve, shown = measure_optimiser(
                    self._judge(yardstick),
                    pixels,
                    start=start,
                    iterations=turn.iterations,
                    seed=self._plan.seed,
                    reach={of_equal(start, model): total for model, total in totals.items()},
                    end=of_end(start, yardstick.name),
                    advance=functools.partial(self._watch, turn.size**2, text),
                )
                record = OptimiserRun(yardstick.name, photo.name, turn.size, start, curve)
                yield Found(record, named(photo, turn.size, shown))

    def _is_enough(self, curve: Curve, turn: Round) -> bool:
        return curve.iterations >= turn.iterations and curve.seed == self._plan.seed

    def _network(
        self, contender: Contender, pixels: Pixels, photo: Photo
    ) -> tuple[NetworkRun, Pixels]:
        return measure_network(
            contender,
            pixels,
            photo.name,
            self._judge(contender.yardstick),
            threads=self._plan.threads,
            provider=self._plan.provider,
            with_torch=self._plan.with_torch,
        )

    def _judge(self, yardstick: Yardstick) -> Judge:
        if yardstick.name not in self._judges:
            dtype = getattr(torch, self._plan.precision)
            self._judges[yardstick.name] = yardstick.build(self._plan.device, dtype)
        return self._judges[yardstick.name]
