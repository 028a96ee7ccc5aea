"""A picture of any size through a network, a tile at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.errors import NstError
from nst.session import Session, as_input
from nst.tiles.graph import Norm, Opened, open_norms
from nst.tiles.moments import Moments
from nst.tiles.plan import Tile, tiles

Pixels: TypeAlias = "NDArray[np.uint8]"
Floats: TypeAlias = "NDArray[np.float32]"
Frozen: TypeAlias = "dict[str, Floats]"
Watch: TypeAlias = Callable[[float], None]
"""Gets the share of the work that is done, from 0 to 1."""

# A tile's side is at least so many times its halo: of a smaller one, most would be thrown away.
_HALOS = 3
_TO_THE_END = np.iinfo(np.int64).max


class Tiler:
    """A model opened for tiles of one size.

    Attributes:
        side: Pixels along each side of what a tile reads.
    """

    def __init__(self, path: Path, *, pixels: float, provider: str, threads: int) -> None:
        """Open a model.

        Args:
            path: The model's file.
            pixels: How many a tile may have.
            provider: Where it runs.
            threads: CPU threads; 0 for one per core.

        Raises:
            NstError: A layer cannot be run in tiles, or so few pixels are not worth it.
        """
        self._path, self._provider, self._threads = path, provider, threads
        self._opened: Opened = open_norms(path)
        smallest = _HALOS * self._opened.halo
        self.side = int(pixels**0.5) // self._opened.multiple * self._opened.multiple
        if self.side < smallest:
            raise NstError(
                f"the memory that is left has room for tiles of {self.side} pixels a side, and "
                f"this style needs {smallest}: give a larger --memory, or --max-size."
            )

    def stylise(
        self,
        photo: Pixels,
        finish: Callable[[Floats, Floats], Pixels],
        *,
        statistics: str = "quick",
        watch: Watch = lambda share: None,
    ) -> Pixels:
        """The network's picture of a photo.

        Args:
            photo: (H, W, 3).
            finish: From a part of the photo and of the network's output, (h, w, 3) in about [0, 1],
                the result.
            statistics: One of `nst.tiles.STATISTICS`.
            watch: Told of each step.

        Returns:
            (H, W, 3).

        Raises:
            MemoryError: It needs more memory than there is.
            NstError: The model failed.
        """
        height, width = photo.shape[:2]
        opened = self._opened
        plan = tiles(width, height, self.side, opened.halo, opened.multiple)
        turns = len({norm.turn for norm in opened.norms}) if statistics == "exact" else 0
        done = 0.0

        def advance(share_of_a_tile: float) -> None:
            nonlocal done
            done += share_of_a_tile
            # A turn runs the layers up to its norms: all turns together about half of each.
            watch(done / (len(plan) * (1 + turns / 2)))

        frozen = self._of_all(photo, plan, turns, advance) if turns else self._of_reduced(photo)
        session = self._session(opened.frozen)
        result = np.empty_like(photo)
        for tile in plan:
            part = _part(photo, tile)
            output = session.run(["stylised"], {"image": part, **frozen})[0]
            rows, columns = _core(tile)
            within = (slice(*rows), slice(*columns))
            result[slice(*tile.rows.core), slice(*tile.columns.core)] = finish(
                _channels_last(part)[within], _channels_last(output)[within]
            )
            advance(1)
        return result

    def _session(self, model: bytes) -> Session:
        return Session(self._path, provider=self._provider, threads=self._threads, model=model)

    def _of_reduced(self, photo: Pixels) -> Frozen:
        """Factors and summands of all norms by the photo with half as many pixels as a tile.

        Taking all moments at once needs twice the memory.
        """
        height, width = photo.shape[:2]
        factor = min(1.0, self.side / (2 * width * height) ** 0.5)
        size = (max(1, round(factor * width)), max(1, round(factor * height)))
        image = Image.fromarray(photo)
        reduced = np.asarray(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))
        norms = self._opened.norms
        found = self._session(self._opened.observed).run(
            _moments_of(norms), {"image": as_input(reduced)}
        )
        moments: dict[str, Moments] = {}
        _add(moments, norms, found)
        return _frozen(norms, moments)

    def _of_all(
        self, photo: Pixels, plan: list[Tile], turns: int, advance: Callable[[float], None]
    ) -> Frozen:
        """The same by the whole photo: the norms of each turn by what those before make of it."""
        session = self._session(self._opened.counted)
        frozen: Frozen = {}
        for turn in range(1, turns + 1):
            norms = [norm for norm in self._opened.norms if norm.turn == turn]
            moments: dict[str, Moments] = {}
            for tile in plan:
                inputs = self._inputs(_part(photo, tile), tile, frozen)
                _add(moments, norms, session.run(_moments_of(norms), inputs, partly=True))
                advance(turn / (turns + 1))
            frozen |= _frozen(norms, moments)
        return frozen

    def _inputs(self, part: Floats, tile: Tile, frozen: Frozen) -> dict[str, NDArray[np.generic]]:
        """All inputs of the frozen model."""
        inputs: dict[str, NDArray[np.generic]] = {"image": part}
        for norm in self._opened.norms:
            for kind in ("factor", "summand"):
                name = f"{kind}_{norm.name}"
                # Of a norm whose turn has not come, nothing is asked.
                inputs[name] = frozen.get(name, np.zeros((1, len(norm.scale), 1, 1), np.float32))
            spans = (tile.rows, tile.columns)
            begin = [(s.core[0] - s.read[0]) // norm.ratio for s in spans]
            # A strided convolution rounds up, so that the whole picture's last row is one more.
            end = [
                _TO_THE_END if s.core[1] == s.read[1] else (s.core[1] - s.read[0]) // norm.ratio
                for s in spans
            ]
            inputs[f"from_{norm.ratio}"] = np.array(begin, np.int64)
            inputs[f"to_{norm.ratio}"] = np.array(end, np.int64)
        return inputs


def _moments_of(norms: Iterable[Norm]) -> list[str]:
    return [f"{kind}_{norm.name}" for norm in norms for kind in ("mean", "squares", "shape")]


def _add(
    moments: dict[str, Moments], norms: Iterable[Norm], found: list[NDArray[np.float32]]
) -> None:
    """Add the moments of a part, as `_moments_of` asks for them."""
    values = iter(found)
    for norm in norms:
        mean, squares, shape = (next(values).astype(np.float64).ravel() for _ in range(3))
        part = Moments(int(shape.prod()), mean, squares)
        before = moments.get(norm.name)
        moments[norm.name] = part if before is None else before.merged(part)


def _frozen(norms: Iterable[Norm], moments: dict[str, Moments]) -> Frozen:
    found: Frozen = {}
    for norm in norms:
        if norm.name in moments:
            factor, summand = moments[norm.name].affine(norm.scale, norm.shift, norm.epsilon)
            found |= {f"factor_{norm.name}": factor, f"summand_{norm.name}": summand}
    return found


def _part(photo: Pixels, tile: Tile) -> Floats:
    """What a tile reads, (1, 3, h, w) in [0, 1]."""
    return as_input(photo[slice(*tile.rows.read), slice(*tile.columns.read)])


def _core(tile: Tile) -> list[tuple[int, int]]:
    """Where a tile's core lies in what it reads."""
    return [(s.core[0] - s.read[0], s.core[1] - s.read[0]) for s in (tile.rows, tile.columns)]


def _channels_last(batch: Floats) -> Floats:
    rows: Floats = batch[0].transpose(1, 2, 0)
    return rows
