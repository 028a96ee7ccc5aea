"""Facts of the machine that times depend on, without anything that names it or its user."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy
import onnxruntime
import torch

import nst
from nst.compare.records import Machine


def machine(*, threads: int, network_device: str, device: torch.device, precision: str) -> Machine:
    """This machine.

    Args:
        threads: CPU threads of network and optimiser.
        network_device: Provider that onnxruntime runs on.
        device: Where torch runs.
        precision: Type of VGG's convolutions.
    """
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    versions = {
        "python": platform.python_version(),
        "nst": nst.__version__,
        # Not by the names of packages: onnxruntime has several.
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": numpy.__version__,
    }
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=_memory_gb(),
        system=f"{platform.system()} {platform.machine()}",
        threads=threads,
        network_device=network_device,
        optimiser_device=gpu or device.type,
        versions=versions,
        precision=precision,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        return found[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    except (AttributeError, OSError, ValueError):
        return None
