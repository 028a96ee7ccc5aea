"""A mosaic: rows of small tesserae that follow the shapes they lie around, in grout."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from canvas import SCALE, Floats, colour, noise, reduced
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

mpl.use("Agg")
from matplotlib import pyplot as plt

_STONES = [
    ["#12355e", "#1d4f86", "#0d2743", "#2a6ea8", "#3c88b8"],
    ["#2f8f97", "#4fb0aa", "#1f6e78", "#86cfc2", "#2a7f8c"],
    ["#efe2c2", "#e3cfa0", "#f7efdc", "#d6bb84"],
    ["#c98f2c", "#e2b24a", "#f0cd6e", "#a8701c"],
    ["#a8432a", "#c65f36", "#7e2c1e", "#d98452"],
]
_GROUT = "#8f8672"


def _field(rng: np.random.Generator, side: int) -> Floats:
    """Distance-like field whose level lines the rows follow: rings here, waves there."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side
    rings = [(0.3, 0.3, 0.2), (0.74, 0.62, 0.26), (0.2, 0.8, 0.14), (0.8, 0.12, 0.12)]
    field = rows + 0.09 * np.sin(2 * np.pi * (1.4 * columns + 0.6 * rows))
    field += 0.02 * noise(rng, side, side / 3)
    for row, column, radius in rings:
        away = np.hypot(rows - row, columns - column)
        field = np.where(away < radius, 5 + 3 * row + away, field)
    return (field * side).astype(np.float32)


def _stones(rng: np.random.Generator, field: Floats, pitch: float) -> tuple[Floats, Floats]:
    """Centres (row, column) of the tesserae and the direction of each one's row."""
    lines = plt.contour(field, levels=np.arange(field.min(), field.max(), pitch))
    found, turns = [], []
    for path in (p for group in lines.get_paths() for p in group.to_polygons(closed_only=False)):
        step = np.linalg.norm(np.diff(path, axis=0), axis=1)
        reach = np.concatenate([[0], np.cumsum(step)])
        if reach[-1] < 2 * pitch:
            continue
        at = np.arange(rng.random() * pitch, reach[-1], pitch)
        at = at + rng.normal(0, 0.08 * pitch, len(at))
        points = np.stack([np.interp(at, reach, path[:, k]) for k in (1, 0)], 1)
        ahead = np.stack([np.interp(at + 2, reach, path[:, k]) for k in (1, 0)], 1)
        behind = np.stack([np.interp(at - 2, reach, path[:, k]) for k in (1, 0)], 1)
        way = ahead - behind
        found.append(points)
        turns.append(np.arctan2(way[:, 0], way[:, 1]) + rng.normal(0, 0.05, len(at)))
    plt.close()
    return np.concatenate(found), np.concatenate(turns)


def draw(side: int, seed: int = 5) -> Image.Image:
    """A picture of `side` pixels."""
    rng = np.random.default_rng(seed)
    large = side * SCALE
    pitch = large / 44
    field = _field(rng, large)
    centres, turns = _stones(rng, field, pitch)
    rows, columns = np.mgrid[:large, :large].astype(np.float32)
    points = np.stack([rows, columns], -1).reshape(-1, 2)
    _, near = cKDTree(centres).query(points, k=5)
    away = points[:, None] - centres[near]
    along = away[..., 1] * np.cos(turns[near]) + away[..., 0] * np.sin(turns[near])
    across = away[..., 0] * np.cos(turns[near]) - away[..., 1] * np.sin(turns[near])
    # Distance of a square: each stone has straight sides along and across its row.
    square = np.maximum(np.abs(along), np.abs(across))
    order = np.argsort(square, axis=1)[:, :2]
    best = np.take_along_axis(square, order, 1)
    which = np.take_along_axis(near, order[:, :1], 1)[:, 0].reshape(large, large)
    edge = np.minimum((best[:, 1] - best[:, 0]) / 2, 0.5 * pitch - best[:, 0]).reshape(large, large)
    tint = _tints(rng, centres, field, large)
    return reduced(_set_in_grout(rng, tint[which], edge.astype(np.float32), pitch, which), side)


def _tints(rng: np.random.Generator, centres: Floats, field: Floats, side: int) -> Floats:
    """The colour of each stone: bands along the rows, mixed a little, each a shade of its own."""
    place = tuple(centres.astype(int).clip(0, side - 1).T)
    band = field[place] / side
    theme = 1.9 * band + 0.25 * noise(rng, side, side / 3)[place]
    theme += rng.normal(0, 0.06, len(centres))
    family = np.floor(theme * 5).astype(int) % len(_STONES)
    stones = np.stack([colour(_STONES[f][rng.integers(len(_STONES[f]))]) for f in family])
    shade = rng.normal(1, 0.09, (len(centres), 1))
    return (stones * shade + rng.normal(0, 0.018, stones.shape)).astype(np.float32)


def _set_in_grout(
    rng: np.random.Generator, stones: Floats, edge: Floats, pitch: float, which: Floats
) -> Floats:
    """Stones with rounded, lit edges, each tilted a little, in rough grout."""
    side = len(edge)
    gap = 0.055 * pitch * (1 + 0.3 * noise(rng, side, 2 * pitch))
    solid = np.clip((edge - gap) / 1.5 + 0.5, 0, 1)[..., None]
    height = np.clip((edge - gap) / (0.16 * pitch), 0, 1)
    down, across = np.gradient(ndimage.gaussian_filter(height, 0.02 * pitch))
    light = -(0.8 * down + 0.6 * across) * 0.11 * pitch
    tilt = rng.normal(0, 0.06, which.max() + 1)[which]
    rough = 0.05 * noise(rng, side, 8, 3) + 0.04 * noise(rng, side, 0.7 * pitch, 2)
    stone = stones * (1 + tilt + rough)[..., None] + 0.5 * np.clip(light, -0.5, 0.6)[..., None]
    grout = colour(_GROUT) * (0.62 + 0.12 * noise(rng, side, 10, 3))[..., None]
    return (stone * solid + grout * (1 - solid)).astype(np.float32)
