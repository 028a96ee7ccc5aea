from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from nst.colour import keep_luminance
from nst.errors import NstError
from nst.images import Picture, load
from nst.styliser import Styliser

MakeModel = Callable[..., Path]


def noise(height: int = 9, width: int = 12, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture
def inverse(make_model: MakeModel) -> Styliser:
    return Styliser(make_model())


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(height=st.integers(4, 40), width=st.integers(4, 40))
def test_any_size_is_kept(inverse: Styliser, height: int, width: int) -> None:
    picture = noise(height, width)
    np.testing.assert_array_equal(inverse(picture), 255 - picture)


def test_the_same_kind_comes_back(inverse: Styliser, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path)
    expected = 255 - noise()
    assert isinstance(inverse(noise()), np.ndarray)
    with path.open("rb") as stream, Image.open(path) as image:
        for source in (path, str(path), path.read_bytes(), stream, image):
            result = inverse(source)
            assert isinstance(result, Image.Image)
            np.testing.assert_array_equal(np.asarray(result), expected)
    picture = inverse.stylise(load(path))
    assert isinstance(picture, Picture)
    np.testing.assert_array_equal(picture.rgb, expected)


def test_alpha_is_put_back(inverse: Styliser) -> None:
    rgba = noise(channels=4)
    result = inverse(rgba)
    np.testing.assert_array_equal(result[..., 3], rgba[..., 3])
    np.testing.assert_array_equal(result[..., :3], 255 - rgba[..., :3])
    image = inverse(Image.fromarray(rgba))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image), result)


def test_facts_and_provider(inverse: Styliser) -> None:
    assert inverse.facts.style == "inverse"
    assert inverse.facts.min_size == 4
    assert inverse.provider in ("cpu", "cuda", "coreml")


def test_strength_blends_with_the_photo(inverse: Styliser) -> None:
    photo = noise()
    np.testing.assert_array_equal(inverse(photo, strength=0), photo)
    np.testing.assert_array_equal(inverse(photo, strength=1), 255 - photo)
    quarter = inverse(photo, strength=0.25)
    expected = 0.75 * photo + 0.25 * (255.0 - photo)
    assert np.abs(quarter - expected).max() <= 0.51
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(NstError, match="strength is"):
            inverse(photo, strength=strength)


def test_keep_colour(inverse: Styliser) -> None:
    photo = noise()
    expected = keep_luminance(photo, 255 - photo)
    kept = inverse(photo, keep_colour=True)
    assert np.abs(kept.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(inverse(photo, keep_colour=True, strength=0), photo)


def test_max_size_gives_the_smaller_size(inverse: Styliser) -> None:
    assert inverse(noise(20, 40), max_size=10).shape == (5, 10, 3)
    assert inverse(noise(20, 40), max_size=100).shape == (20, 40, 3)
    for max_size in (0, -5):
        with pytest.raises(NstError, match="maximal size"):
            inverse(noise(), max_size=max_size)


def test_below_min_size_is_refused(inverse: Styliser) -> None:
    with pytest.raises(NstError, match="1×1 pixels, and this style needs 4"):
        inverse(noise(1, 1))
    with pytest.raises(NstError, match=r"10×2 pixels.*larger picture or maximal size"):
        inverse(noise(20, 100), max_size=10)


def test_threads(make_model: MakeModel) -> None:
    path = make_model()
    for threads in (1, 2):
        np.testing.assert_array_equal(Styliser(path, threads=threads)(noise()), 255 - noise())
    with pytest.raises(NstError, match="threads is -1"):
        Styliser(path, threads=-1)


def test_providers(make_model: MakeModel) -> None:
    path = make_model()
    assert Styliser(path, provider="cpu").provider == "cpu"
    with pytest.raises(NstError, match="unknown provider 'cud': did you mean 'cuda'"):
        Styliser(path, provider="cud")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(NstError, match=r"'cuda' is not in this onnxruntime, only .*cpu"):
            Styliser(path, provider="cuda")


def test_a_provider_that_falls_back_is_not_accepted(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with onnxruntime-gpu on a machine without a driver: listed, but sessions run on the CPU.
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    session = onnxruntime.InferenceSession
    asked: list[list[str]] = []

    def on_cpu(path: Path, options: Any, providers: list[str], **rest: Any) -> Any:
        asked.append(providers)
        return session(path, options, providers=["CPUExecutionProvider"], **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", on_cpu)
    path = make_model()
    assert Styliser(path).provider == "cpu"
    assert asked == [listed, ["CPUExecutionProvider"]]
    with pytest.raises(NstError, match="'cuda' does not work on this machine"):
        Styliser(path, provider="cuda")


def test_what_is_not_a_model(make_model: MakeModel, tmp_path: Path, capfd: Any) -> None:
    text, half, empty = tmp_path / "a.ckpt", tmp_path / "half.onnx", tmp_path / "empty.onnx"
    text.write_text("not a model")
    half.write_bytes(make_model().read_bytes()[:200])
    empty.touch()
    for path in (text, half, empty):
        with pytest.raises(NstError, match="is not a model that onnxruntime can load") as caught:
            Styliser(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    for missing in (tmp_path / "none.onnx", "none.onnx", "a/b", tmp_path):
        with pytest.raises(NstError, match="cannot read the model"):
            Styliser(missing)
    assert capfd.readouterr() == ("", "")


def test_a_foreign_model_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(NstError, match="holds no nst model facts"):
        Styliser(make_model(metadata=""))
    with pytest.raises(NstError, match="holds no nst model facts"):
        Styliser(make_model(metadata="[1, 2]"))


def test_a_newer_format_is_refused(make_model: MakeModel) -> None:
    with pytest.raises(NstError, match=r"has model format 99.*upgrade nst"):
        Styliser(make_model(format_version=99))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and its memory limits")
def test_no_room_for_the_maps(make_model: MakeModel) -> None:
    # In a process of its own, whose memory can be limited.
    code = (
        "import pathlib, resource, sys, numpy as np\n"
        "from nst.errors import NstError\n"
        "from nst.styliser import Styliser\n"
        "styliser = Styliser(sys.argv[1], threads=1)\n"
        "pages = pathlib.Path('/proc/self/statm').read_text().split()[0]\n"
        "limit = int(pages) * resource.getpagesize() + 320_000_000\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "try:\n"
        "    styliser(np.zeros((3000, 3000, 3), np.uint8))\n"
        "except NstError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(make_model())]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "3000×3000 pixels does not fit into memory" in result.stdout
    assert "--max-size" in result.stdout
    assert result.stderr == ""


def test_ctrl_c_ends_a_long_run(inverse: Styliser, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    class Session:
        def run(self, names: list[str], feed: dict[str, Any], options: Any) -> None:
            while not options.terminate:
                time.sleep(0.01)
            stopped.set()
            raise RuntimeError("terminated")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inverse._session, "_session", Session())
    monkeypatch.setattr("concurrent.futures.Future.result", interrupt)
    with pytest.raises(KeyboardInterrupt):
        inverse(noise())
    assert stopped.is_set()


def test_torch_is_not_imported(make_model: MakeModel) -> None:
    code = (
        "import sys, numpy as np\n"
        "import nst, nst.images, nst.colour, nst.cli, nst.shipped\n"
        "from nst.styliser import Styliser\n"
        "Styliser(sys.argv[1])(np.zeros((8, 8, 3), np.uint8), keep_colour=True)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(make_model())], check=True)
