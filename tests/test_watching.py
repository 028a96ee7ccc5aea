"""What is shown and written while an optimisation goes: pictures, animations, losses, progress."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst import watching
from nst.errors import NstError
from nst.images import Picture, load

torch = pytest.importorskip("torch")

from nst.optimise import Step  # noqa: E402
from nst.tensors import to_array  # noqa: E402


def step(iteration: int, *, level: int = 0, levels: int = 1, shade: float = 0.0) -> Step:
    image = torch.full((1, 3, 9, 14), shade)
    total = 10.0 / (iteration + 1)
    return Step(iteration, iteration + 1, total, 1, 2, 0, 0, 0.1 * iteration, image, level, levels)


def draw(record: Step) -> Picture:
    return Picture(to_array(record.image))


def feed(watch: watching.Watcher, steps: Iterable[Step]) -> None:
    for record in steps:
        watch(record, record)


def test_snapshots_are_named_by_iteration_and_show_the_best(tmp_path: Path) -> None:
    best = step(2, shade=1.0)
    with watching.snapshots(tmp_path / "out.png", 3, 7, draw) as watch:
        for k in (0, 1, 2, 3, 3, 4, 5, 6, 7):
            watch(step(k), best)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out-0003.png", "out-0006.png"]
    assert load(tmp_path / "out-0003.png").rgb.min() == 255


def test_snapshots_of_long_runs_sort_by_name(tmp_path: Path) -> None:
    with watching.snapshots(tmp_path / "o.png", 1000, 20_000, draw) as watch:
        feed(watch, [step(1000)])
    assert [p.name for p in tmp_path.iterdir()] == ["o-01000.png"]
    with (
        pytest.raises(NstError, match="every -1 iterations"),
        watching.snapshots(tmp_path / "o.png", -1, 9, draw),
    ):
        pass


@pytest.mark.parametrize("extension", ["gif", "webp", "png"])
def test_animation(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"out.{extension}"
    with watching.animation(path, 4, draw) as watch:
        feed(watch, [step(k, shade=k / 4) for k in range(5)])
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) == 5
        assert image.size == (14, 9)
        shades, durations = [], []
        for k in range(5):
            image.seek(k)
            image.load()
            shades.append(int(np.asarray(image.convert("RGB")).mean()))
            durations.append(image.info["duration"])
    assert shades == pytest.approx([0, 64, 128, 191, 255], abs=4)
    assert durations[-1] == 2000
    assert max(durations[:-1]) < 100


def test_video(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "out.mp4"
    with watching.animation(path, 4, draw) as watch:
        feed(watch, [step(k, shade=k / 4) for k in range(5)])
    with av.open(path) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        # The last is held for two seconds.
        assert container.duration == pytest.approx((4 / 12 + 2) * 1e6, abs=2000)
    assert len(frames) == 5
    assert frames[0].shape == (10, 14, 3)
    assert frames[0].mean() < 10
    assert frames[-1].mean() > 245


def test_frames_are_bounded_and_closest_at_the_beginning(tmp_path: Path) -> None:
    seen = []

    def noted(record: Step) -> Picture:
        seen.append(record.iteration)
        return draw(record)

    with watching.animation(tmp_path / "o.gif", 3000, noted) as watch:
        feed(watch, [step(k) for k in range(3001)])
    assert len(seen) <= 96
    assert seen[0] == 0
    assert seen[-1] == 3000
    gaps = np.diff(seen)
    assert gaps[:5].max() < gaps[-5:].min()


def test_the_last_frame_is_the_last_picture_also_when_interrupted(tmp_path: Path) -> None:
    with watching.animation(tmp_path / "o.png", 3000, draw) as watch:
        feed(watch, [step(k, shade=k / 50) for k in range(50)])
    with Image.open(tmp_path / "o.png") as image:
        image.seek(image.n_frames - 1)  # type: ignore[attr-defined]
        assert np.asarray(image.convert("RGB")).mean() == pytest.approx(49 / 50 * 255, abs=1)


def test_large_pictures_make_small_frames(tmp_path: Path) -> None:
    def large(record: Step) -> Picture:
        alpha = np.zeros((700, 1400), np.uint8)
        return Picture(np.zeros((700, 1400, 3), np.uint8), alpha)

    with watching.animation(tmp_path / "o.webp", 0, large) as watch:
        feed(watch, [step(0)])
    with Image.open(tmp_path / "o.webp") as image:
        assert image.size == (640, 320)
        assert np.asarray(image.convert("RGB")).min() == 255  # what is transparent is white


def test_animations_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NstError, match=r"did you mean '.mp4'\?"):
        watching.check_animation(tmp_path / "o.mp5")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(NstError, match=r"pip install 'nst\[video\]'"):
        watching.check_animation(tmp_path / "o.mp4")


def test_a_failure_leaves_the_old_animation(tmp_path: Path) -> None:
    path = tmp_path / "o.gif"
    path.write_bytes(b"old")
    with pytest.raises(AttributeError), watching.animation(path, 4, draw) as watch:
        feed(watch, [step(0), None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_losses_are_logged_as_they_come_and_plotted(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    with watching.loss_log(path) as watch:
        watch(step(0), step(0))
        watch(step(1, level=1, levels=2), step(0))
        rows = read(path)
        assert [row["iteration"] for row in rows] == ["0", "1"]
        assert [row["total"] for row in rows] == ["10", "5"]
        assert [row["level"] for row in rows] == ["0", "1"]
    assert load(tmp_path / "losses.png").size == (960, 600)
    with pytest.raises(NstError, match=r"ends in \.csv"):
        watching.plot_path(tmp_path / "losses.txt")
    with pytest.raises(NstError, match="cannot write"), watching.loss_log(Path("none/a.csv")):
        pass


@pytest.fixture
def bar(capsys: pytest.CaptureFixture[str]) -> Callable[[list[Step]], str]:
    """What is on stderr when the bar ends after these records."""

    def shown(steps: list[Step]) -> str:
        stages = [watching.Stage(10, cost=1), watching.Stage(10, cost=3)]
        with watching.progress(stages, "painting") as watch:
            feed(watch, steps)
        return capsys.readouterr().err

    return shown


def test_progress_shows_losses_and_level(
    bar: Callable[[list[Step]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    text = bar([step(0, levels=2), step(12, level=1, levels=2)])
    assert "painting" in text
    assert "12/20 · level 2/2" in text
    assert "total 0.7692, content 1, style 2\n" in text
    monkeypatch.setenv("COLUMNS", "80")
    assert "-:--:-- total" in bar([step(12, level=1, levels=2)])


def test_progress_measures_work_not_iterations(
    bar: Callable[[list[Step]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    # The bar has twenty cells for forty units of work.
    assert bar([step(10, levels=2)]).count("━") == 5
    assert bar([step(18, level=1, levels=2)]).count("━") == 17
