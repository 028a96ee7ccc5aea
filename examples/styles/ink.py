"""Pen and ink on warm paper: hatching that follows the forms, crossed where it is dark."""

from __future__ import annotations

import numpy as np
from canvas import Floats, colour, noise, reduced
from PIL import Image, ImageDraw
from scipy import ndimage

_PAPER, _INK, _WASH = "#f4ead6", "#17130f", "#b98a55"
_SCALE = 3
_BALLS = [(0.28, 0.3, 0.2), (0.7, 0.68, 0.24), (0.78, 0.2, 0.13), (0.2, 0.78, 0.15)]


def _relief(rng: np.random.Generator, side: int) -> tuple[Floats, Floats]:
    """Tone from 0, paper, to 1, black, and the direction of the forms, in radians."""
    height = noise(rng, side, side / 4.5, 3, 0.42)
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side
    for row, column, radius in _BALLS:
        away = np.hypot(rows - row, columns - column) / radius
        height = np.where(away < 1, 9 * radius * np.sqrt(np.clip(1 - away**2, 0, 1)) + row, height)
    smooth = ndimage.gaussian_filter(height, side / 160)
    down, across = np.gradient(smooth)
    slope = np.hypot(down, across) * side / 6
    light = (0.75 * down + 0.65 * across) * side / 5
    tone = 0.36 + 0.42 * np.tanh(0.75 * light) + 0.12 * np.tanh(slope - 1) - 0.12 * smooth
    tone += 0.1 * noise(rng, side, side / 9, 2)
    # Every tone as often as any other: much hatching, few bare or black places.
    ranks = np.empty(side * side, np.float32)
    ranks[np.argsort(tone, axis=None)] = np.linspace(0.06, 0.9, side * side)
    return ranks.reshape(side, side), np.arctan2(-across, down).astype(np.float32)


def _strokes(
    rng: np.random.Generator, pen: ImageDraw.ImageDraw, tone: Floats, way: Floats,
    threshold: float, pitch: float, weight: float,
) -> None:  # fmt: skip
    """Strokes along a direction, from a jittered grid, where the tone is dark enough."""
    side = len(tone)
    grid = np.stack(np.mgrid[: int(side / pitch), : int(side / pitch)], -1).reshape(-1, 2)
    starts = (grid + rng.uniform(-0.5, 1.5, grid.shape)) * pitch
    rng.shuffle(starts)
    count, step = 14, pitch * 0.42
    point = starts.copy()
    turn = rng.normal(0, 0.07, len(starts))
    press = rng.uniform(0.6, 1.25, len(starts))
    alive = np.ones(len(starts), bool)
    for k in range(count):
        place = tuple(point.astype(int).clip(0, side - 1).T)
        dark = tone[place]
        alive &= dark > threshold + 0.02 * rng.standard_normal(len(starts))
        angle = way[place] + turn + rng.normal(0, 0.035, len(starts))
        ahead = point + step * np.stack([np.sin(angle), np.cos(angle)], 1)
        taper = np.sin(np.pi * (k + 0.6) / count) ** 0.6
        width = weight * press * taper * (0.65 + 0.75 * dark)
        for (r0, c0), (r1, c1), w in zip(point[alive], ahead[alive], width[alive], strict=True):
            pen.line([(c0, r0), (c1, r1)], fill=0, width=max(1, round(w)))
            pen.ellipse([c1 - w / 2, r1 - w / 2, c1 + w / 2, r1 + w / 2], fill=0)
        point = ahead


def draw(side: int, seed: int = 7) -> Image.Image:
    """A picture of `side` pixels."""
    rng = np.random.default_rng(seed)
    large = side * _SCALE
    unit = large / 2112
    tone, way = _relief(rng, large)
    sheet = Image.new("L", (large, large), 255)
    pen = ImageDraw.Draw(sheet)
    level = np.zeros_like(way)
    _strokes(rng, pen, tone, way, 0.13, 28 * unit, 4.9 * unit)
    _strokes(rng, pen, tone, way + 0.95, 0.5, 29 * unit, 4.0 * unit)
    _strokes(rng, pen, tone, level - 0.75, 0.7, 27 * unit, 4.0 * unit)
    _strokes(rng, pen, tone, level + 0.8, 0.82, 25 * unit, 4.2 * unit)
    ink = 1 - np.asarray(sheet, np.float32) / 255
    fibre = 0.02 * noise(rng, large, 7 * unit, 3) + 0.025 * noise(rng, large, 240 * unit, 3)
    picture = colour(_PAPER) * (1 + fibre)[..., None]
    wash = np.clip(1.3 * noise(rng, large, large / 3, 3, 0.4) - 0.2, 0, 1)
    wash = 0.7 * wash * np.clip(0.35 + tone, 0, 1)
    wash = ndimage.gaussian_filter(wash, 3 * unit)[..., None]
    picture = picture * (1 - wash) + picture * colour(_WASH) * wash
    dry = np.clip(0.96 + 0.06 * noise(rng, large, 4 * unit, 2), 0, 1)
    solid = (ink * dry)[..., None]
    return reduced(picture * (1 - solid) + colour(_INK) * solid, side)
