"""`nst optimise`: presets, sizes, colours, regions, starts, and what it writes."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from nst.cli import main, painting, scene  # noqa: E402
from nst.cli.scene import Controls, read_scene  # noqa: E402
from nst.colour import match_colours  # noqa: E402
from nst.errors import NstError  # noqa: E402
from nst.images import Picture, load, stretch  # noqa: E402
from nst.optimise import Step  # noqa: E402
from nst.recipes import read_recipe  # noqa: E402
from nst.tensors import to_array  # noqa: E402


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The loss, the subject, the method and the other arguments of every run."""
    calls: list[Any] = []
    real = painting.render

    def noted(loss: Any, subject: Any, method: Any, **options: Any) -> Iterator[Step]:
        calls.append((loss, subject, method, options))
        return real(loss, subject, method, **options)

    monkeypatch.setattr(painting, "render", noted)
    return calls


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_default(optimise: Callable[..., tuple[str, str]], rendered: list[Any]) -> None:
    out, err = optimise("--iterations 3")
    assert load("out.png").size == (28, 20)
    assert out.startswith("nst: out.png after 3 iterations, ")
    assert "3/3" in err
    loss, subject, method, options = rendered[0]
    expected = read_recipe("nst").settings | {"iterations": 3}
    assert asdict(loss.config) | asdict(method) | {"margin": 4} == expected
    assert subject.styles[0].image.shape[2:] == (24, 20)
    assert options["start_picture"] is None
    assert subject.content.shape[2:] == (28, 36)
    first = load("out.png").rgb
    optimise("--iterations 0 --start content")
    assert np.array_equal(load("out.png").rgb, load("photo.png").rgb)
    assert not np.array_equal(load("out.png").rgb, first)


def test_a_preset_and_options_over_it(
    optimise: Callable[..., tuple[str, str]], rendered: list[Any]
) -> None:
    optimise("--preset zandian2022 --size 20x16 --iterations 2 --noise 0.1 --style_weight 7")
    loss, subject, method, _ = rendered[0]
    config = loss.config
    assert load("out.png").size == (28, 20)  # it gives the photo's size back
    assert subject.content.shape[2:] == subject.styles[0].image.shape[2:] == (16, 20)
    assert (config.style_weight, config.content_weight, config.pixels) == (7.0, 10.0, "none")
    assert (method.optimiser, method.iterations, method.noise) == ("adam", 2, 0.1)
    assert method.start == "content+noise"
    optimise("--preset zandian2022 --no-clip --no-restore-size --size 24 --iterations 0")
    assert rendered[1][2].clip is False
    assert load("out.png").size == (24, 17)


def test_similarity_sets_the_style_layers(
    optimise: Callable[..., tuple[str, str]], rendered: list[Any]
) -> None:
    optimise("--similarity content --iterations 0")
    published = dict(zip("12345", (0.02, 0.08, 0.2, 0.3, 0.4), strict=True))
    wanted = {f"block{k}_conv1": weight for k, weight in published.items()}
    assert rendered[0][0].config.style_layers == wanted


@pytest.mark.parametrize(
    ("size", "got"),
    [
        (None, (200, 100)),
        (50, (50, 25)),
        (500, (200, 100)),
        ("40x30", (40, 30)),
        ("300×200", (300, 200)),
        ("100^2", (141, 71)),
        ("400^2", (200, 100)),
    ],
)
def test_sizes_of_the_photo(easel: Path, size: int | str | None, got: tuple[int, int]) -> None:
    Image.new("RGBA", (200, 100)).save("long.png")
    made = read_scene("long.png", ["style.png"], Controls(size=size))
    assert made.photo.size == got
    assert made.photo.alpha is not None
    assert made.photo.alpha.shape == got[::-1]


@pytest.mark.parametrize(
    ("size", "got"),
    [(None, (100, 120)), (20, (20, 24)), ("content", (200, 100)), ("area", (129, 155))],
)
def test_sizes_of_the_style(easel: Path, size: int | str | None, got: tuple[int, int]) -> None:
    Image.new("RGB", (200, 100)).save("long.png")
    (style,) = read_scene("long.png", ["style.png"], Controls(style_size=size)).subject.styles
    assert tuple(style.image.shape[:1:-1]) == got


def test_styles_have_weights(rendered: list[Any], easel: Path) -> None:
    words = ["optimise", "photo.png", "style.png", "other.png", "-o", "out.png"]
    assert main([*words, "--iterations", "1", "--style-weights", "1", "3"]) == 0
    assert [style.weight for style in rendered[0][1].styles] == [1.0, 3.0]
    assert main([*words, "--iterations", "1"]) == 0
    assert [style.weight for style in rendered[1][1].styles] == [1.0, 1.0]


def test_colours_are_matched_or_only_brightness_is_taken(easel: Path) -> None:
    photo, style = load("photo.png").rgb, load("style.png").rgb
    matched = read_scene("photo.png", ["style.png"], Controls(keep_colour="match", style_size=20))
    expected = match_colours(style, photo)
    got = matched.subject.styles[0].image[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got * 255, expected, atol=0.5)
    grey = read_scene("photo.png", ["style.png"], Controls(keep_colour="luminance"))
    for image in (grey.subject.content, grey.subject.styles[0].image):
        assert torch.equal(image[:, 0], image[:, 1])
    step = Step(1, 1, 0, 0, 0, 0, 0, 0, grey.subject.content)
    # The photo's own brightness with its own chroma is the photo.
    np.testing.assert_allclose(grey.draw(step).rgb.astype(int), photo, atol=1)


def test_masks(optimise: Callable[..., tuple[str, str]], rendered: list[Any]) -> None:
    optimise("--content-mask photo-mask.png --style-mask style-mask.png --iterations 1")
    subject = rendered[0][1]
    assert subject.masks.shape == (2, 28, 36)
    assert subject.styles[0].masks.shape == (2, 24, 20)
    assert subject.masks.sum(0).eq(1).all()


@pytest.mark.parametrize("margin", [0, 3, 40])
def test_a_margin_is_painted_and_cut_off(easel: Path, margin: int) -> None:
    masks = Controls(content_mask="photo-mask.png", style_mask=["style-mask.png"])
    made = read_scene("photo.png", ["style.png"], replace(masks, margin=margin, start="other.png"))
    photo, subject = made.photo.rgb, made.subject
    assert subject.masks is not None
    assert made.start_picture is not None
    size = (20 + 2 * margin, 28 + 2 * margin)
    assert subject.content.shape[2:] == subject.masks.shape[1:] == size
    assert made.start_picture.shape[2:] == size
    sides = ((margin, margin), (margin, margin), (0, 0))
    assert np.array_equal(to_array(subject.content), np.pad(photo, sides, "reflect"))
    assert np.array_equal(made.draw(Step(1, 1, 0, 0, 0, 0, 0, 0, subject.content)).rgb, photo)
    # The picture of a coarser level has its place too.
    small = F.avg_pool2d(subject.content, 2)
    drawn = made.draw(Step(1, 1, 0, 0, 0, 0, 0, 0, small)).rgb
    whole = stretch(Picture(to_array(small)), size[::-1]).rgb
    assert np.array_equal(drawn, whole[margin : margin + 20, margin : margin + 28])


def test_starts(
    optimise: Callable[..., tuple[str, str]],
    rendered: list[Any],
    make_model: Callable[..., Path],
    easel: Path,
) -> None:
    optimise("--start other.png --iterations 0")
    framed = rendered[0][3]["start_picture"]
    assert framed.shape == rendered[0][1].content.shape
    optimise("--start noise --seed 4 --iterations 0")
    assert (rendered[1][2].start, rendered[1][2].seed) == ("noise", 4)
    # This network inverts colours.
    model = make_model("own.onnx", style_image_sha256=scene.sha256_of("style.png"))
    optimise(f"--start network --start-model {model} --iterations 0")
    np.testing.assert_allclose(load("out.png").rgb, 255 - load("photo.png").rgb.astype(int), atol=1)


def test_the_start_of_the_network_that_learnt_this_style(
    optimise: Callable[..., tuple[str, str]],
    make_model: Callable[..., Path],
    easel: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_model("styles/own.onnx", style_image_sha256=scene.sha256_of("style.png"))
    monkeypatch.setattr(scene.shipped, "FOLDER", easel / "styles")
    optimise("--start network --iterations 0")
    np.testing.assert_allclose(load("out.png").rgb, 255 - load("photo.png").rgb.astype(int), atol=1)
    (easel / "style.png").write_bytes((easel / "other.png").read_bytes())
    _, err = optimise("--start network --iterations 0", code=2)
    assert "give --start-model FILE or --start-style NAME" in err


def test_low_memory(
    optimise: Callable[..., tuple[str, str]], rendered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        painting, "check_memory", lambda *_, low_memory, **__: asked.append(low_memory)
    )
    optimise("--iterations 0")
    optimise("--iterations 0 --low-memory")
    assert asked == [call[0].vgg.low_memory for call in rendered] == [False, True]


def test_photographic(optimise: Callable[..., tuple[str, str]]) -> None:
    out, err = optimise("--preset luan2017 --iterations 2 --style-size 20")
    assert "no masks are given: the photo takes after the style as one region" in err
    assert "after 4 iterations" in out  # of two stages
    assert "affine" in out
    masks = "--content-mask photo-mask.png --style-mask style-mask.png"
    _, err = optimise(f"--preset luan2017 --iterations 1 {masks}")
    assert "no masks" not in err


def test_a_backbone_that_cannot_be_had(
    optimise: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch, easel: Path
) -> None:
    def offline(backbone: str, pixels: str | None) -> Any:
        assert backbone == "vgg19-torchvision"
        raise NstError("it could not be downloaded: connect.")

    monkeypatch.setattr(painting, "load_weights", offline)
    painting._weights.cache_clear()
    words = "--preset zhang2020-v2 --size 20x20 --iterations 0"
    _, err = optimise(words)
    assert "'vgg19-torchvision' cannot be had here: the original VGG-19 takes its place" in err
    before = files(easel)
    _, err = optimise(f"{words} --backbone vgg19-torchvision", code=2)
    assert err == "nst: error: it could not be downloaded: connect.\n"
    assert files(easel) == before


def test_alpha_and_orientation_survive(
    optimise: Callable[..., tuple[str, str]], easel: Path
) -> None:
    image = Image.open("photo.png").convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    exif = Image.Exif()
    exif[274] = 6
    image.save("photo.png", exif=exif)
    optimise("--iterations 1 --size 25")
    made = load("out.png")
    assert made.size == (18, 25)
    assert made.alpha is not None
    assert np.ptp(made.alpha) > 100
    assert not Image.open("out.png").getexif()


def test_everything_that_can_be_watched(
    optimise: Callable[..., tuple[str, str]], easel: Path
) -> None:
    before = files(easel)
    words = "--iterations 4 --save-every 2 --animate out.gif --log losses.csv"
    optimise(words, output="out.jpg")
    made = {"out.jpg", "out-0002.jpg", "out-0004.jpg", "out.gif", "losses.csv", "losses.png"}
    assert files(easel) - before == made
    with Path("losses.csv").open(newline="") as file:
        assert [row["iteration"] for row in csv.DictReader(file)] == list("01234")
    with Image.open("out.gif") as image:
        assert image.n_frames == 5  # type: ignore[attr-defined]


def test_a_plot_without_matplotlib(
    optimise: Callable[..., tuple[str, str]], easel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(easel)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    _, err = optimise("--iterations 1 --log losses.csv", code=2)
    assert "needs matplotlib: install it with pip install 'nst[optimise]'" in err
    assert files(easel) == before
