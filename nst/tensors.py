"""Pictures as tensors, and what torch needs to know about this machine."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def to_tensor(rgb: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255


def to_array(image: Tensor) -> NDArray[np.uint8]:
    """(1, 3, H, W) to (H, W, 3) uint8, clamped to [0, 1] and rounded."""
    scaled = (image.detach()[0].float().clamp(0, 1) * 255).round().byte()
    return np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy())


def resize_short_side(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 resized so that its short side has `size` pixels."""
    height, width = rgb.shape[:2]
    scale = size / min(height, width)
    shape = (max(size, round(width * scale)), max(size, round(height * scale)))
    return np.asarray(Image.fromarray(rgb).resize(shape, Image.Resampling.LANCZOS))


def bf16_pays(device: torch.device) -> bool:
    """Whether bfloat16 convolutions are faster than float32 there.

    On processors without the instructions they are emulated, and up to a hundred times slower.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return False


def keep_freed_memory() -> None:
    """Have glibc keep freed blocks instead of returning them to the kernel.

    Each step allocates and frees the same gigabytes; the page faults cost 1.3 times and more.
    Elsewhere than on glibc this does nothing.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    m_mmap_max, m_trim_threshold, m_top_pad = -4, -1, -2
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, -1)
    mallopt(m_top_pad, 256 * 2**20)


def return_freed_memory() -> None:
    """Have glibc return freed blocks to the kernel, once.

    For where the sizes of all blocks change: holes between kept blocks that are too small for the
    new ones would stay. Elsewhere than on glibc this does nothing.
    """
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _of_glibc(name: str) -> Any:
    """A function of glibc, or None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
