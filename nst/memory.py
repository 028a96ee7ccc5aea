"""How much memory this machine has left, and how much this process has."""

from __future__ import annotations

import re
from pathlib import Path

from nst.errors import NstError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def available_memory() -> int | None:
    """Bytes of memory that are free, or None where the system does not say."""
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable")


def resident_memory(*, peak: bool = False) -> int:
    """Bytes that this process has in memory, or has had at its peak; 0 where nothing says."""
    return _kilobytes(Path("/proc/self/status"), "VmHWM" if peak else "VmRSS") or 0


def _kilobytes(path: Path, field: str) -> int | None:
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def parse_bytes(text: str) -> int:
    """Bytes from a text such as "2G", "500M" or "1.5 GB", in powers of 1024.

    Raises:
        NstError: Not such a text, or nothing.
    """
    found = re.fullmatch(r"([\d.]+)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    try:
        count = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    except ValueError:
        count = 0
    if count < 1:
        raise NstError(f"memory is {text!r}: give a number with a unit, such as 2G or 500M.")
    return count
