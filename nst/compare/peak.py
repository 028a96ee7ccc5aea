"""How much memory something takes at its peak."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path

import torch

from nst.memory import resident_memory
from nst.tensors import return_freed_memory

_RESET = Path("/proc/self/clear_refs")


def release_memory() -> None:
    """Give back what is kept of freed memory."""
    gc.collect()
    return_freed_memory()


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
            self._before = resident_memory()

    def above(self) -> int | None:
        """Bytes of the peak since the beginning, or None where the system does not say."""
        if self._device.type == "cuda":
            peak: int | None = torch.cuda.max_memory_allocated(self._device)
        else:
            peak = resident_memory(peak=True) if self._before is not None else None
        return self._more(peak)

    def kept(self) -> int | None:
        """Bytes that are held now and were not at the beginning, or None."""
        release_memory()
        if self._device.type == "cuda":
            return self._more(torch.cuda.memory_allocated(self._device))
        return self._more(resident_memory() if self._before is not None else None)

    def _more(self, now: int | None) -> int | None:
        return None if now is None or self._before is None else max(0, now - self._before)
