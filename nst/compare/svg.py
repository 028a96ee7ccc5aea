"""Loss curves as SVG: a few lines of text in place of a library of drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TypeAlias

_Scale: TypeAlias = Callable[[float], float]
_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40
COLOURS = ("#0b62a4", "#c2410c", "#157f3b", "#7c3aed", "#b91c5c", "#525252")
"""Of the curves first, then of the levels; legible on white and in print."""


def loss_chart(curves: Mapping[str, Sequence[float]], levels: Mapping[str, float]) -> str:
    """Loss against iterations, on a logarithmic scale.

    Args:
        curves: The optimiser's losses by what to call them, at the start and each iteration.
        levels: Losses of networks by name, drawn as horizontal lines.

    Returns:
        An `<svg>` element that scales with the page, its legend included.
    """
    # An exploded iteration has no place on the chart, nor may it squeeze the rest.
    tops = [curve[0] for curve in curves.values()]
    values = [v for curve in curves.values() for v in curve if 0 < v < math.inf]
    shown = [*values, *(level for level in levels.values() if level > 0)] or [1.0]
    low = min(shown)
    high = max([v for v in [*tops, *levels.values()] if v < math.inf] + [2 * low])
    last = max([len(curve) - 1 for curve in curves.values()] + [1])

    def x(iteration: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * iteration / last

    def y(loss: float) -> float:
        part = math.log(min(max(loss, low), high) / low) / math.log(high / low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * part

    body = _grid(low, high, last, x, y)
    for k, (name, curve) in enumerate(curves.items()):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(curve) if v < math.inf)
        body.append(f'<polyline points="{points}" stroke="{COLOURS[k % 6]}"/>')
        body += _label(k, name, COLOURS[k % 6], dashed=False)
    for k, (name, level) in enumerate(levels.items(), start=len(curves)):
        line = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(level):.1f}" y2="{y(level):.1f}"'
        body.append(f'<line {line} stroke="{COLOURS[k % 6]}" stroke-dasharray="7 4"/>')
        body += _label(k, name, COLOURS[k % 6], dashed=True)
    said = escape(", ".join([*curves, *levels]), quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Loss: {said}" '
        f'fill="none" stroke-width="2" font-size="12">{"".join(body)}</svg>'
    )


def _grid(low: float, high: float, last: int, x: _Scale, y: _Scale) -> list[str]:
    """Lines and numbers of both axes."""
    body = []
    for tick in _ticks(low, high):
        line = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"'
        body.append(f'<line {line} stroke="#ddd" stroke-width="1"/>')
        body.append(_text(_LEFT - 6, y(tick) + 4, f"{tick:.3g}", "end"))
    step = max(1, round(last / 5))
    for iteration in range(0, last + 1, step):
        body.append(_text(x(iteration), _HEIGHT - _BOTTOM + 16, str(iteration), "middle"))
    body.append(_text((_LEFT + _WIDTH) / 2, _HEIGHT - 6, "iteration", "middle"))
    return body


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between; the ends where there would be fewer than two."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]
    return found if len(found) > 1 else [low, high]


def _label(place: int, name: str, colour: str, *, dashed: bool) -> list[str]:
    """A line of the legend, at the right above."""
    top = _TOP + 12 + 17 * place
    dash = ' stroke-dasharray="7 4"' if dashed else ""
    line = f'x1="{_WIDTH - 40}" x2="{_WIDTH - 14}" y1="{top - 4}" y2="{top - 4}"'
    return [
        f'<line {line} stroke="{colour}"{dash}/>',
        _text(_WIDTH - 46, top, name, "end"),
    ]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{escape(text)}</text>'
