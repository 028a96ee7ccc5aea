from dataclasses import replace
from typing import Any

import pytest
import torch

from nst.errors import NstError
from nst.losses import LossConfig, PerceptualLoss
from nst.memory import available_memory
from nst.optimise import Method, memory
from nst.optimise.memory import (
    Footprint,
    bytes_per_pixel,
    check_memory,
    footprint,
    kept_per_pixel,
)

DEEP = Footprint(
    [
        *("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"),
        *("conv2_1", "relu2_1", "conv2_2", "relu2_2", "pool2", "conv3_1", "relu3_1"),
    ],
    style=["relu1_1", "relu2_1", "relu3_1"],
    content=["relu3_1"],
)


def saved_for_backward(loss: PerceptualLoss, side: int) -> int:
    """Bytes that autograd keeps of one evaluation, each memory once and weights not counted."""
    picture = torch.rand(1, 3, side, side)
    targets = loss.content_targets(picture)
    own = {b.untyped_storage().data_ptr() for b in loss.buffers()}
    # The tensors are kept alive, so that no address is used twice.
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in own:
            kept[address] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss(picture.requires_grad_(), targets)
    return sum(t.untyped_storage().nbytes() for t in kept.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize(
    ("style", "content"), [("relu1_1", "relu2_1"), ("conv1_2", "conv2_1"), ("pool1", "relu2_2")]
)
def test_counts_what_autograd_keeps(
    small_weights: Any, dtype: torch.dtype, pooling: str, style: str, content: str
) -> None:
    config = LossConfig(style_layers={style: 1.0}, content_layers={content: 1.0}, pooling=pooling)
    loss = PerceptualLoss(config, weights=small_weights, dtype=dtype)
    loss.set_style(torch.rand(1, 3, 48, 48))
    measured = saved_for_backward(loss, 48) / 48**2
    assert kept_per_pixel(footprint(loss, Method())) == pytest.approx(measured, rel=0.12)


def test_footprint_of_a_loss(small_loss: PerceptualLoss) -> None:
    found = footprint(small_loss, Method(optimiser="adam", history=7), low_memory=True)
    assert found == Footprint(
        ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1", "relu2_1"],
        ["relu1_1"],
        ["relu2_1"],
        bytes_per_activation=4,
        pooling="max",
        optimiser="adam",
        history=7,
        low_memory=True,
    )


def test_what_saves_memory() -> None:
    needed = bytes_per_pixel(DEEP)
    half = replace(DEEP, bytes_per_activation=2)
    assert bytes_per_pixel(half) < needed
    assert bytes_per_pixel(replace(half, low_memory=True)) < bytes_per_pixel(half)
    assert bytes_per_pixel(replace(DEEP, pooling="average")) > needed
    assert bytes_per_pixel(replace(DEEP, optimiser="adam")) < needed
    assert bytes_per_pixel(replace(DEEP, optimiser="scipy")) > needed
    assert bytes_per_pixel(replace(DEEP, layers=DEEP.layers[:7])) < needed
    # A pair of pictures, (1, 3, H, W) float32 each.
    assert needed - bytes_per_pixel(replace(DEEP, history=19)) == 2 * 12


@pytest.mark.parametrize("margin", [0, 4, 30])
def test_refuses_what_does_not_fit_with_the_size_that_does(
    small_loss: PerceptualLoss, monkeypatch: pytest.MonkeyPatch, margin: int
) -> None:
    method = Method()
    free = 10**8
    per_pixel = memory._HEAP * bytes_per_pixel(footprint(small_loss, method))
    with pytest.raises(NstError, match=r"1000×400 pixels needs about .* GB .* --size \d+") as info:
        check_memory(small_loss, (400, 1000), method, margin=margin, free=free)
    side = int(str(info.value).split("--size ")[1].split(",")[0].rstrip("."))
    assert side < 1000
    height = int(0.4 * side)
    needed = check_memory(small_loss, (height, side), method, margin=margin, free=free)
    assert needed == pytest.approx((height + 2 * margin) * (side + 2 * margin) * per_pixel)
    larger = (2 + int(0.4 * (side + 5)), side + 5)
    with pytest.raises(NstError):
        check_memory(small_loss, larger, method, margin=margin, free=free)
    monkeypatch.setattr(memory, "available_memory", lambda: free)
    with pytest.raises(NstError, match=f"--size {side}"):
        check_memory(small_loss, (400, 1000), method, margin=margin)
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    assert check_memory(small_loss, (400, 1000), method) > free


def test_names_low_memory_where_that_is_enough(
    small_loss: PerceptualLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "bytes_per_pixel", lambda plan: 500 if plan.low_memory else 1000)
    monkeypatch.setattr(memory, "_HEAP", 1.0)
    method = Method()
    with pytest.raises(NstError, match=r"--size 77, or --low-memory\.$"):
        check_memory(small_loss, (100, 100), method, free=6_600_000)
    assert check_memory(small_loss, (100, 100), method, free=6_600_000, low_memory=True) == 5e6
    with pytest.raises(NstError, match=r"--size 42\.$"):
        check_memory(small_loss, (100, 100), method, free=2_000_000)
    with pytest.raises(NstError, match=r"--size 60\.$"):
        check_memory(small_loss, (100, 100), method, free=2_000_000, low_memory=True)


def test_available_memory_is_that_of_a_computer() -> None:
    free = available_memory()
    assert free is None or 10**7 < free < 10**15
