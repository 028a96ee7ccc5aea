"""How much memory something takes at its peak."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def release_memory() -> None:
    """Give back what glibc keeps of freed memory; elsewhere this does little."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


class PeakMemory:
    """The peak of this process' memory, or of its GPU's, above what was held at the beginning.

    On Linux the kernel keeps the peak of resident memory, and can be asked to forget it. Memory
    that was freed before is given back first: taken again, it would not be seen.
    """

    def __init__(self, device: torch.device) -> None:
        """Begin.

        Args:
            device: Where the work is done.
        """
        self._device = device
        release_memory()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self._before: int | None = torch.cuda.memory_allocated(device)
            return
        self._before = None
        with contextlib.suppress(OSError):
            _RESET.write_text("5")
            self._before = _resident("VmRSS")

    def above(self) -> int | None:
        """Bytes of the peak since the beginning, or None where the system does not say."""
        if self._device.type == "cuda":
            peak: int | None = torch.cuda.max_memory_allocated(self._device)
        else:
            peak = _resident("VmHWM") if self._before is not None else None
        return self._more(peak)

    def kept(self) -> int | None:
        """Bytes that are held now and were not at the beginning, or None."""
        release_memory()
        if self._device.type == "cuda":
            return self._more(torch.cuda.memory_allocated(self._device))
        return self._more(_resident("VmRSS") if self._before is not None else None)

    def _more(self, now: int | None) -> int | None:
        return None if now is None or self._before is None else max(0, now - self._before)


def _resident(field: str) -> int | None:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else None
