"""The exported page in a real browser: headless Chromium, with its fake camera.

Skipped where there is no Chromium or npm, but not with NST_BROWSER=required, as in CI.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image
from web_page import BROWSER_HERE, MODELS, as_file, canvas, expected, opened, painted, photo, pick

from nst.cli.web import Handler, server
from nst.grain import grained

pytestmark = BROWSER_HERE


def test_the_picture_is_that_of_python(page: Any) -> None:
    image = photo()
    page.uncheck("#grain")  # its random numbers are not Python's
    pick(page, image)
    names = page.evaluate("[...document.querySelectorAll('.style img')].map(i => i.src)")
    models = {path.stem: path for path in MODELS}
    order = [models[Path(name).stem] for name in names]
    assert np.abs(canvas(page, "original") - np.asarray(image)).max() == 0
    assert np.abs(canvas(page) - expected(order[0], image)).max() <= 2
    assert "thread" in page.inner_text("#backend")
    # Another style, its strength, and the photo's colours.
    page.locator(".style").nth(1).click()
    page.wait_for_timeout(300)
    painted(page)
    assert np.abs(canvas(page) - expected(order[1], image)).max() <= 2
    page.fill("#strength", "60")
    painted(page)
    assert page.inner_text("#strength-value") == "60 %"
    page.check("#keep")
    painted(page)
    mixed = expected(order[1], image, strength=0.6, keep_colour=True)
    page.wait_for_timeout(300)
    assert np.abs(canvas(page) - mixed).max() <= 2


def test_grain_is_that_of_python_but_for_the_numbers(page: Any) -> None:
    rng = np.random.default_rng(0)
    image = np.full((90, 120, 3), 128, np.uint8)
    image[:, 60:] = rng.integers(118, 139, (90, 60, 3))
    rgba = np.dstack([image, np.full((90, 120), 255, np.uint8)])
    got = page.evaluate(
        """async (rgba) => {
          const { grained } = await import('./grain.js');
          const bytes = new Uint8ClampedArray(rgba);
          return [...grained(bytes, 120, 90, 0.05)];
        }""",
        rgba.ravel().tolist(),
    )
    change = np.array(got).reshape(90, 120, 4) - rgba.astype(int)
    theirs = grained(image, 0.05) - image.astype(int)
    assert (change[..., 3] == 0).all()
    assert np.ptp(change[:, :50, :3], axis=2).max() == 0  # of all channels alike
    for part in (np.s_[:, :50, 0], np.s_[:, 70:, 0]):
        assert change[part].std() == pytest.approx(theirs[part].std(), rel=0.2)
        assert abs(change[part].mean()) < 2
    # As smooth: neighbours are alike.
    for grain in (change, theirs):
        assert np.abs(np.diff(grain[:, :50, 0], axis=1)).mean() < 0.5 * grain[:, :50, 0].std()


def test_grain_can_be_left_out(page: Any) -> None:
    flat = Image.new("RGB", (120, 90), (90, 130, 190))
    pick(page, flat)
    with_grain = canvas(page)
    page.uncheck("#grain")
    page.wait_for_timeout(300)
    painted(page)
    first = page.evaluate("document.querySelector('.style img').src")
    model = next(path for path in MODELS if path.stem == Path(first).stem)
    assert np.abs(canvas(page) - expected(model, flat)).max() <= 2
    assert np.abs(canvas(page) - with_grain).max() > 20


def test_the_size_is_a_limit(page: Any) -> None:
    page.set_input_files("#pick", as_file("big.png", photo((800, 500))))
    page.wait_for_function("document.getElementById('pixels').textContent == '640 × 400'")
    page.select_option("#size", "384")
    page.wait_for_function("document.getElementById('pixels').textContent == '384 × 240'")


def test_the_slider_uncovers_the_photo(page: Any) -> None:
    page.fill("#split", "30")
    assert (
        page.evaluate("document.getElementById('original').style.clipPath")
        == "inset(0px 70% 0px 0px)"
    )


def test_save_gives_what_is_shown(page: Any, tmp_path: Path) -> None:
    pick(page, photo())
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename.startswith("owl-")
    download.value.save_as(tmp_path / "saved.png")
    saved = np.asarray(Image.open(tmp_path / "saved.png").convert("RGB")).astype(int)
    assert np.abs(saved - canvas(page)).max() == 0


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_can_be_dropped_and_pasted(page: Any, way: str) -> None:
    data = base64.b64encode(as_file("x", photo((120, 90)))["buffer"]).decode()
    page.evaluate(
        """([way, data]) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], 'x.png', { type: 'image/png' }));
          window.dispatchEvent(way === 'drop'
            ? new DragEvent('drop', { dataTransfer: transfer })
            : new ClipboardEvent('paste', { clipboardData: transfer }));
        }""",
        [way, data],
    )
    page.wait_for_function("document.getElementById('pixels').textContent == '120 × 90'")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"name": "cat.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"}, "cannot be read"),
        ({"name": "a.txt", "mimeType": "text/plain", "buffer": b"words"}, "is no picture"),
        (as_file("dot.png", Image.new("RGB", (1, 1))), "needs 5 on each side"),
        (as_file("huge.png", Image.new("L", (9000, 7000))), "has 63 megapixels"),
    ],
)
def test_what_cannot_be_painted_is_said(page: Any, file: dict[str, Any], words: str) -> None:
    before = canvas(page)
    page.set_input_files("#pick", file)
    page.wait_for_function(f"document.getElementById('message').textContent.includes('{words}')")
    assert page.evaluate("document.getElementById('message').classList.contains('bad')")
    assert np.array_equal(canvas(page), before)
    # And the page goes on.
    pick(page, photo((64, 48)))
    assert page.inner_text("#message") == ""


def test_the_live_camera_runs_and_ends(page: Any) -> None:
    page.click("#camera")
    page.wait_for_function("Number(document.getElementById('rate').textContent) > 0")
    assert page.get_attribute("#camera", "aria-pressed") == "true"
    first = canvas(page)
    page.wait_for_timeout(1500)
    assert not np.array_equal(canvas(page), first)
    page.click("#camera")
    assert page.get_attribute("#camera", "aria-pressed") == "false"
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_the_cameras_size_follows_the_time(page: Any) -> None:
    sides = page.evaluate(
        """async () => {
          const { nextSide } = await import('./camera.js');
          return [nextSide(256, [100, 90, 95]), nextSide(256, [20, 21, 400]),
                  nextSide(256, [50, 52, 51]), nextSide(128, [500]), nextSide(640, [1])];
        }"""
    )
    assert sides == [224, 320, 256, 128, 640]


def test_one_thread_does_without_the_headers(
    browser: Any, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "isolated", False)
    with server(site, 0) as found:
        Thread(target=found.serve_forever, daemon=True).start()
        address = f"http://localhost:{found.server_address[1]}/"
        page = opened(browser, address, service_workers="block")
        assert page.inner_text("#backend") == "wasm, 1 thread"
        image = photo()
        page.uncheck("#grain")
        pick(page, image)
        first = page.evaluate("document.querySelector('.style img').src")
        model = next(path for path in MODELS if path.stem == Path(first).stem)
        assert np.abs(canvas(page) - expected(model, image)).max() <= 2
        page.context.close()
        found.shutdown()


def test_it_works_offline_once_loaded(browser: Any, address: str) -> None:
    page = opened(browser, address)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.reload()
    painted(page)
    pick(page, photo((80, 60)))
    assert page.wrong == []
    page.context.close()


def test_all_controls_can_be_reached_and_named(page: Any) -> None:
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, input, select')].filter((e) => !(
             e.labels?.length || e.textContent.trim() || e.ariaLabel)).map((e) => e.id)"""
    )
    assert nameless == []
    seen = set()
    for _ in range(15):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert {
        "pick",
        "photograph",
        "camera",
        "save",
        "style",
        "strength",
        "size",
        "strokes",
        "keep",
        "grain",
    } <= seen


def test_the_snippet_for_apps(page: Any, site: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "apps.md").read_text()
    found = re.search(r"## The browser.*?```js\n(.*?)```", text, re.DOTALL)
    assert found
    (site / "apps.js").write_text(found[1])
    image = photo((90, 70))
    data = base64.b64encode(as_file("x", image)["buffer"]).decode()
    pixels = page.evaluate(
        """async ([file, data]) => {
          const { paint } = await import('./apps.js');
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const bitmap = await createImageBitmap(new Blob([bytes]), { premultiplyAlpha: 'none' });
          const model = new Uint8Array(await (await fetch(file)).arrayBuffer());
          return [...(await paint(model, bitmap)).data];
        }""",
        [f"models/{MODELS[0].name}", data],
    )
    got = np.array(pixels).reshape(70, 90, 4)[..., :3]
    assert np.abs(got - expected(MODELS[0], image)).max() <= 2
