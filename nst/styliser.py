"""Run an exported model: a picture in, the stylised picture out. Never imports torch.

from nst.styliser import Styliser
Styliser("starry-night")("photo.jpg").save("painted.png")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst import shipped
from nst.colour import keep_luminance
from nst.errors import NstError, unknown
from nst.grain import grained
from nst.images import Picture, PictureSource, load, resize
from nst.memory import available_memory, resident_memory
from nst.session import Session, as_input
from nst.sidecar import METADATA_KEY, ModelFacts
from nst.strokes import Finish, enlarge
from nst.tiles import STATISTICS

# Peak memory of a pixel for each unit of the network's width: 540 bytes for a standard network of
# width 16 were measured, 110 for a live one of width 8.
_BYTES_PER_WIDTH = {"standard": 36, "live": 15}
# The same for a tile over that: up to 1.4 and, where its moments are taken, 3.2 were measured; less
# on processors without AVX-512, where onnxruntime lays features out otherwise.
_TILED = {"quick": 1.5, "exact": 3.4}
# Part of the free memory that is taken without being asked for.
_USABLE = 0.7
# Of a picture's pixel, next to the network: the result, and Pillow's copy while it is written.
_BYTES_OF_RESULT = 7


class Styliser:
    """A loaded model.

    Attributes:
        path: The model's file.
        facts: What the model is and how it was made.
        provider: Where it runs, such as "cpu" or "cuda".
    """

    def __init__(
        self,
        model: str | Path,
        *,
        provider: str = "auto",
        threads: int = 0,
        memory: int | None = None,
        statistics: str = "quick",
        spin: bool = True,
    ) -> None:
        """Load a model.

        Args:
            model: Path of an exported model, or, as a string, name of a shipped style.
            provider: "cpu", "cuda", "coreml", "directml" or "openvino"; "auto" takes the first
                there is of CUDA, CoreML and CPU.
            threads: CPU threads; 0 for one per core.
            memory: Bytes that this process may take; by default most of what is free, or on other
                devices than the CPU what there is. Larger pictures are done in tiles.
            statistics: What the tiles' instance norms go by: "quick", the picture shrunk to half
                a tile's pixels, or "exact", all of it, which takes several times as long and gives
                what the picture would give in one piece.
            spin: Let CPU threads keep their cores while they wait for each other: best for a
                picture now and then, worse beside other work, such as the coding of a video.

        Raises:
            NstError: No such model or style, a file that is none of nst's models or one of a newer
                nst, a provider that is not there, or a wrong value.
        """
        if statistics not in STATISTICS:
            raise unknown("statistics", statistics, STATISTICS)
        if memory is not None and memory < 1:
            raise NstError(f"memory is {memory} bytes: give 1 or more.")
        self._memory, self._statistics = memory, statistics
        self._at_once: dict[tuple[int, int], float] = {}
        self.path = _find_model(model)
        self._session = Session(self.path, provider=provider, threads=threads, spin=spin)
        self.provider = self._session.provider
        self.facts = ModelFacts.from_json(self._session.metadata.get(METADATA_KEY, ""), self.path)
        if (names := self._session.names) != ["image", "stylised"]:
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
        stroke_scale: float = ...,
        grain: float = ...,
        strength: float = ...,
        keep_colour: bool = ...,
    ) -> NDArray[np.uint8]: ...

    @overload
    def __call__(
        self,
        picture: str | Path | bytes | BinaryIO | Image.Image,
        *,
        max_size: int | None = ...,
        stroke_scale: float = ...,
        grain: float = ...,
        strength: float = ...,
        keep_colour: bool = ...,
    ) -> Image.Image: ...

    def __call__(
        self,
        picture: PictureSource,
        *,
        max_size: int | None = None,
        stroke_scale: float = 1.0,
        grain: float = 0.0,
        strength: float = 1.0,
        keep_colour: bool = False,
    ) -> Image.Image | NDArray[np.uint8]:
        """Stylise a picture.

        Args:
            picture: Path, encoded bytes, binary stream, Pillow image, or (H, W), (H, W, 3) or
                (H, W, 4) uint8 array.
            max_size: Shrink the picture first, to a long side of at most this many pixels.
            stroke_scale: How many times as large as in pictures of the training the strokes are,
                from 1 up. The network is given so much smaller a picture, which takes less time.
            grain: Deviation, from 0 to 1, of smooth noise for the network where the photo hardly
                changes, so that its strokes differ; see `nst.grain`.
            strength: From 0, the photo, to 1, the stylised picture.
            keep_colour: Keep the photo's colours, and take only the brightness of the strokes.

        Returns:
            A picture of the input's size, or the shrunk one, its alpha unchanged: for an array
            an array, (H, W, 3) or with alpha (H, W, 4), else a Pillow image.

        Raises:
            NstError: No picture, one that is too small or too large, or a wrong value.
        """
        result = self.stylise(
            load(picture),
            max_size=max_size,
            stroke_scale=stroke_scale,
            grain=grain,
            strength=strength,
            keep_colour=keep_colour,
        )
        if not isinstance(picture, np.ndarray):
            return result.to_image()
        return result.rgb if result.alpha is None else np.dstack([result.rgb, result.alpha])

    def stylise(
        self,
        picture: Picture,
        *,
        max_size: int | None = None,
        stroke_scale: float = 1.0,
        grain: float = 0.0,
        strength: float = 1.0,
        keep_colour: bool = False,
        watch: Callable[[float], None] = lambda share: None,
    ) -> Picture:
        """The same for a picture in the form that `nst.images.load` gives and `save` takes.

        Args:
            picture: As for a call.
            max_size: As for a call.
            stroke_scale: As for a call.
            grain: As for a call.
            strength: As for a call.
            keep_colour: As for a call.
            watch: If the picture is done in tiles, told of each: the share that is done, to 1.
        """
        check_options(max_size=max_size, stroke_scale=stroke_scale, grain=grain, strength=strength)
        if max_size is not None:
            picture = resize(picture, max_size)
        small = resize(picture, max(1, round(max(picture.size) / stroke_scale)))
        width, height = small.size
        if min(width, height) < self.facts.min_size:
            raise NstError(
                f"{picture.name} comes to {width}×{height} pixels, and this style needs "
                f"{self.facts.min_size} on each side: give a larger picture or maximal size, or a "
                "smaller stroke scale."
            )

        def finish(photo: NDArray[np.float32], result: NDArray[np.float32]) -> NDArray[np.uint8]:
            if keep_colour:
                result = keep_luminance(photo, result)
            if strength < 1:
                result = photo + np.float32(strength) * (result - photo)
            return _rounded(photo, result)

        try:
            if small is picture and not grain:
                return replace(picture, rgb=self._at_size(picture.rgb, picture, finish, watch))
            painted = self._at_size(grained(small.rgb, grain), picture, _rounded, watch)
            return replace(picture, rgb=enlarge(painted, small.rgb, picture.rgb, finish))
        except MemoryError as error:
            raise NstError(
                f"{picture.name} with {width}×{height} pixels does not fit into memory: allow less "
                "of it (--memory), for smaller tiles, or shrink the picture (--max-size)."
            ) from error

    def _at_size(
        self,
        rgb: NDArray[np.uint8],
        result: Picture,
        finish: Finish,
        watch: Callable[[float], None],
    ) -> NDArray[np.uint8]:
        """What the model makes of pixels, in tiles if need be, and `finish` of that."""
        sizes = rgb.size // 3, result.rgb.size // 3
        # Decided once for each size: what the first picture leaves in memory serves the next
        # ones, and the frames of a video must be alike.
        if sizes not in self._at_once:
            self._at_once[sizes] = self._pixels_at_once(*sizes)
        if self._at_once[sizes] < sizes[0]:
            return self._in_tiles(rgb, self._at_once[sizes], finish, watch)
        return finish(rgb.astype(np.float32) / np.float32(255), self._painted(rgb))

    def _painted(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the model makes of a picture in one piece, (H, W, 3) in [0, 1]."""
        if self.facts.io == "uint8":
            (batch,) = self._session.run(["stylised"], {"image": rgb[np.newaxis]})
            scaled: NDArray[np.float32] = batch[0].astype(np.float32) / np.float32(255)
            return scaled
        (batch,) = self._session.run(["stylised"], {"image": as_input(rgb)})
        rows: NDArray[np.float32] = batch[0].transpose(1, 2, 0)
        return rows

    def _pixels_at_once(self, pixels: int, of_result: int) -> float:
        """How many of some pixels the network may be given: Linux kills without a word."""
        limit = self._memory
        if limit is None and self.provider == "cpu":
            free = available_memory()
            limit = None if free is None else resident_memory() + int(_USABLE * free)
        if limit is None:
            return pixels
        width = int(self.facts.network_args.get("width", 32))
        left = limit - resident_memory() - of_result * _BYTES_OF_RESULT
        return max(0.0, left / (width * _BYTES_PER_WIDTH.get(self.facts.network, 36)))

    def _in_tiles(
        self,
        rgb: NDArray[np.uint8],
        pixels: float,
        finish: Finish,
        watch: Callable[[float], None],
    ) -> NDArray[np.uint8]:
        # It brings the package onnx, which small pictures do not need.
        from nst.tiles.run import Tiler

        tiler = Tiler(
            self.path,
            pixels=pixels / _TILED[self._statistics],
            provider=self.provider,
            threads=self._session.threads,
        )
        return tiler.stylise(rgb, finish, statistics=self._statistics, watch=watch)


def _rounded(photo: NDArray[np.float32], result: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (result.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def check_options(
    *, max_size: int | None, stroke_scale: float, grain: float, strength: float
) -> None:
    """Refuse wrong options of `Styliser`, before any picture is read.

    Raises:
        NstError: `max_size` or `stroke_scale` is below 1, `grain` or `strength` not in 0 to 1.
    """
    if max_size is not None and max_size < 1:
        raise NstError(f"the maximal size is {max_size}: give 1 pixel or more.")
    if not 1 <= stroke_scale < float("inf"):
        raise NstError(f"the stroke scale is {stroke_scale}: give 1 or more.")
    for name, share in (("grain", grain), ("strength", strength)):
        if not 0 <= share <= 1:
            raise NstError(f"{name} is {share}: give a number from 0 to 1.")


def _find_model(model: str | Path) -> Path:
    path = Path(model)
    if path.is_file():
        return path
    if isinstance(model, str) and model == path.name and path.suffix != ".onnx":
        return shipped.find(model).path
    reason = "not a file" if path.exists() else "no such file"
    raise NstError(f"cannot read the model {model} ({reason}): give an exported .onnx file.")
