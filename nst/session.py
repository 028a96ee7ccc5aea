"""A model that onnxruntime runs, on the device that is asked for or the fastest there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from nst.errors import NstError, unknown

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_AUTO = ("cuda", "coreml", "cpu")
# Nothing but "fatal": what goes wrong is raised, and printed once.
_SILENT = 4


class Session:
    """A loaded model.

    Attributes:
        provider: Where it runs, such as "cpu" or "cuda".
        threads: CPU threads; 0 for one per core.
    """

    def __init__(
        self,
        path: Path,
        *,
        provider: str = "auto",
        threads: int = 0,
        spin: bool = True,
        model: bytes | None = None,
    ) -> None:
        """Load a model.

        Args:
            path: Its file.
            provider: A key of `PROVIDERS`; "auto" takes the first there is of CUDA, CoreML and CPU.
            threads: CPU threads; 0 for one per core.
            spin: Whether its threads keep their cores while they wait for each other.
            model: What was made of the file, to be loaded in its place.

        Raises:
            NstError: No model, or a provider that is not there.
        """
        if threads < 0:
            raise NstError(f"threads is {threads}: give 0 (one per core) or more.")
        self._path, self.threads = path, threads
        self._session, self.provider = _open(path, model or path, provider, threads, spin)

    @property
    def names(self) -> list[str]:
        """Names of its inputs and outputs."""
        nodes = (*self._session.get_inputs(), *self._session.get_outputs())
        return [node.name for node in nodes]

    @property
    def metadata(self) -> dict[str, str]:
        """What is written into the model's file."""
        metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return metadata

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]], *, partly: bool = False
    ) -> list[NDArray[np.float32]]:
        """Run the model.

        Args:
            outputs: Names of the outputs wanted.
            inputs: All inputs, by their names.
            partly: Leave out the layers that these outputs do not need.

        Raises:
            MemoryError: It needs more memory than there is.
            NstError: It failed for another reason.
        """
        options = onnxruntime.RunOptions()
        options.log_severity_level = _SILENT
        options.only_execute_path_to_fetches = partly
        # In a thread of its own, so that Ctrl-C need not wait for the end of a large picture.
        with ThreadPoolExecutor(max_workers=1) as pool:
            future = pool.submit(self._session.run, list(outputs), dict(inputs), options)
            try:
                found: list[NDArray[np.float32]] = future.result()
            except KeyboardInterrupt:
                options.terminate = True
                raise
            # onnxruntime's exceptions have no common class, nor one of their own for memory.
            except Exception as error:
                if "alloc" in str(error).lower():
                    raise MemoryError from error
                raise NstError(f"{self._path} failed on a picture: {_reason(error)}") from error
        return found


def as_input(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture as models take it: (H, W, 3) uint8 to (1, 3, H, W) float32 in [0, 1]."""
    scaled = rgb.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])


def _open(
    path: Path, model: Path | bytes, provider: str, threads: int, spin: bool
) -> tuple[Any, str]:
    """A session on the first provider that works, and that provider's name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    for name in _candidates(provider):
        if name == "cuda" and hasattr(onnxruntime, "preload_dlls"):
            # Finds the CUDA libraries that pip installed.
            onnxruntime.preload_dlls()
        try:
            # Its fallback prints to stdout, where the picture may go.
            session = onnxruntime.InferenceSession(
                model,
                options,
                providers=list(dict.fromkeys([PROVIDERS[name], PROVIDERS["cpu"]])),
                enable_fallback=0,
            )
        except Exception as error:
            if provider == "auto" and name != "cpu":
                continue
            raise NstError(
                f"{path} is not a model that onnxruntime can load ({_reason(error)}): give a file "
                "that `python -m export` wrote."
            ) from error
        if session.get_providers()[0] == PROVIDERS[name]:
            return session, name
        if provider != "auto":
            raise NstError(
                f"provider {name!r} does not work on this machine (a missing driver or library?): "
                "use 'cpu' or 'auto'."
            )
    raise AssertionError("the CPU provider is always there")


def _candidates(provider: str) -> list[str]:
    if provider != "auto" and provider not in PROVIDERS:
        raise unknown("provider", provider, ["auto", *PROVIDERS])
    installed = onnxruntime.get_available_providers()
    available = [name for name, long_name in PROVIDERS.items() if long_name in installed]
    if provider == "auto":
        return [name for name in _AUTO if name in available]
    if provider not in available:
        raise NstError(
            f"provider {provider!r} is not in this onnxruntime, only {', '.join(available)}: "
            "install the onnxruntime package that has it, or use 'auto'."
        )
    return [provider]


def _reason(error: Exception) -> str:
    """What onnxruntime says, without its codes in front."""
    return str(error).partition("\n")[0].rpartition(" : ")[2]
