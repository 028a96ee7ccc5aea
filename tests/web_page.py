"""The exported page in a browser, and what its tests do with it."""

from __future__ import annotations

import base64
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export.__main__ import main
from nst import shipped
from nst.cli.web import server
from nst.styliser import Styliser

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MISSING = [
    name for name, path in (("Chromium", CHROMIUM), ("npm", shutil.which("npm"))) if not path
]
if MISSING and os.environ.get("NST_BROWSER") == "required":
    raise RuntimeError(f"the browser tests are required, and {' and '.join(MISSING)} is missing")
BROWSER_HERE = pytest.mark.skipif(
    bool(MISSING), reason=f"the page is not tested: no {' and no '.join(MISSING)} here"
)
# In fp32, which the page opens with, and with weights in 8 and 16 bits.
OURS = {(s.network, s.precision): s.path for s in reversed(shipped.styles())}
MODELS = [OURS["live", "fp32"], OURS["standard", "int8-weights"]]
PHOTO = Path(__file__).parent.parent / "examples" / "photos" / "owl.jpg"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("web") / "site"
    assert main(["web", *map(str, MODELS), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with server(site, 0) as found:
        Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://localhost:{found.server_address[1]}/"
        found.shutdown()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    found = opened(browser, address, service_workers="block")
    yield found
    assert found.wrong == []
    assert all(url.startswith((address, "blob:", "data:")) for url in found.asked)
    found.context.close()


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
