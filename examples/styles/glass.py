"""Stained glass: panes of streaky glass in lead, with rosettes."""

from __future__ import annotations

import numpy as np
from canvas import SCALE, Floats, colour, noise, reduced, streaks
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

_GLASS = [
    ["#0b2d8c", "#1450c8", "#2f86e6", "#0a1f5c", "#5fb4f0", "#123a9e"],
    ["#b3101c", "#d93a1e", "#7d0b16", "#e8641c", "#c41230"],
    ["#f2b21a", "#f7d24a", "#e88a12", "#fbe79a", "#d9780f"],
    ["#0d6b3c", "#159a58", "#0a4a2c", "#58c07a", "#2a8f8a"],
    ["#5a1a86", "#8a3ab4", "#3a0f5c", "#c06ad0"],
]
_LEAD = 4.5


def _sites(rng: np.random.Generator, side: int) -> Floats:
    """Points that the panes grow from, denser in some places."""
    density = noise(rng, side, side / 3)
    candidates = rng.random((4 * (side // 22) ** 2, 2)) * side
    room = 24 * np.exp(0.34 * density[tuple(candidates.T.astype(int))])
    kept: list[int] = []
    tree = cKDTree(candidates)
    taken = np.zeros(len(candidates), bool)
    for k in range(len(candidates)):
        if not taken[k]:
            kept.append(k)
            taken[tree.query_ball_point(candidates[k], 2 * room[k])] = True
    return candidates[kept].astype(np.float32)


def _panes(rng: np.random.Generator, side: int) -> tuple[Floats, Floats, Floats]:
    """Number of each pixel's pane, distance to its edge in pixels, and each pane's centre."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    bend = [14 * noise(rng, side, side / 7) for _ in range(2)]
    sites = _sites(rng, side)
    points = np.stack([rows + bend[0], columns + bend[1]], axis=-1).reshape(-1, 2)
    near, which = cKDTree(sites).query(points, k=2)
    apart = np.linalg.norm(sites[which[:, 0]] - sites[which[:, 1]], axis=1)
    edge = (near[:, 1] ** 2 - near[:, 0] ** 2) / (2 * apart)
    pane, edge = which[:, 0].reshape(side, side), edge.reshape(side, side)
    for k, (row, column, radius) in enumerate([(0.3, 0.34, 0.2), (0.72, 0.7, 0.16)]):
        away = np.hypot(rows - row * side, columns - column * side) / (radius * side)
        turn = np.arctan2(rows - row * side, columns - column * side) / (2 * np.pi) % 1
        ring = np.minimum((away * 4).astype(int), 3)
        count = np.array([1, 6, 12, 18])[ring]
        part = (turn * count).astype(int)
        inside = away < 1
        pane = np.where(inside, 10_000 * (k + 1) + 100 * ring + part, pane)
        across = np.minimum(away * 4 % 1, 1 - away * 4 % 1) * radius * side / 4
        along = np.abs((turn * count + 0.5) % 1 - 0.5) / count * 2 * np.pi * away * radius * side
        own = np.minimum(across, np.where(count > 1, along, np.inf))
        edge = np.where(inside, own, np.minimum(edge, (away - 1) * radius * side))
    return pane, edge.astype(np.float32), sites


def draw(side: int, seed: int = 1) -> Image.Image:
    """A picture of `side` pixels."""
    rng = np.random.default_rng(seed)
    large = side * SCALE
    unit = large / 1408
    pane, edge, _ = _panes(rng, large)
    names, index = np.unique(pane, return_inverse=True)
    index = index.reshape(pane.shape)
    theme = noise(rng, large, large / 2.2)
    means = ndimage.mean(theme, index, np.arange(len(names)))
    family = np.digitize(means, np.quantile(means, [0.42, 0.62, 0.8, 0.93]))
    tints = np.stack([colour(_GLASS[f][rng.integers(len(_GLASS[f]))]) for f in family])
    glass = tints[index]
    # Streaks run another way in every third pane.
    fields = [streaks(rng, large, 60 * unit, 5 * unit) for _ in range(3)]
    fields[1], fields[2] = fields[1].T, ndimage.rotate(fields[2], 45, reshape=False, mode="wrap")
    ways = rng.integers(0, 3, len(names))[index]
    grain = np.choose(ways, fields)
    glow = 0.78 + 0.42 * np.clip(edge / (46 * unit), 0, 1) + 0.16 * grain
    glow += 0.1 * noise(rng, large, 90 * unit, 3) + 0.12 * rng.standard_normal(len(names))[index]
    picture = glass * glow[..., None]
    picture += 0.16 * np.clip(grain - 0.9, 0, 2)[..., None]
    return reduced(_leaded(picture, edge, rng, unit), side)


def _leaded(picture: Floats, edge: Floats, rng: np.random.Generator, unit: float) -> Floats:
    """The panes with lead between them, lit from the upper left."""
    large = len(picture)
    half = _LEAD * unit * (1.15 + 0.3 * noise(rng, large, 120 * unit))
    half = np.clip(half, 2.5 * unit, 9 * unit)
    height = np.sqrt(np.clip(1 - (edge / half) ** 2, 0, 1))
    down, across = np.gradient(ndimage.gaussian_filter(height, 1.2 * unit))
    light = np.clip(-(down + across) * 5 * unit, -0.3, 1)
    rough = 1 + 0.25 * noise(rng, large, 9 * unit, 2)[..., None]
    lead = np.array([0.055, 0.05, 0.06], np.float32) * rough
    lead = lead + 0.3 * np.clip(light, 0, 1)[..., None] * np.array([0.8, 0.85, 1.0], np.float32)
    solid = np.clip((half - edge) / (1.5 * unit) + 0.5, 0, 1)[..., None]
    dark = 1 - 0.4 * np.exp(-np.clip(edge - half, 0, None) / (6 * unit))[..., None]
    return (picture * dark * (1 - solid) + lead * solid).astype(np.float32)
