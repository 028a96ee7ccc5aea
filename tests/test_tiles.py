from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nst.cli import main
from nst.errors import NstError
from nst.images import load
from nst.memory import parse_bytes
from nst.styliser import Styliser
from nst.tiles import STATISTICS
from nst.tiles.moments import Moments
from nst.tiles.plan import spans, tiles

pytest.importorskip("onnx")


@given(
    length=st.integers(1, 3000),
    multiple=st.sampled_from([1, 4, 8]),
    halos=st.integers(0, 12),
    more=st.integers(1, 40),
)
def test_spans_cover_a_side_once_and_read_enough(
    length: int, multiple: int, halos: int, more: int
) -> None:
    halo = halos * multiple
    side = 2 * halo + more * multiple
    found = spans(length, side, halo, multiple)
    covered = [k for span in found for k in range(*span.core)]
    assert covered == list(range(length))
    for span in found:
        assert span.read[0] % multiple == span.core[0] % multiple == 0
        assert span.read[1] - span.read[0] < side + multiple
        assert span.core[0] - span.read[0] >= halo or span.read[0] == 0
        assert span.read[1] - span.core[1] >= halo or span.read[1] == length
    # Equal sizes: onnxruntime plans its memory anew for each other one.
    assert len({span.read[1] - span.read[0] for span in found[:-1]}) <= 1


def test_tiles_cover_a_picture_once() -> None:
    seen = np.zeros((203, 301), int)
    for tile in tiles(301, 203, side=96, halo=16, multiple=4):
        seen[slice(*tile.rows.core), slice(*tile.columns.core)] += 1
    assert (seen == 1).all()


@given(seed=st.integers(0, 99), parts=st.integers(1, 6))
def test_moments_of_parts_are_those_of_the_whole(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    # Far from zero: a sum of squares would lose all digits of the variance in float32.
    pieces = [1000 + rng.normal(size=(rng.integers(1, 50), 3)) for _ in range(parts)]
    found = [Moments(len(p), p.mean(0), ((p - p.mean(0)) ** 2).sum(0)) for p in pieces]
    whole = found[0]
    for part in found[1:]:
        whole = whole.merged(part)
    everything = np.concatenate(pieces)
    np.testing.assert_allclose(whole.mean, everything.mean(0))
    np.testing.assert_allclose(whole.squares / whole.count, everything.var(0), atol=1e-9)


def test_a_factor_and_a_summand_do_what_instance_norm_does() -> None:
    x = 3 + np.random.default_rng(0).normal(size=(50, 3)) * [1, 0.1, 0]
    found = Moments(len(x), x.mean(0), ((x - x.mean(0)) ** 2).sum(0))
    factor, summand = found.affine(np.array([1.0, 2, 3]), np.array([0.0, 1, 0]), epsilon=1e-3)
    assert factor.shape == summand.shape == (1, 3, 1, 1)
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) * [1, 2, 3] + [0, 1, 0]
    np.testing.assert_allclose(x * factor.ravel() + summand.ravel(), expected, atol=1e-4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network as it is trained and exported, with random weights and norms."""
    torch = pytest.importorskip("torch")
    from export.graph import build_model, model_bytes, write_model
    from nst.network import TransformNet
    from nst.sidecar import ModelFacts

    torch.manual_seed(0)
    net = TransformNet(width=4, blocks=2)
    for parameter in net.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, std=0.5)
    # Its own pictures would hardly differ from the photo's skip.
    net.body[-1].weight.data *= 20
    facts = ModelFacts("random", "standard", {"width": 4, "blocks": 2}, net.min_size)
    path = tmp_path_factory.mktemp("tiles") / "random.onnx"
    write_model(model_bytes(build_model(net.eval(), facts)), facts, path)
    return path


def smooth(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture whose parts have very different colours and contrasts."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    fine = rng.integers(0, 256, (height, width, 3), np.uint8)
    large = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    share = np.linspace(0, 0.6, width)[None, :, None]
    return ((1 - share) * large + share * fine).astype(np.uint8)


def in_tiles(
    model: Path, picture: NDArray[np.uint8], side: int, statistics: str, **options: Any
) -> NDArray[np.uint8]:
    from nst.tiles.run import Tiler

    tiler = Tiler(model, pixels=side**2, provider="cpu", threads=1)
    shares: list[float] = []
    result = tiler.stylise(
        picture,
        lambda photo, output: (output.clip(0, 1) * 255 + 0.5).astype(np.uint8),
        statistics=statistics,
        watch=shares.append,
        **options,
    )
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    return result


@pytest.mark.parametrize("side", [120, 152, 260])
def test_exact_tiles_give_what_the_whole_picture_gives(model: Path, side: int) -> None:
    picture = smooth(283, 397)
    whole = Styliser(model, provider="cpu")(picture)
    assert whole.std() > 20
    found = in_tiles(model, picture, side, "exact")
    assert np.abs(found.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("precision", ["fp16-weights", "int8-weights", "fp16", "int8"])
def test_exact_tiles_of_a_model_in_fewer_bits(model: Path, tmp_path: Path, precision: str) -> None:
    import onnx

    from export.precision import PRECISIONS

    picture, path = smooth(160, 240), tmp_path / f"{precision}.onnx"
    onnx.save(PRECISIONS[precision](onnx.load(model), [picture]), path)
    whole = Styliser(path, provider="cpu")(picture).astype(int)
    # Where the sums are rounded, tiles round others.
    away = np.abs(in_tiles(path, picture, 120, "exact") - whole)
    assert away.max() <= 1 if "weights" in precision else away.mean() < 2


@settings(max_examples=6, deadline=None)
@given(height=st.integers(100, 240), width=st.integers(100, 240))
def test_exact_tiles_at_any_size(model: Path, height: int, width: int) -> None:
    picture = smooth(height, width, seed=height)
    whole = Styliser(model, provider="cpu")(picture)
    found = in_tiles(model, picture, 120, "exact")
    assert np.abs(found.astype(int) - whole).max() <= 1


def test_quick_tiles_go_by_the_reduced_picture(model: Path) -> None:
    # Of one that is half a tile, the reduced picture is the picture.
    picture = smooth(160, 152)
    whole = Styliser(model, provider="cpu")(picture).astype(int)
    assert np.abs(in_tiles(model, picture, 240, "quick") - whole).max() <= 1
    picture = smooth(240, 397)
    whole = Styliser(model, provider="cpu")(picture).astype(int)
    away = np.abs(in_tiles(model, picture, 160, "quick") - whole)
    assert 0 < away.mean() < 12


def test_no_seam_between_quick_tiles(model: Path) -> None:
    """All tiles share their statistics: where they meet, nothing is to be seen."""
    picture = smooth(240, 397)
    differently = [in_tiles(model, picture, side, "quick").astype(int) for side in (160, 160)]
    np.testing.assert_array_equal(*differently)
    from nst.tiles.run import Tiler

    tiler = Tiler(model, pixels=160**2, provider="cpu", threads=1)
    columns = [t.columns.core[0] for t in tiles(397, 240, 160, tiler._opened.halo, 4)]
    step = np.abs(np.diff(differently[0], axis=1)).mean((0, 2))
    seams = sorted({column - 1 for column in columns if column})
    beside = [np.r_[step[s - 12 : s], step[s + 1 : s + 13]].max() for s in seams]
    assert all(step[s] <= worst for s, worst in zip(seams, beside, strict=True))


def test_tiles_are_refused_where_they_cannot_be_right(
    make_model: Callable[..., Path], tmp_path: Path
) -> None:
    import onnx

    from nst.tiles.graph import open_norms

    path = make_model()
    model = onnx.load(path)
    model.graph.node[1].output[0] = "conv"
    model.graph.node.append(onnx.helper.make_node("GlobalAveragePool", ["conv"], ["mean"]))
    model.graph.node.append(onnx.helper.make_node("Add", ["conv", "mean"], ["stylised"]))
    onnx.save(model, path)
    with pytest.raises(NstError, match="GlobalAveragePool, which cannot be run in tiles"):
        open_norms(path)


def test_what_a_tile_must_see(model: Path) -> None:
    from nst.tiles.graph import open_norms

    opened = open_norms(model)
    # 9×9, two strided ones, two blocks of two at a quarter, up, up, 9×9; rounded up.
    assert opened.halo == 36
    assert opened.multiple == 4
    assert [norm.turn for norm in opened.norms] == sorted(norm.turn for norm in opened.norms)
    assert sorted({norm.ratio for norm in opened.norms}) == [1, 2, 4]


@pytest.mark.parametrize("statistics", STATISTICS)
def test_a_picture_beyond_the_memory_is_done_in_tiles(
    model: Path, monkeypatch: pytest.MonkeyPatch, statistics: str
) -> None:
    # What the tests before this one left would otherwise count.
    monkeypatch.setattr("nst.styliser.resident_memory", lambda: 0)
    picture = smooth(500, 600)
    bytes_a_pixel = 4 * 36 * 2
    limit = int(600 * 500 * 7 + bytes_a_pixel * 200**2)
    shares: list[float] = []
    stylise = Styliser(model, provider="cpu", memory=limit, statistics=statistics)
    found = stylise.stylise(load(picture), strength=0.5, keep_colour=True, watch=shares.append)
    whole = Styliser(model, provider="cpu")(picture, strength=0.5, keep_colour=True)
    assert len(shares) > 1
    away = np.abs(found.rgb.astype(int) - whole)
    assert away.max() <= 1 if statistics == "exact" else away.mean() < 12
    with pytest.raises(NstError, match=r"room for tiles of \d+ pixels.*--max-size"):
        Styliser(model, provider="cpu", memory=1000)(picture)


def test_pictures_of_one_size_are_done_alike(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory that the first one leaves behind is what the second one takes."""
    resident = iter([0, 10**9, 10**9])
    monkeypatch.setattr("nst.styliser.resident_memory", lambda: next(resident))
    stylise = Styliser(model, provider="cpu", memory=2 * 10**7)
    shares: list[float] = []
    first, second = (stylise.stylise(load(smooth(64, 64)), watch=shares.append) for _ in range(2))
    np.testing.assert_array_equal(first.rgb, second.rgb)
    assert not shares


def test_bytes_from_text() -> None:
    assert parse_bytes("2G") == 2 * 2**30
    assert parse_bytes("1.5 GiB") == 3 * 2**29
    assert parse_bytes("500mb") == 500 * 2**20
    assert parse_bytes("123") == 123
    for text in ("", "G", "two", "0", "-1G", "1..2G", "1X"):
        with pytest.raises(NstError, match=r"memory is .*such as 2G"):
            parse_bytes(text)


def test_wrong_memory_and_statistics(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nst.images import save

    save(smooth(64, 64), tmp_path / "photo.png")
    command = ["stylise", str(tmp_path / "photo.png"), "--model", str(model)]
    command += ["-o", str(tmp_path / "out.png")]
    for options, message in [
        (["--memory", "lots"], "memory is 'lots'"),
        (["--statistics", "fast"], "unknown statistics 'fast'"),
        (["--memory", "1K"], "give a larger --memory"),
    ]:
        assert main([*command, *options]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out.png").exists()
    assert main([*command, "--memory", "2G", "--statistics", "exact"]) == 0
