"""Loss curves as SVG."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from nst.compare.svg import loss_chart


def test_a_chart_has_the_curves_and_the_network_as_a_horizontal_line() -> None:
    text = loss_chart({"from <noise>": (100.0, math.inf, 1.0)}, {"net": 10.0})
    chart = ElementTree.fromstring(text)
    (line,) = chart.findall("polyline")
    (x0, y0), (x2, y2) = ([float(v) for v in p.split(",")] for p in line.attrib["points"].split())
    assert x0 < x2
    assert y0 < y2  # downwards
    levels = [e for e in chart.findall("line") if e.get("stroke-dasharray")]
    level = levels[0].attrib
    assert level["y1"] == level["y2"]
    assert float(level["y1"]) == pytest.approx((y0 + y2) / 2, abs=0.1)  # logarithmic
    said = [e.text for e in chart.findall("text")]
    assert {"from <noise>", "net", "iteration", "10"} <= {*said}


@pytest.mark.parametrize("curves", [{}, {"flat": (1.0, 1.0)}, {"none": (math.inf,)}, {"0": (0.0,)}])
def test_a_chart_of_next_to_nothing(curves: dict[str, tuple[float, ...]]) -> None:
    ElementTree.fromstring(loss_chart(curves, {"net": 1.0}))
