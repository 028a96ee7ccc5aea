"""Peak memory of `nst optimise`, against its estimate.

    python benchmarks/optimiser_memory.py PHOTO STYLE --size 1024 [--dtype float32] [--low-memory]

The default preset, for enough iterations to fill the history of L-BFGS. The peak is the process's
own, Python and torch included.
"""

from __future__ import annotations

import argparse
import resource
from dataclasses import fields
from pathlib import Path

import torch

from nst.cli.scene import Controls, read_scene
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import Method, render
from nst.optimise.memory import check_memory
from nst.recipes import read_recipe
from nst.tensors import bf16_pays, keep_freed_memory

SETTINGS = read_recipe("nst").settings
DTYPES = ["float32", "bfloat16"]
# What `nst optimise` takes.
DEFAULT_DTYPE = DTYPES[bf16_pays(torch.device("cpu"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("style", type=Path)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--dtype", choices=DTYPES, default=DEFAULT_DTYPE)
    parser.add_argument("--low-memory", action="store_true")
    arguments = parser.parse_args()
    keep_freed_memory()
    controls = Controls(size=arguments.size, margin=SETTINGS["margin"])
    scene = read_scene(str(arguments.photo), [str(arguments.style)], controls)
    height, width = scene.subject.content.shape[2:]
    method = Method(iterations=[Method().precondition + 2, 2 * Method().history])
    config = LossConfig(**{f.name: SETTINGS[f.name] for f in fields(LossConfig)})
    dtype = getattr(torch, arguments.dtype)
    loss = PerceptualLoss(config, dtype=dtype, low_memory=arguments.low_memory)
    estimate = check_memory(loss, (height, width), method, low_memory=arguments.low_memory)
    for step in render(loss, scene.subject, method):
        seconds = step.seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{width}×{height}, {arguments.dtype}: peak {peak / 1e9:.2f} GB, estimate "
        f"{estimate / 1e9:.2f} GB for the optimisation alone, {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
