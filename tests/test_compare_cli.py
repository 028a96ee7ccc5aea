"""`nst compare` from its command line, on small pictures, a tiny model and a small loss network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from nst.cli import main  # noqa: E402
from nst.compare import measure, session  # noqa: E402
from nst.compare.measure import measure_network, measure_optimiser  # noqa: E402
from nst.files import sha256_of  # noqa: E402
from nst.losses import perceptual  # noqa: E402
from nst.optimise import Step  # noqa: E402

LOSS = {
    "content_weight": 1.0,
    "style_weight": 5.0,
    "content_layers": {"relu2_1": 1.0},
    "style_layers": {"relu1_1": 1.0},
}
FEW = ["--sizes", "16", "--iterations", "5", "--threads", "1", "--device", "cpu"]
COMMAND = ["compare", "photos", "--model", "model.onnx", "--style-image", "style.png", *FEW]


@pytest.fixture
def here(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_model: Callable[..., Path],
    small_weights: Any,
) -> Iterator[Path]:
    """A current folder with two photos, a style and a model of it."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name in ("photos/a.png", "photos/b.png", "style.png"):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        coarse.resize((36, 30), Image.Resampling.BICUBIC).save(tmp_path / name)
    make_model(**facts(tmp_path))
    monkeypatch.setattr(perceptual, "load_weights", lambda *_: small_weights)
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def facts(folder: Path) -> dict[str, Any]:
    digest = sha256_of(folder / "style.png")
    style = {"style_image": "style.png", "style_image_sha256": digest, "style_size": 24}
    return {"loss": LOSS, **style}


def record(folder: Path = Path("report")) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_end_to_end(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--torch", "-o", "out/deep"]) == 0
    found = record(here / "out" / "deep")
    assert found["machine"]["threads"] == 1
    assert [photo["name"] for photo in found["photos"]] == ["a.png", "b.png"]
    assert [(r["photo"], r["start"]) for r in found["rows"]] == [
        (photo, start) for photo in ("a.png", "b.png") for start in ("noise", "content")
    ]
    curves = {(r["photo"], r["start"]): r["curve"] for r in found["optimisers"]}
    for curve in curves.values():
        assert len(curve["total"]) == len(curve["seconds"]) == 6
        assert curve["seconds"] == sorted(curve["seconds"])
        assert min(curve["total"]) < curve["total"][0]
    # The same noise, but not the same photo.
    assert curves["a.png", "noise"]["total"] != curves["b.png", "noise"]["total"]
    assert all(run["torch_seconds"] > 0 for run in found["networks"])
    assert found["summary"]["ratio_to_optimum"]["model"]["16"]["count"] == 2
    page = (here / "out" / "deep" / "report.html").read_text()
    pictures = {path.stem for path in (here / "out" / "deep" / "pictures").iterdir()}
    assert page.count('<img src="data:image/jpeg;base64,') == len(pictures) >= 8
    assert str(here) not in page + json.dumps(found)
    out, err = capsys.readouterr()
    assert "model at 16 px equals" in out
    assert "report.html" in out
    assert "error" not in err


def test_in_bfloat16(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one_photo = [*COMMAND, "--photos", "1", "--start", "content"]
    assert main([*one_photo, "-o", "whole"]) == 0
    assert main([*one_photo, "-o", "half", "--precision", "bfloat16"]) == 0
    whole, half = record(here / "whole"), record(here / "half")
    assert half["machine"]["precision"] == "bfloat16"
    assert "in bfloat16" in (here / "half" / "report.html").read_text()
    totals = [found["networks"][0]["losses"]["total"] for found in (whole, half)]
    assert totals[0] != totals[1]
    assert totals[1] == pytest.approx(totals[0], rel=0.05)
    capsys.readouterr()
    assert main([*one_photo, "-o", "half", "--resume"]) == 2
    assert "was measured with precision bfloat16" in capsys.readouterr().err


def test_the_network_is_judged_by_its_8_bit_output_on_the_loss_of_its_sidecar(here: Path) -> None:
    assert main([*COMMAND, "--photos", "1", "--start", "content"]) == 0
    from nst.compare.models import read_contenders
    from nst.compare.pictures import read_square
    from nst.tensors import to_tensor

    (contender,) = read_contenders([here / "model.onnx"], ["style.png"])
    config = contender.yardstick.config
    assert (config.style_weight, config.content_layers) == (5.0, {"relu2_1": 1.0})
    assert config.border == "zeros"  # what models that do not say were trained with
    loss = contender.yardstick.build(torch.device("cpu"), torch.float32).loss
    photo = read_square(here / "photos" / "a.png", 16)
    with torch.no_grad():
        terms = loss(to_tensor(255 - photo), loss.content_targets(to_tensor(photo)))
    (run,) = record()["networks"]
    for term in ("total", "content", "style"):
        assert run["losses"][term] == pytest.approx(getattr(terms, term).item(), rel=1e-4)
    (curve,) = [r["curve"] for r in record()["optimisers"]]
    assert curve["content"][0] == 0


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is measured from now on."""
    calls: list[str] = []

    def noting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*arguments, **options)

        return call

    for real in (measure_network, measure_optimiser):
        monkeypatch.setattr(session, real.__name__, noting(real.__name__, real))
    return calls


def test_what_is_known_is_not_measured_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*COMMAND, "--photos", "1"]) == 0
    before = record()
    calls = counted(monkeypatch)
    assert main([*COMMAND, "--photos", "1", "--resume"]) == 0
    assert calls == []
    assert record() == before
    assert main([*COMMAND, "--resume"]) == 0  # the other photo
    assert calls == ["measure_network", "measure_optimiser", "measure_optimiser"]
    assert record()["networks"][0] == before["networks"][0]
    calls.clear()
    assert main([*COMMAND, "--resume", "--iterations", "7", "--start", "noise"]) == 0
    assert calls == ["measure_optimiser"] * 2  # longer curves
    assert len(record()["optimisers"]) == 4
    calls.clear()
    assert main([*COMMAND, "--resume", "--seed", "1", "--start", "noise", "--photos", "1"]) == 0
    assert calls == ["measure_optimiser"]  # other noise


def test_ctrl_c_leaves_what_is_done(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, runs = measure.optimise, iter(range(100))

    def interrupted(*arguments: Any, **options: Any) -> Iterator[Step]:
        # Each measurement is a warm-up and a run: this is in the run of the second.
        number = next(runs)
        for step in real(*arguments, **options):
            if number == 3 and step.iteration == 2:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(measure, "optimise", interrupted)
    assert main(COMMAND) == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert [run["start"] for run in record()["optimisers"]] == ["noise"]
    assert (here / "report" / "report.html").is_file()
    monkeypatch.setattr(measure, "optimise", real)
    calls = counted(monkeypatch)
    assert main([*COMMAND, "--resume"]) == 0
    assert calls.count("measure_optimiser") == 3
    assert calls.count("measure_network") == 1


def test_several_models_share_the_curves_of_the_optimiser(
    here: Path, make_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model("other/model.onnx", steps=1, **facts(here))
    calls = counted(monkeypatch)
    words = ["--model", "other/model.onnx", "--photos", "1", "--start", "noise"]
    assert main([*COMMAND, *words]) == 0
    assert sorted(calls) == ["measure_network", "measure_network", "measure_optimiser"]
    assert [row["model"] for row in record()["rows"]] == ["model", "model-2"]


def test_sizes_that_do_not_fit_are_left_out_with_the_reason(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nst.optimise import memory

    monkeypatch.setattr(memory, "available_memory", lambda: 2_000_000)
    assert main([*COMMAND, "--sizes", "16,64", "--photos", "1,2"]) == 0
    (skipped,) = record()["skipped"]
    assert skipped["size"] == 64
    assert "64×64 pixels needs about" in skipped["reason"]
    assert "--size" not in skipped["reason"]
    assert "64 px is left out" in " ".join(capsys.readouterr().out.split())
    assert {row["size"] for row in record()["rows"]} == {16}
    assert main([*COMMAND, "--sizes", "64", "-o", "none"]) == 2
    assert "nothing could be measured: optimising 64×64" in capsys.readouterr().err


def test_the_readme_is_written_from_a_report(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = here / "README.md"
    readme.write_text("<!-- nst compare: begin -->\n<!-- nst compare: end -->\n")
    assert main([*COMMAND, "--photos", "1"]) == 0
    assert main(["compare", "--readme", "README.md", "report/report.json"]) == 0
    assert "| model | 16 |" in readme.read_text()
    capsys.readouterr()
    for words in (["photos"], ["report/report.json", "x.json"], ["photos/a.png"]):
        assert main(["compare", "--readme", "README.md", *words]) == 2
        assert "--readme takes one report.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model", "none.onnx"], "cannot read the model none.onnx (no such file)"),
        (["--model", "text.txt"], "text.txt is not a model that onnxruntime can load"),
        (["--model", "silent.onnx"], "does not say which loss and style picture"),
        (["--style", "starry-night"], "both style 'starry-night' and model 'model.onnx'"),
        (["--style-image", "photos/a.png"], "a.png is not the picture that the model was trained"),
        (["--style-image", "text.txt"], "text.txt is not a picture"),
        (["--sizes", "25x"], "--sizes"),
        (["--sizes", "8"], "--sizes is 8: give different numbers of pixels from 16 up"),
        (["--sizes", "16,16"], "--sizes is 16,16"),
        (["--iterations", "0"], "--iterations is 0: give a number above 0"),
        (["--photos", "0"], "--photos is 0: give a number above 0"),
        (["--iterations", "5,6"], "--iterations is 5,6: give a number above 0, or one for each"),
        (["--start", "noise,contents"], "did you mean 'content'?"),
        (["--device", "cud"], "did you mean 'cuda'?"),
        (["--threads", "-1"], "threads is -1"),
        (["-o", "text.txt"], "cannot make the folder text.txt"),
    ],
)
def test_bad_options(
    here: Path,
    make_model: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    (here / "text.txt").write_text("text")
    make_model("silent.onnx")
    assert main([*COMMAND, *words]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert (out, err.count("\n")) == ("", 1)
    assert not (here / "report").exists()


@pytest.mark.parametrize(
    ("photo", "says"),
    [
        ("text.txt", "text.txt is not a picture"),
        ("none.jpg", "cannot read none.jpg"),
        ("empty", "no pictures in the folder empty"),
        ("-", "reads no photo from stdin"),
    ],
)
def test_bad_photos(here: Path, capsys: pytest.CaptureFixture[str], photo: str, says: str) -> None:
    (here / "text.txt").write_text("text")
    (here / "empty").mkdir()
    assert main(["compare", photo, *COMMAND[2:]]) == 2
    _, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1
    assert not (here / "report").exists()


def test_a_style_picture_that_is_not_shipped_is_asked_for(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "photos", "--model", "model.onnx", *FEW]) == 2
    assert "model.onnx was trained on style.png, which does not come with nst: give it with " in (
        capsys.readouterr().err
    )


def test_another_backbone_than_that_of_the_training_is_refused(
    here: Path, make_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    make_model(backbone_sha256="1" * 64, **facts(here))
    assert main(COMMAND) == 2
    assert "the model was trained with 1111" in capsys.readouterr().err
