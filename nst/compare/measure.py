"""One photo at one size: what a network does with it, and what the optimiser does."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from nst.compare.models import Contender, Judge
from nst.compare.peak import PeakMemory
from nst.compare.pictures import Pixels
from nst.compare.records import Curve, Losses, NetworkRun
from nst.images import Picture
from nst.losses import LossTerms
from nst.network import TransformNet
from nst.optimise import Step, optimise
from nst.styliser import Styliser
from nst.tensors import to_array, to_tensor

_WARM, _RUNS = 2, 7
# Curvature that L-BFGS begins without, and what is set up once, make its first iterations others.
_FIRST = 3


def measure_network(
    contender: Contender,
    photo: Pixels,
    name: str,
    judge: Judge,
    *,
    threads: int,
    provider: str,
    with_torch: bool = False,
) -> tuple[NetworkRun, Pixels]:
    """Time a network and take the losses of its output.

    Args:
        contender: The network.
        photo: (H, W, 3), square.
        name: Name of the photo.
        judge: The network's yardstick, on the device of the optimiser.
        threads: CPU threads.
        provider: What onnxruntime is to run on.
        with_torch: Time the network in torch, too. An exported model holds no weights for torch,
            so an untrained network of the same architecture runs: it takes the same time.

    Returns:
        The record, and the network's picture.

    Raises:
        NstError: The network does not take the photo.
    """
    loss = judge.loss
    device = loss.vgg.mean.device
    memory = PeakMemory(torch.device("cpu"))
    # A session of its own for each photo: one that ran before would hide what it takes.
    styliser = Styliser(contender.path, provider=provider, threads=threads)
    picture = Picture(photo, name=name)
    seconds, result = _timed(lambda: styliser.stylise(picture).rgb)
    # onnxruntime does not say what it takes of a GPU.
    peak = memory.above() if styliser.provider == "cpu" else None
    with torch.no_grad():
        targets = loss.content_targets(to_tensor(photo).to(device))
        terms = loss(to_tensor(result).to(device), targets)
    run = NetworkRun(
        model=contender.record.name,
        photo=name,
        size=photo.shape[0],
        seconds=seconds,
        torch_seconds=_torch_seconds(contender, photo, device) if with_torch else None,
        losses=_losses(terms),
        peak_bytes=peak,
    )
    return run, result


def measure_optimiser(
    judge: Judge,
    photo: Pixels,
    *,
    start: str,
    iterations: int,
    seed: int,
    reach: Mapping[str, float],
    end: str,
    advance: Callable[[], None],
) -> tuple[Curve, dict[str, Pixels]]:
    """Run the optimiser, Gatys' method with L-BFGS, and time it alone.

    Pixels are clipped after every iteration, as in Johnson et al. 2016: without that it leaves
    the range of pictures, and the loss it reaches is not that of what can be saved.

    Args:
        judge: What is minimised.
        photo: (H, W, 3), square.
        start: "noise" or "content".
        iterations: Updates of the picture.
        seed: Of the noise.
        reach: Totals whose picture is wanted, by the names of the pictures.
        end: Name of the best picture.
        advance: Called after each iteration.

    Returns:
        The curve, and pictures: of the first iteration that reaches each of the totals, as far
        as they are reached, and the best one.

    Raises:
        NstError: The loss of the start is not finite.
    """
    device = judge.loss.vgg.mean.device
    memory = PeakMemory(device)
    content = to_tensor(photo).to(device)
    # Its first evaluation takes memory that later ones find there: a warm-up.
    next(optimise(judge.loss, content, start=start, iterations=0))
    steps = optimise(judge.loss, content, start=start, iterations=iterations, clip=True, seed=seed)
    took: list[float] = []
    losses: list[Losses] = []
    reached: dict[str, Step] = {}
    for seconds, step in _with_seconds(steps):
        took.append(seconds)
        losses.append(Losses(step.total, step.content, step.style, step.tv))
        for what, total in reach.items():
            if step.total <= total:
                reached.setdefault(what, step)
        if end not in reached or step.total < reached[end].total:
            reached[end] = step
        if step.iteration:
            advance()
    peak, held = memory.above(), judge.held_bytes
    needed = None if peak is None or held is None else peak + held
    curve = _curve(losses, took, seed, needed)
    return curve, {what: to_array(step.image) for what, step in reached.items()}


def _with_seconds(steps: Iterator[Step]) -> Iterator[tuple[float, Step]]:
    """Records, and the seconds that the optimiser took for each: what is done with them aside."""
    while True:
        began = time.perf_counter()
        step = next(steps, None)
        if step is None:
            return
        yield time.perf_counter() - began, step


def _curve(losses: Sequence[Losses], took: Sequence[float], seed: int, peak: int | None) -> Curve:
    return Curve(
        seed=seed,
        total=tuple(_short(item.total) for item in losses),
        content=tuple(_short(item.content) for item in losses),
        style=tuple(_short(item.style) for item in losses),
        tv=tuple(_short(item.tv) for item in losses),
        seconds=tuple(_short(float(value)) for value in np.cumsum(took)),
        seconds_per_iteration=_short(statistics.median(took[_FIRST:] or took[-1:])),
        peak_bytes=peak,
    )


def _timed(call: Callable[[], Pixels]) -> tuple[float, Pixels]:
    """Median seconds of several calls, after some to warm up, and the result.

    All that is called here ends in an array of the CPU, so that nothing is still running.
    """
    for _ in range(_WARM):
        result = call()
    took = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        result = call()
        took.append(time.perf_counter() - began)
    return _short(statistics.median(took)), result


def _torch_seconds(contender: Contender, photo: Pixels, device: torch.device) -> float:
    facts = contender.record.facts
    network = TransformNet(facts.network, **facts.network_args).eval().to(device)
    with torch.inference_mode():
        return _timed(lambda: to_array(network(to_tensor(photo).to(device))))[0]


def _losses(terms: LossTerms) -> Losses:
    values = (terms.total, terms.content, terms.style, terms.tv)
    return Losses(*(_short(value.item()) for value in values))


def _short(value: float) -> float:
    """Seven digits, which is what float32 has; an exploded loss is infinite, not no number."""
    return math.inf if math.isnan(value) else float(f"{value:.7g}")
