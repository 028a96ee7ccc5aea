"""Cut paper in layers, each throwing a soft shadow on those below."""

from __future__ import annotations

import numpy as np
from canvas import SCALE, Floats, colour, noise, reduced, shadow
from PIL import Image, ImageDraw
from scipy import ndimage

_BACK = ["#1b2a4a", "#24506a", "#2f8f8f", "#7cc0ae", "#f3e7cf", "#f0b64a", "#e8734f"]
_LEAVES = ["#d9513f", "#f6efe0", "#1f6f70", "#eab04a", "#16284c", "#f2937a"]


def _leaf(rng: np.random.Generator, side: int, length: float) -> Floats:
    """The mask of a leaf with a cut along its rib, and notches."""
    row, column = rng.random(2) * side
    turn, bend = rng.random() * 2 * np.pi, rng.normal(0, 0.5)
    t = np.linspace(0, 1, 60)
    angle = turn + bend * (t - 0.5)
    spine = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1) * length / 60, axis=0)
    normal = np.stack([-np.sin(angle), np.cos(angle)], 1)
    width = 0.19 * length * np.sin(np.pi * t**0.8) ** 0.8
    half = normal * width[:, None]
    outline = np.concatenate([spine + half, (spine - half)[::-1]])
    image = Image.new("L", (side, side))
    pen = ImageDraw.Draw(image)
    place = np.array([column, row])
    pen.polygon([tuple(p) for p in outline + place], fill=255)
    rib = [tuple(p) for p in spine[6:50] + place]
    pen.line(rib, fill=0, width=max(1, int(length / 55)))
    for k in range(12, 48, 6):
        for way in (1, -1):
            end = spine[min(k + 7, 59)] + way * normal[k] * width[k] * 0.75
            vein = [tuple(spine[k] + place), tuple(end + place)]
            pen.line(vein, fill=0, width=max(1, int(length / 70)))
    return np.asarray(image, np.float32) / 255


def _laid(picture: Floats, mask: Floats, tint: Floats, fibre: Floats, unit: float) -> Floats:
    """A sheet laid on a picture: its shadow, its fibres, and light on the cut edge."""
    dark = 0.5 * shadow(mask, 7 * unit, 9 * unit, 7 * unit)
    dark += 0.25 * shadow(mask, 2 * unit, 3 * unit, 2 * unit)
    picture = picture * (1 - dark)[..., None]
    rim = np.clip(mask - ndimage.shift(mask, (1.6 * unit, 1.6 * unit), order=1), 0, 1)
    sheet = tint * (1 + 0.045 * fibre)[..., None] + 0.16 * rim[..., None]
    return (picture * (1 - mask[..., None]) + sheet * mask[..., None]).astype(np.float32)


def draw(side: int, seed: int = 3) -> Image.Image:
    """A picture of `side` pixels."""
    rng = np.random.default_rng(seed)
    large = side * SCALE
    unit = large / 1408
    fibre = noise(rng, large, 5 * unit, 3) + 0.7 * noise(rng, large, 60 * unit, 2)
    field = noise(rng, large, large / 3.2, 3, 0.36)
    picture = np.broadcast_to(colour(_BACK[0]), (large, large, 3)) * (1 + 0.045 * fibre)[..., None]
    steps = np.quantile(field, np.linspace(0.14, 0.93, 12))
    for k, step in enumerate(steps):
        soft = np.clip((field - step) / (np.hypot(*np.gradient(field)) + 1e-6) + 0.5, 0, 1)
        tint = colour(_BACK[(k + 1) % len(_BACK)])
        picture = _laid(picture, soft.astype(np.float32), tint, np.roll(fibre, 97 * k, 0), unit)
    for k in range(46):
        length = rng.uniform(110, 330) * unit
        tint = colour(_LEAVES[rng.integers(len(_LEAVES))])
        mask = ndimage.gaussian_filter(_leaf(rng, large, length), 0.7)
        picture = _laid(picture, mask, tint, np.roll(fibre, 61 * k, 1), unit)
    return reduced(picture, side)
