"""What the tests of the exported page do with it in a browser."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nst.styliser import Styliser

PHOTO = Path(__file__).parent.parent / "examples" / "photos" / "owl.jpg"


def opened(browser: Any, address: str, **options: Any) -> Any:
    """A page that has painted its example, with what it asked for and what went wrong."""
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(60_000)
    page.asked, page.wrong = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.goto(address)
    painted(page)
    return page


def painted(page: Any) -> None:
    page.wait_for_function(
        "document.getElementById('busy').hidden && !document.getElementById('save').disabled"
    )


def photo(size: tuple[int, int] = (301, 203)) -> Image.Image:
    with Image.open(PHOTO) as file:
        return file.convert("RGB").resize(size)


def as_file(name: str, image: Image.Image) -> dict[str, Any]:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}


def canvas(page: Any, name: str = "result") -> NDArray[np.int64]:
    """Pixels of a canvas, (H, W, 3)."""
    url = page.evaluate(f"document.getElementById('{name}').toDataURL('image/png')")
    data = base64.b64decode(url.split(",")[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def pick(page: Any, image: Image.Image, name: str = "owl.png") -> None:
    page.set_input_files("#pick", as_file(name, image))
    page.wait_for_function(f"document.getElementById('result').width == {image.width}")
    painted(page)


def expected(model: Path, image: Image.Image, **options: Any) -> NDArray[np.int64]:
    return np.asarray(Styliser(model, provider="cpu")(image, **options)).astype(int)
