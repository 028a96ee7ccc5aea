"""Fixtures that several test files share."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from web_page import address, browser, page, site  # noqa: F401

from nst.sidecar import METADATA_KEY, ModelFacts, sidecar_path

# A shell has its background jobs ignore Ctrl-C, and the processes that tests start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a model that inverts colours, through a reflecting pad as real ones have.

    `metadata` replaces the facts in the file; `facts` are fields of `ModelFacts` to set.
    """
    onnx = pytest.importorskip("onnx")

    def make(name: str = "model.onnx", metadata: str | None = None, **facts: Any) -> Path:
        known = ModelFacts(style="inverse", network="standard", network_args={}, min_size=4)
        text = replace(known, **facts).to_json()
        tensor, helper = onnx.TensorProto, onnx.helper
        shape = ["batch", 3, "height", "width"]
        weight = np.zeros((3, 3, 3, 3), np.float32)
        weight[[0, 1, 2], [0, 1, 2], 1, 1] = -1
        graph = helper.make_graph(
            [
                helper.make_node("Pad", ["image", "pads"], ["padded"], mode="reflect"),
                helper.make_node("Conv", ["padded", "weight", "bias"], ["stylised"]),
            ],
            "inverse",
            [helper.make_tensor_value_info("image", tensor.FLOAT, shape)],
            [helper.make_tensor_value_info("stylised", tensor.FLOAT, shape)],
            [
                helper.make_tensor("pads", tensor.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1]),
                onnx.numpy_helper.from_array(weight, "weight"),
                onnx.numpy_helper.from_array(np.ones(3, np.float32), "bias"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        helper.set_model_props(model, {METADATA_KEY: text if metadata is None else metadata})
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        sidecar_path(path).write_text(text, encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="session")
def small_weights() -> Any:
    """Random weights of VGG-19's first two blocks, which is as deep as most tests look."""
    torch = pytest.importorskip("torch")
    from nst.vgg import Weights

    generator = torch.Generator().manual_seed(0)
    convolutions = [
        (
            torch.randn(o, i, 3, 3, generator=generator) / (3 * i**0.5),
            torch.randn(o, generator=generator) / 10,
        )
        for i, o in [(3, 64), (64, 64), (64, 128), (128, 128)]
    ]
    return Weights("random", "vgg19", convolutions, "torchvision", "0" * 64)


@pytest.fixture
def small_loss(small_weights: Any) -> Any:
    """A perceptual loss on two layers of the random VGG, with a style of 24 × 24 pixels."""
    import torch

    from nst.losses import LossConfig, PerceptualLoss

    config = LossConfig(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0})
    loss = PerceptualLoss(config, weights=small_weights)
    loss.set_style(torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1)))
    return loss


@pytest.fixture
def small_photo() -> Any:
    """A smooth picture, (1, 3, 24, 28)."""
    torch = pytest.importorskip("torch")
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.interpolate(coarse, (24, 28), mode="bilinear")


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """Write a small video of flat colours, one a frame, with or without sound.

    `starts` are the frames' times in units of `time_base`; `colours` their RGB. `context` and
    `stream` hold attributes of PyAV's objects, and `options` those of the encoder.
    """
    av = pytest.importorskip("av")

    def make(
        name: str = "clip.mp4",
        *,
        size: tuple[int, int] = (32, 24),
        starts: Sequence[int] = tuple(range(0, 400, 40)),
        colours: Sequence[tuple[int, int, int]] = ((200, 80, 40),),
        time_base: Fraction = Fraction(1, 1000),
        codec: str = "libx264",
        options: Mapping[str, str] = MappingProxyType({"crf": "1"}),
        sound: str = "",
        rotation: int = 0,
        scale: str = "out_color_matrix=bt709:out_range=limited",
        pix_fmt: str = "yuv420p",
        context: Mapping[str, Any] = MappingProxyType({}),
    ) -> Path:
        from nst.video.av_reading import scaler

        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options=dict(options))
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            stream.codec_context.time_base = time_base
            for key, value in context.items():
                setattr(stream.codec_context, key, value)
            if rotation:
                stream.set_display_rotation(rotation)
            heard = container.add_stream(sound, rate=48000) if sound else None
            convert = None
            for number, start in enumerate(starts):
                # A darker left upper quarter tells which way is up.
                pixels = np.full((size[1], size[0], 3), colours[number % len(colours)], np.uint8)
                pixels[: size[1] // 2, : size[0] // 2] //= 2
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                convert = convert or scaler(frame, scale, pix_fmt)
                frame = convert(frame)
                frame.pts, frame.time_base = start, time_base
                container.mux(stream.encode(frame))
            if heard:
                samples = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 24000))
                audio = av.AudioFrame.from_ndarray(
                    samples.astype(np.float32), format="fltp", layout="stereo"
                )
                audio.sample_rate, audio.pts = 48000, 0
                container.mux(heard.encode(audio))
                container.mux(heard.encode(None))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture
def easel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a photo of 28 × 20 pixels, two styles and a mask for each."""
    rng = np.random.default_rng(0)
    for name, size in {"photo": (28, 20), "style": (20, 24), "other": (24, 30)}.items():
        coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(tmp_path / f"{name}.png")
        mask = Image.new("RGB", size, "red")
        mask.paste("blue", (0, 0, size[0] // 2, size[1]))
        mask.save(tmp_path / f"{name}-mask.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def optimise(easel: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    """Run the command on the photo and the style; what it prints, and says on stderr."""
    pytest.importorskip("torch")
    from nst.cli import main

    def run(words: str, code: int = 0, output: str = "out.png") -> tuple[str, str]:
        assert main(["optimise", "photo.png", "style.png", "-o", output, *words.split()]) == code
        return capsys.readouterr()

    return run


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have Ctrl-C come before a step of the optimiser, counted over all pictures."""
    pytest.importorskip("torch")
    from nst.cli import painting

    def at(number: int) -> None:
        real, count = painting.render, iter(range(10**6))

        def interrupted(*arguments: Any, **options: Any) -> Iterator[Any]:
            for step in real(*arguments, **options):
                if next(count) == number:
                    raise KeyboardInterrupt
                yield step

        monkeypatch.setattr(painting, "render", interrupted)

    return at
