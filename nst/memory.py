"""How much memory this machine has left."""

from __future__ import annotations

from pathlib import Path


def available_memory() -> int | None:
    """Bytes of memory that are free, or None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(w[1]) * 1024 for w in map(str.split, lines) if w[0] == "MemAvailable:")
    except (OSError, StopIteration):
        return None
