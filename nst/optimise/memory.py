"""What an optimisation needs at its peak, estimated before it starts.

An estimate in bytes for each pixel: what VGG and the loss keep for the gradient, the gradients of
the largest layer, and the solver's own pictures. Against the allocations that torch's profiler
counts it is within about a quarter; a process takes more, as its heap has holes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from nst.errors import NstError
from nst.losses import PerceptualLoss
from nst.memory import available_memory
from nst.optimise.pyramid import Method
from nst.vgg import canonical
from nst.vgg.layers import WIDTHS

_FLOAT, _PLACE = 4, 4
_PICTURE = 3 * _FLOAT
# The gradients of a layer's output, of its input, and of the next loss term, alive at once.
_GRADIENTS = 3
# The start, the content, the best, the current and the yielded picture, and their gradients.
_PICTURES = 10
# The matting Laplacian, 25 numbers and their places for each pixel, and a product with it. Building
# it takes more, but VGG keeps nothing at that time.
_MATTING = 25 * 12 + 80
# Resident memory of a processor's heap over the estimate, at 1024 × 768 pixels.
_HEAP = 1.8
# Part of the free memory that may be planned with: the estimate is only one.
_USABLE = 0.9


@dataclass(frozen=True)
class Footprint:
    """What an optimisation keeps in memory.

    Attributes:
        layers: VGG's layers that are evaluated, canonical and in order.
        style: Those whose Gram matrices are taken.
        content: Those whose features are compared.
        bytes_per_activation: 4, or 2 for bfloat16.
        pooling: "max", which keeps where each maximum was, or "average".
        optimiser: "lbfgs", "scipy" or "adam".
        history: Curvature pairs of either L-BFGS.
        low_memory: Layers are not kept but evaluated again for the gradient, a block at a time.
        matting: The loss has the affine term.
    """

    layers: Sequence[str]
    style: Collection[str]
    content: Collection[str]
    bytes_per_activation: int = _FLOAT
    pooling: str = "max"
    optimiser: str = "lbfgs"
    history: int = 20
    low_memory: bool = False
    matting: bool = False


def footprint(loss: PerceptualLoss, method: Method, *, low_memory: bool = False) -> Footprint:
    """The footprint of a loss and a method."""

    def names(layers: Collection[str]) -> list[str]:
        return [canonical(name, loss.vgg.architecture) for name in layers]

    return Footprint(
        loss.vgg.layers,
        names(loss.config.style_layers),
        names(loss.config.content_layers),
        loss.vgg.dtype.itemsize,
        loss.vgg.pooling,
        method.optimiser,
        method.history,
        low_memory,
        loss.config.affine_weight > 0,
    )


def bytes_per_pixel(plan: Footprint) -> float:
    """Peak memory of an optimisation for each pixel of the picture."""
    gradients = _GRADIENTS * WIDTHS[0] * plan.bytes_per_activation
    targets = sum(_values(name) for name in plan.content) * plan.bytes_per_activation
    matting = _MATTING if plan.matting else 0
    return kept_per_pixel(plan) + gradients + targets + matting + _solver_bytes(plan)


def kept_per_pixel(plan: Footprint) -> float:
    """Bytes for each pixel of the picture that VGG and the loss keep for the gradient."""
    blocks = [0.0] * len(WIDTHS)
    for name in plan.layers:
        blocks[int(name[4]) - 1] += _kept_by_vgg(name, plan)
    compared = sum(_values(name) for name in plan.content) * _FLOAT
    correlated = sum(_values(name) for name in plan.style) * _FLOAT
    # A Gram matrix needs float32: a copy of half-precision features, else VGG's own.
    half = plan.bytes_per_activation < _FLOAT
    everything = sum(blocks) + compared + (correlated if half else 0.0)
    if not plan.low_memory:
        return everything
    between = sum(_values(n) for n in plan.layers if n.startswith("pool"))
    again = max(blocks) + between * plan.bytes_per_activation + compared + correlated
    return min(everything, again)


def _values(name: str) -> float:
    """Numbers in a layer's output for each pixel of the picture."""
    block = int(name[4])
    # A pool belongs to its block, but its output has the next one's size.
    return float(WIDTHS[block - 1] / 4 ** (block if name.startswith("pool") else block - 1))


def _kept_by_vgg(name: str, plan: Footprint) -> float:
    half = plan.bytes_per_activation < _FLOAT
    if name.startswith("conv") and (half or name not in plan.style):
        # Its ReLU works in place, or else only a copy is needed.
        return 0.0
    if _pooled_before(name, plan):
        # In place, too, on the pool's output.
        return 0.0
    place = _PLACE if name.startswith("pool") and plan.pooling == "max" else 0
    return _values(name) * (plan.bytes_per_activation + place)


def _pooled_before(name: str, plan: Footprint) -> bool:
    """Whether a layer is a ReLU that VGG applies after the pool, as nothing else needs it."""
    if not name.startswith("relu"):
        return False
    after = plan.layers[plan.layers.index(name) + 1 :]
    asked = {*plan.style, *plan.content}
    return (
        plan.pooling == "max"
        and bool(after)
        and after[0].startswith("pool")
        and asked.isdisjoint((name, after[0]))
    )


def _solver_bytes(plan: Footprint) -> float:
    pictures = _PICTURES * _PICTURE
    if plan.optimiser == "adam":
        return pictures + 2 * _PICTURE
    if plan.optimiser == "lbfgs":
        return pictures + (2 * plan.history + 4) * _PICTURE
    # L-BFGS-B's workspace, its bounds and our copies, all float64.
    return pictures + (2 * plan.history + 12) * 2 * _PICTURE


def check_memory(
    loss: PerceptualLoss,
    size: tuple[int, int],
    method: Method,
    *,
    margin: int = 0,
    low_memory: bool = False,
    free: int | None = None,
) -> int:
    """Refuse a picture whose optimisation would not fit: Linux kills a process without a word.

    Args:
        loss: The loss, on its device.
        size: Height and width of the picture in pixels.
        method: The solver.
        margin: Pixels around the picture that are optimised too.
        low_memory: Whether VGG evaluates layers again instead of keeping them.
        free: Bytes that are free; by default those of the loss' device.

    Returns:
        The bytes that are needed, about.

    Raises:
        NstError: More than is free; the message names the long side that fits.
    """
    pixels = (size[0] + 2 * margin) * (size[1] + 2 * margin)
    free = _free_memory(loss) if free is None else free
    heap = _HEAP if loss.vgg.mean.device.type == "cpu" else 1.0
    needed = heap * pixels * bytes_per_pixel(footprint(loss, method, low_memory=low_memory))
    if free is None or needed <= _USABLE * free:
        return round(needed)
    # The factor s of both sides for which (s·H + 2·margin) · (s·W + 2·margin) pixels fit.
    area, half = size[0] * size[1], margin * sum(size)
    room = pixels * _USABLE * free / needed - (2 * margin) ** 2
    side = int(max(size) * (math.sqrt(half**2 + area * max(0, room)) - half) / area)
    low = heap * pixels * bytes_per_pixel(footprint(loss, method, low_memory=True))
    other = ", or --low-memory" if not low_memory and low <= _USABLE * free else ""
    raise NstError(
        f"optimising {size[1]}×{size[0]} pixels needs about {needed / 1e9:.1f} GB of memory, and "
        f"{free / 1e9:.1f} GB are free: give --size {side}{other}."
    )


def _free_memory(loss: PerceptualLoss) -> int | None:
    device = loss.vgg.mean.device
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return available_memory()
