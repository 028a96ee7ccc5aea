"""`nst optimise`: stylise one photo the slow way, by optimising its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from nst.errors import NstError
from nst.files import atomic_write
from nst.images import load, pillow_format, resize, save
from nst.losses import LossConfig, PerceptualLoss
from nst.optimise import Step
from nst.optimise import optimise as run_optimiser
from nst.tensors import bf16_pays, keep_freed_memory, resize_short_side, to_array, to_tensor
from nst.vgg import DEFAULT_BACKBONE

_DEFAULT = LossConfig()


def optimise(
    content: str,
    style: str,
    *,
    output: str,
    size: int = 512,
    style_size: int | None = None,
    iterations: int = 300,
    start: str = "content",
    content_weight: float = _DEFAULT.content_weight,
    style_weight: float = _DEFAULT.style_weight,
    tv_weight: float = _DEFAULT.tv_weight,
    backbone: str = DEFAULT_BACKBONE,
    clip: bool = False,
    seed: int = 0,
    threads: int = 0,
) -> int:
    """Stylise one photo by optimising its pixels: Gatys' method, slow and good.

    Args:
        content: The photo.
        style: The style picture.
        output: File to write: the picture with the lowest loss, also after Ctrl-C.
        size: Shrink the photo first, to a long side of at most this many pixels.
        style_size: Short side of the style picture in pixels; its strokes come out as large as
            they are then. By default the photo's.
        iterations: Updates of the picture.
        start: Where to start: content or noise.
        content_weight: Weight of the content loss.
        style_weight: Weight of the style loss; 1 is faint, 20 is strong.
        tv_weight: Weight of the total variation.
        backbone: Weights of the loss network; `nst backbone` lists them.
        clip: Clip the pixels to [0, 1] after every update.
        seed: Seed of the noise.
        threads: CPU threads; 0 for one per core.

    Returns:
        0, or 130 after Ctrl-C, with the picture so far written.
    """
    pillow_format(Path(output).suffix)
    keep_freed_memory()
    if threads < 0:
        raise NstError(f"threads is {threads}: give 0 (one per core) or more.")
    if threads:
        torch.set_num_threads(threads)
    photo = resize(load(content), size)
    side = min(photo.size) if style_size is None else style_size
    if min(photo.size) < 16 or side < 16:
        raise NstError(
            f"{content} has {photo.size[0]}×{photo.size[1]} pixels, the style {side}: the loss "
            "network needs at least 16 each way."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = LossConfig(
        content_weight=content_weight,
        style_weight=style_weight,
        tv_weight=tv_weight,
        backbone=backbone,
    )
    loss = PerceptualLoss(config, dtype=torch.bfloat16 if bf16_pays(device) else torch.float32)
    loss.to(device)
    loss.set_style(to_tensor(resize_short_side(load(style).rgb, side)).to(device))
    steps = run_optimiser(
        loss,
        to_tensor(photo.rgb).to(device),
        start=start,
        iterations=iterations,
        clip=clip,
        seed=seed,
    )
    # Opened before the work: an output that cannot be written should fail now.
    with atomic_write(output) as temporary:
        best, finished = _watch(steps, iterations)
        save(replace(photo, rgb=to_array(best.image)), temporary)
    print(
        f"nst: {output} after {best.iteration} iterations, {best.seconds:.1f} s: "
        f"total {best.total:.4f}, content {best.content:.4f}, style {best.style:.4f}"
    )
    return 0 if finished else 130


def _watch(steps: Iterator[Step], iterations: int) -> tuple[Step, bool]:
    """Show the progress; the step with the lowest total, and whether all were done."""
    columns = (TextColumn("optimising"), BarColumn(), TextColumn("{task.description}"))
    best = next(steps)
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=iterations)
        try:
            for step in steps:
                best = min(best, step, key=lambda s: s.total)
                progress.update(
                    task,
                    completed=step.iteration,
                    description=f"{step.iteration}/{iterations} · total {step.total:.4f} · "
                    f"content {step.content:.3f} · style {step.style:.4f}",
                )
        except KeyboardInterrupt:
            return best, False
    return best, True
