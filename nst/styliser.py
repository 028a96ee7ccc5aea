"""Run an exported model: a picture in, the stylised picture out. Never imports torch.

from nst.styliser import Styliser
Styliser("starry-night")("photo.jpg").save("painted.png")
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from nst import shipped
from nst.colour import keep_luminance
from nst.errors import NstError, unknown
from nst.images import Picture, PictureSource, load, resize
from nst.memory import available_memory
from nst.sidecar import METADATA_KEY, ModelFacts

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
# Peak memory of a pixel and channel of the network's first layer: 443 bytes for 16 were measured.
_BYTES_PER_CHANNEL = 30


class Styliser:
    """A loaded model.

    Attributes:
        path: The model's file.
        facts: What the model is and how it was made.
        provider: Where it runs, such as "cpu" or "cuda".
    """

    def __init__(self, model: str | Path, *, provider: str = "auto", threads: int = 0) -> None:
        """Load a model.

        Args:
            model: Path of an exported model, or, as a string, name of a shipped style.
            provider: "cpu", "cuda", "coreml", "directml" or "openvino"; "auto" takes the first
                there is of CUDA, CoreML and CPU.
            threads: CPU threads; 0 for one per core.

        Raises:
            NstError: No such model or style, a file that is none of nst's models or one of a newer
                nst, or a provider that is not there.
        """
        if threads < 0:
            raise NstError(f"threads is {threads}: give 0 (one per core) or more.")
        self.path = _find_model(model)
        self._session, self.provider = _open_session(self.path, provider, threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.facts = ModelFacts.from_json(metadata.get(METADATA_KEY, ""), self.path)
        names = [node.name for node in (*self._session.get_inputs(), *self._session.get_outputs())]
        if names != ["image", "stylised"]:
            raise NstError(
                f"{self.path} has inputs and outputs {names}, not 'image' and 'stylised': "
                "export it again."
            )

    @overload
    def __call__(
        self,
        picture: NDArray[np.uint8],
        *,
        max_size: int | None = ...,
        strength: float = ...,
        keep_colour: bool = ...,
    ) -> NDArray[np.uint8]: ...

    @overload
    def __call__(
        self,
        picture: str | Path | bytes | BinaryIO | Image.Image,
        *,
        max_size: int | None = ...,
        strength: float = ...,
        keep_colour: bool = ...,
    ) -> Image.Image: ...

    def __call__(
        self,
        picture: PictureSource,
        *,
        max_size: int | None = None,
        strength: float = 1.0,
        keep_colour: bool = False,
    ) -> Image.Image | NDArray[np.uint8]:
        """Stylise a picture.

        Args:
            picture: Path, encoded bytes, binary stream, Pillow image, or (H, W), (H, W, 3) or
                (H, W, 4) uint8 array.
            max_size: Shrink the picture first, to a long side of at most this many pixels.
            strength: From 0, the photo, to 1, the stylised picture.
            keep_colour: Keep the photo's colours, and take only the brightness of the strokes.

        Returns:
            A picture of the input's size, or the shrunk one, its alpha unchanged: for an array
            an array, (H, W, 3) or with alpha (H, W, 4), else a Pillow image.

        Raises:
            NstError: No picture, one that is too small or too large, or a wrong value.
        """
        result = self.stylise(
            load(picture), max_size=max_size, strength=strength, keep_colour=keep_colour
        )
        if not isinstance(picture, np.ndarray):
            return result.to_image()
        return result.rgb if result.alpha is None else np.dstack([result.rgb, result.alpha])

    def stylise(
        self,
        picture: Picture,
        *,
        max_size: int | None = None,
        strength: float = 1.0,
        keep_colour: bool = False,
    ) -> Picture:
        """The same for a picture in the form that `nst.images.load` gives and `save` takes."""
        check_options(max_size=max_size, strength=strength)
        if max_size is not None:
            picture = resize(picture, max_size)
        width, height = picture.size
        if min(width, height) < self.facts.min_size:
            raise NstError(
                f"{picture.name} comes to {width}×{height} pixels, and this style needs "
                f"{self.facts.min_size} on each side: give a larger picture or maximal size."
            )
        self._check_memory(picture)
        try:
            photo = picture.rgb.astype(np.float32) / np.float32(255)
            batch = np.ascontiguousarray(photo.transpose(2, 0, 1)[np.newaxis])
            result = self._run(batch)[0].transpose(1, 2, 0)
            if keep_colour:
                result = keep_luminance(photo, result)
            if strength < 1:
                result = photo + np.float32(strength) * (result - photo)
            return replace(picture, rgb=(result.clip(0, 1) * 255 + 0.5).astype(np.uint8))
        except MemoryError as error:
            raise NstError(
                f"{picture.name} with {width}×{height} pixels does not fit into memory: set a "
                "smaller maximal size (--max-size)."
            ) from error

    def _check_memory(self, picture: Picture) -> None:
        """Refuse what would not fit: Linux kills a process without a word."""
        width, height = picture.size
        channels = int(self.facts.network_args.get("width", 32))
        needed, free = width * height * channels * _BYTES_PER_CHANNEL, available_memory()
        if self.provider == "cpu" and free is not None and needed > free:
            side = int(max(width, height) * (0.9 * free / needed) ** 0.5)
            raise NstError(
                f"{picture.name} with {width}×{height} pixels needs about {needed / 1e9:.0f} GB of "
                f"memory, and {free / 1e9:.0f} GB are free: give --max-size {side}."
            )

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        options = onnxruntime.RunOptions()
        options.log_severity_level = _SILENT
        # In a thread of its own, so that Ctrl-C need not wait for the end of a large picture.
        with ThreadPoolExecutor(max_workers=1) as pool:
            future = pool.submit(self._session.run, ["stylised"], {"image": batch}, options)
            try:
                output: NDArray[np.float32] = future.result()[0]
            except KeyboardInterrupt:
                options.terminate = True
                raise
            # onnxruntime's exceptions have no common class, nor one of their own for memory.
            except Exception as error:
                if "alloc" in str(error).lower():
                    raise MemoryError from error
                raise NstError(f"{self.path} failed on a picture: {_reason(error)}") from error
        return output


def check_options(*, max_size: int | None, strength: float) -> None:
    """Refuse wrong options of `Styliser`, before any picture is read.

    Raises:
        NstError: `max_size` is below 1, or `strength` outside of 0 to 1.
    """
    if max_size is not None and max_size < 1:
        raise NstError(f"the maximal size is {max_size}: give 1 pixel or more.")
    if not 0 <= strength <= 1:
        raise NstError(f"strength is {strength}: give a number from 0 to 1.")


def _find_model(model: str | Path) -> Path:
    path = Path(model)
    if path.is_file():
        return path
    if isinstance(model, str) and model == path.name and path.suffix != ".onnx":
        return shipped.find(model).path
    reason = "not a file" if path.exists() else "no such file"
    raise NstError(f"cannot read the model {model} ({reason}): give an exported .onnx file.")


def _open_session(path: Path, provider: str, threads: int) -> tuple[Any, str]:
    """A session on the first provider that works, and that provider's name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = threads
    for name in _candidates(provider):
        if name == "cuda" and hasattr(onnxruntime, "preload_dlls"):
            # Finds the CUDA libraries that pip installed.
            onnxruntime.preload_dlls()
        try:
            # Its fallback prints to stdout, where the picture may go.
            session = onnxruntime.InferenceSession(
                path,
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
