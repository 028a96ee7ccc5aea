"""Larger strokes on the exported page, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from web_page import BROWSER_HERE, MODELS, as_file, canvas, expected, painted, photo, pick

from nst.strokes import enlarge

pytestmark = BROWSER_HERE


def test_larger_strokes_are_those_of_python(page: Any) -> None:
    rng = np.random.default_rng(0)
    sharp, small, paint = (
        rng.integers(80, 176, size, dtype=np.uint8)
        for size in ((50, 71, 3), (17, 24, 3), (17, 24, 3))
    )
    got = page.evaluate(
        """async ([sharp, small, paint]) => {
          const { enlarged } = await import('./strokes.js');
          const rgba = (rgb) => Uint8ClampedArray.from(
            { length: rgb.length / 3 * 4 }, (_, k) => k % 4 < 3 ? rgb[(k >> 2) * 3 + k % 4] : 255);
          return [...enlarged(Float32Array.from(paint, (value) => value / 255),
            { rgba: rgba(small), width: 24, height: 17 },
            { rgba: rgba(sharp), width: 71, height: 50 })];
        }""",
        [sharp.ravel().tolist(), small.ravel().tolist(), paint.transpose(2, 0, 1).ravel().tolist()],
    )
    planes = np.array(got).reshape(3, 50, 71).transpose(1, 2, 0)
    finished = enlarge(paint, small, sharp, lambda photo, result: _bytes(result))
    difference = np.abs(_bytes(planes).astype(int) - finished)
    assert difference.max() <= 2  # Pillow rounds between rows and columns


def _bytes(values: np.ndarray[Any, np.dtype[np.floating[Any]]]) -> np.ndarray[Any, Any]:
    return (values.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def test_larger_strokes_can_be_chosen(page: Any) -> None:
    image = photo((480, 320))
    page.uncheck("#grain")
    pick(page, image)
    fine = canvas(page)
    page.select_option("#strokes", "4")
    page.wait_for_timeout(300)
    painted(page)
    got = canvas(page)
    first = page.evaluate("document.querySelector('.style img').src")
    model = next(path for path in MODELS if path.stem == Path(first).stem)
    # Browsers shrink pictures in ways of their own.
    wanted = expected(model, image, stroke_scale=4)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).mean() < 0.5 * np.abs(fine - wanted).mean()
    page.set_input_files("#pick", as_file("thin.png", Image.new("RGB", (120, 16))))
    page.wait_for_function(
        "document.getElementById('message').textContent.includes('or finer strokes')"
    )
