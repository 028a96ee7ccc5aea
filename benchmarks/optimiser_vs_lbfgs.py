"""How soon does `nst optimise` reach what plain L-BFGS from noise reaches after 500 iterations?

    python benchmarks/optimiser_vs_lbfgs.py PHOTO STYLE ... -o results.json

Both minimise the default loss with the same weights, photo and style at the same size. The plain
way is the public manner: one size, uniform noise, torch's L-BFGS, everything in fp32 and
contiguous, VGG as modules in a row, the photo's features once. Ours is the default preset, whole,
but for its margin, with which the two would not see the same picture. It runs in fp32 and, where
the processor has the instructions, as `nst optimise` does there, in bfloat16; the totals are those
in fp32 either way, taken while the clock stands still.
Each runs in a process of its own, one after the other, because the allocator's setting is the
process's. The totals of the 500 plain iterations are made with nst's own loss, the same up to
rounding in half the time, and kept in the results file for the same pictures. Their time is that of
as many plain iterations, each as long as the median of the short plain runs before and after ours,
so that both are timed in one run on an equally busy machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from training_throughput import PlainVgg, plain_gram

from nst.cli.scene import Controls, read_scene
from nst.files import atomic_write, sha256_of
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import Method, Subject, render
from nst.recipes import read_recipe
from nst.tensors import bf16_pays, keep_freed_memory

SETTINGS = read_recipe("nst").settings
LOSS = LossConfig(**{f.name: SETTINGS[f.name] for f in fields(LossConfig)})
DTYPES = ["float32", "bfloat16"]
TIMED = 12
"""Iterations of each short plain run."""


def plain(photo: Tensor, style: Tensor, iterations: int) -> list[tuple[float, float]]:
    """Seconds and total of each evaluation of the plain way."""
    own = PerceptualLoss(LOSS)
    own.set_style(style)
    vgg = PlainVgg("vgg19", {*LOSS.content_layers, *LOSS.style_layers})
    targets, features = vgg(photo), vgg(style)
    grams = {name: plain_gram(features[name]) for name in LOSS.style_layers}

    def total_of(image: Tensor) -> Tensor:
        features = vgg(image)
        across, down = image.diff(dim=3).square().sum(), image.diff(dim=2).square().sum()
        total = LOSS.tv_weight * (across + down) / image.numel()
        for name, weight in LOSS.content_layers.items():
            relative = F.mse_loss(features[name], targets[name]) / targets[name].square().mean()
            total = total + LOSS.content_weight * weight * relative
        for name, weight in LOSS.style_layers.items():
            gram = grams[name]
            relative = (plain_gram(features[name]) - gram).square().sum() / gram.square().sum()
            total = total + LOSS.style_weight * weight * relative
        return total

    noise = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = own(noise, own.content_targets(photo)).total.item()
        assert abs(total_of(noise).item() / expected - 1) < 1e-3, "the losses are not the same"
    return descend(total_of, noise, iterations)


def goal(photo: Tensor, style: Tensor, iterations: int) -> list[tuple[float, float]]:
    """The same with nst's loss: the totals are those of the plain way, the seconds are not."""
    keep_freed_memory()
    loss = PerceptualLoss(LOSS)
    loss.set_style(style)
    targets = loss.content_targets(photo)
    noise = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
    return descend(lambda image: loss(image, targets).total, noise, iterations)


def descend(
    total_of: Callable[[Tensor], Tensor], start: Tensor, iterations: int
) -> list[tuple[float, float]]:
    """Seconds and total of each evaluation of torch's L-BFGS."""
    image = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [image], lr=1.0, max_iter=iterations, history_size=20, tolerance_grad=0, tolerance_change=0
    )
    found: list[tuple[float, float]] = []
    began = time.perf_counter()

    def closure() -> Tensor:
        optimiser.zero_grad()
        total = 1000 * total_of(image)
        total.backward()  # type: ignore[no-untyped-call]
        found.append((time.perf_counter() - began, total.item() / 1000))
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return found


def enlarged(subject: Subject, size: int) -> Subject:
    """The subject, its photo's long side `size` pixels even where the photo has fewer."""
    photo = subject.content
    factor = size / max(photo.shape[2:])
    sides = [round(factor * side) for side in photo.shape[2:]]
    return replace(subject, content=F.interpolate(photo, sides, mode="bicubic").clamp(0, 1))


def ours(subject: Subject, dtype: torch.dtype) -> list[tuple[float, float]]:
    """Seconds and fp32 total of each iteration of the default preset at its full size."""
    keep_freed_memory()
    exact = PerceptualLoss(LOSS)
    exact.set_style(subject.styles[0].image)
    targets = exact.content_targets(subject.content)
    found: list[tuple[float, float]] = []
    began = time.perf_counter()
    for step in render(PerceptualLoss(LOSS, dtype=dtype), subject, Method()):
        if step.level == step.levels - 1:
            reached, total = time.perf_counter(), step.total
            if dtype != torch.float32:
                with torch.no_grad():
                    total = exact(step.image, targets).total.item()
            found.append((reached - began, total))
            began += time.perf_counter() - reached
    return found


def measure(
    name: str, arguments: argparse.Namespace, style: Path, iterations: int = 0
) -> list[tuple[float, float]]:
    command = [sys.executable, __file__, str(arguments.photo), str(style), "-o", "-"]
    command += ["--only", name, "--size", str(arguments.size)]
    command += ["--iterations", str(iterations)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [(seconds, total) for seconds, total in json.loads(done.stdout)]


def result(curve: list[tuple[float, float]], goal: float, plain_seconds: float) -> dict[str, Any]:
    """What a curve of ours says; None for what was not reached."""
    iteration = next((k for k, (_, total) in enumerate(curve) if total <= goal), None)
    seconds = None if iteration is None else curve[iteration][0]
    return {
        "iteration": iteration,
        "seconds": seconds,
        "plain_seconds": plain_seconds,
        "share": None if seconds is None else seconds / plain_seconds,
        "all_seconds": curve[-1][0],
        "best": min(total for _, total in curve),
        "curve": curve,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("styles", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--only", choices=["plain", "goal", *DTYPES])
    arguments = parser.parse_args()
    if arguments.only:
        path = str(arguments.styles[0])
        scene = read_scene(str(arguments.photo), [path], Controls(size=arguments.size))
        subject = enlarged(scene.subject, arguments.size)
        photo, style = subject.content, subject.styles[0].image
        if arguments.only in DTYPES:
            curve = ours(subject, getattr(torch, arguments.only))
        else:
            way = plain if arguments.only == "plain" else goal
            curve = way(photo, style, arguments.iterations)
        print(json.dumps(curve))
        return
    known = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    rows: dict[str, Any] = known.get("runs", {})
    for style in arguments.styles:
        inputs = (sha256_of(arguments.photo), sha256_of(style), arguments.size, LOSS)
        key = hashlib.sha256(repr(inputs).encode()).hexdigest()[:12]
        row = rows.setdefault(key, {"photo": arguments.photo.name, "style": style.name})
        if len(row.get("plain", [])) < arguments.iterations:
            curve = measure("goal", arguments, style, arguments.iterations)
            row["plain"] = [total for _, total in curve]
        row["goal"] = min(row["plain"])
        for name in arguments.dtypes:
            if name == "bfloat16" and not bf16_pays(torch.device("cpu")):
                continue
            before = measure("plain", arguments, style, TIMED)
            curve = measure(name, arguments, style)
            after = measure("plain", arguments, style, TIMED)
            took = [b - a for run in (before, after) for (a, _), (b, _) in pairwise(run)]
            row[name] = result(curve, row["goal"], arguments.iterations * statistics.median(took))
            print(row["style"], name, {k: v for k, v in row[name].items() if k != "curve"})
        summary = {
            name: {
                "runs": len(results),
                "reached": sum(r["share"] is not None for r in results),
                "shares": [r["share"] for r in results],
            }
            for name in DTYPES
            if (results := [row[name] for row in rows.values() if name in row])
        }
        with atomic_write(arguments.output) as temporary:
            temporary.write_text(json.dumps({"summary": summary, "runs": rows}))
    print(summary)


if __name__ == "__main__":
    main()
