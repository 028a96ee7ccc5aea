"""The trainer, through its command line, with a tiny network and shallow losses."""

import csv
import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from train.__main__ import main
from train.module import StyleModule
from train.schedule import learning_rate, progress

ROOT = Path(__file__).parent.parent
SOAP = ("--model.optimiser", "soap")
"""It keeps more than Adam does from step to step, which a resumed training must find again."""


def write_photos(folder: Path, count: int = 8, size: tuple[int, int] = (60, 48)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for k in range(count):
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f"{k}.jpg")
    return folder


def command(tmp_path: Path, *more: str) -> list[str]:
    photos = tmp_path / "photos"
    if not photos.exists():
        write_photos(photos)
    return [
        sys.executable, "-m", "train", "fit",
        "--model.style", str(photos / "0.jpg"), "--model.style_size", "32",
        "--model.width", "2", "--model.blocks", "1", "--model.warmup_steps", "2",
        "--model.loss.content_layers", "{relu1_2: 1.0}",
        "--model.loss.style_layers", "{relu1_1: 1.0}",
        "--data.photos", str(photos), "--data.size", "32", "--data.val_size", "32",
        "--data.batch_size", "2", "--data.val_count", "2", "--data.workers", "0",
        "--trainer.accelerator", "cpu", "--trainer.max_steps", "12",
        "--trainer.val_check_interval", "6", "--trainer.log_every_n_steps", "1",
        "--wandb", "off", "--checkpoint_every", "4", *more,
    ]  # fmt: skip


def run(tmp_path: Path, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(tmp_path, *more), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == code, done.stderr
    return done


def losses(run_dir: Path) -> dict[int, float]:
    with (run_dir / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {int(r["step"]): float(r["train/total"]) for r in rows if r["train/total"]}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training: its temporary folder, with the run in `whole`."""
    path = tmp_path_factory.mktemp("train")
    done = run(path, *SOAP, "--run_dir", str(path / "whole"))
    assert "Held-out losses: total" in done.stdout
    assert "12" in done.stderr
    assert "photos/s" in done.stderr
    return path


def test_training_leaves_what_it_promises(unbroken: Path) -> None:
    folder = unbroken / "whole"
    assert (folder / "config.yaml").is_file()
    assert (folder / "panels" / "step-000012.png").is_file()
    assert len(losses(folder)) == 12
    checkpoint = torch.load(folder / "final.ckpt", weights_only=True)
    assert {k.split(".")[0] for k in checkpoint["state_dict"]} == {"net"}, "VGG was saved"
    facts = checkpoint["nst"]
    assert facts["steps"] == 12
    assert facts["held_out"].keys() == {"total", "content", "style"}
    assert len(facts["backbone_sha256"]) == len(facts["style_image_sha256"]) == 64
    assert (folder / "final.ckpt").stat().st_size < 1_000_000


KILLED_AT_STEP_6 = """
import os, signal
from train.__main__ import main
from train.module import StyleModule

ended = StyleModule.on_train_batch_end
def on_train_batch_end(self, *arguments):
    ended(self, *arguments)
    if self.global_step == 6:
        os.kill(os.getpid(), signal.SIGKILL)

StyleModule.on_train_batch_end = on_train_batch_end
main()
"""


def test_a_killed_run_resumes_to_the_same_losses(unbroken: Path) -> None:
    """SIGKILL in the middle; the losses after the last checkpoint equal an unbroken run's."""
    broken = unbroken / "broken"
    arguments = command(unbroken, *SOAP, "--run_dir", str(broken), "--data.workers", "1")[3:]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT_STEP_6, *arguments],
        cwd=ROOT, capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    last = broken / "checkpoints" / "last.ckpt"
    started_at = torch.load(last, weights_only=True)["global_step"]
    assert started_at == 4
    run(unbroken, *SOAP, "--run_dir", str(unbroken / "resumed"), "--ckpt_path", str(last))
    whole, resumed = losses(unbroken / "whole"), losses(unbroken / "resumed")
    assert sorted(resumed) == list(range(started_at, 12))
    for step, value in resumed.items():
        assert value == pytest.approx(whole[step], rel=1e-5)
    a = torch.load(unbroken / "whole" / "final.ckpt", weights_only=True)["state_dict"]
    b = torch.load(unbroken / "resumed" / "final.ckpt", weights_only=True)["state_dict"]
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("other", "named"),
    [(("--model.width", "3"), "network_args"), (("--model.optimiser", "adam"), "optimiser soap")],
)
def test_resuming_another_training_is_one_clear_error(
    unbroken: Path, other: tuple[str, str], named: str
) -> None:
    done = run(
        unbroken, "--ckpt_path", str(unbroken / "whole" / "final.ckpt"), *other,
        "--run_dir", str(unbroken / named), code=2,
    )  # fmt: skip
    assert named in done.stderr.splitlines()[-1]


def test_divergence_ends_in_one_line_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = StyleModule.terms

    def diverging(self, photos, **options):  # type: ignore[no-untyped-def]
        pictures, terms = real(self, photos, **options)
        bad = float("nan") if self.global_step == 6 else 1.0
        return pictures, dataclasses.replace(terms, total=terms.total * bad)

    monkeypatch.setattr(StyleModule, "terms", diverging)
    assert main(command(tmp_path, "--run_dir", str(tmp_path / "run"))[3:]) == 2
    assert "diverged at step 6" in capsys.readouterr().err.splitlines()[-1]
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 4
    assert all(v.isfinite().all() for v in checkpoint["state_dict"].values())


def test_two_processes(tmp_path: Path) -> None:
    # In bfloat16, which is the default where it pays, rounding alone differs by more than this.
    both = ["--trainer.max_steps", "4", "--trainer.precision", "32-true"]
    ddp = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    run(tmp_path, "--run_dir", str(tmp_path / "two"), *both, *ddp)
    run(tmp_path, "--run_dir", str(tmp_path / "one"), *both, "--data.batch_size", "4")
    assert len(losses(tmp_path / "two")) == 4
    # Two processes with two photos each do what one does with four.
    two, one_ = (
        torch.load(tmp_path / name / "final.ckpt", weights_only=True)["state_dict"]
        for name in ("two", "one")
    )
    weights, expected = (torch.cat([x.flatten() for x in state.values()]) for state in (two, one_))
    # Adam moves a weight whose gradient is nearly zero by a whole step in the sign of its rounding.
    assert (weights - expected).abs().gt(1e-4).float().mean() < 0.01


def test_max_minutes_ends_with_the_schedule_finished(tmp_path: Path) -> None:
    arguments = ["--max_minutes", "0.05", "--trainer.max_steps", "1000000", "--wandb", "offline"]
    run(tmp_path, "--run_dir", str(tmp_path / "run"), *arguments)
    assert list((tmp_path / "run").glob("wandb/offline-run-*"))
    checkpoint = torch.load(tmp_path / "run" / "final.ckpt", weights_only=True)
    assert 0.05 <= checkpoint["minutes"] < 1
    assert checkpoint["nst"]["held_out"]
    rate = checkpoint["optimizer_states"][0]["param_groups"][0]["lr"]
    assert rate < 0.2 * 1e-3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--model.style", "none.jpg"], "none.jpg"),
        (["--data.photos", "none"], "no such folder of photos: none"),
        (["--model.loss.style_layers", "{relu9_9: 1}"], "relu9_9"),
        (["--model.loss.style_convention", "gatis"], "gatys"),
        (["--model.widht", "4"], "did you mean model.width?"),
        (["--config", "none.yaml"], "none.yaml"),
        (["--ckpt_path", "none.ckpt"], "no such checkpoint: none.ckpt"),
        (["--ckpt_path", "TMP/text.ckpt"], "is no checkpoint"),
        (["--data.photos", "TMP/empty"], "no photo in"),
        (["--wandb", "maybe"], "maybe"),
        (["--checkpoint_every", "0"], "checkpoint_every is 0"),
        (["--average.decay", "1.5"], "1.5"),
        (["--run_dir", "/dev/null/run"], "/dev/null"),
        (["--run_dir", "TMP/taken"], "holds a run already"),
        (["--trainer.max_epochs", "2"], "no epochs"),
        (["--trainer.accelerator", "gpu"], "gpu backend"),
    ],
)
def test_bad_input_is_one_clear_line(
    tmp_path: Path, wrong: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "config.yaml").touch()
    wrong = [word.replace("TMP", str(tmp_path)) for word in wrong]
    arguments = command(tmp_path, "--run_dir", str(tmp_path / "run"), *wrong)[3:]
    assert main(arguments) == 2
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_ctrl_c_in_a_validation_saves_the_trained_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average is swapped in for the validation, and must be swapped out for the checkpoint."""

    def interrupted(self, batch, batch_idx):  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt

    six = ["--checkpoint_every", "6", "--trainer.max_steps", "6", "--trainer.val_check_interval"]
    assert main(command(tmp_path, "--run_dir", str(tmp_path / "whole"), *six, "6")[3:]) == 0
    monkeypatch.setattr(StyleModule, "validation_step", interrupted)
    assert main(command(tmp_path, "--run_dir", str(tmp_path / "broken"), *six, "3")[3:]) == 130
    monkeypatch.undo()
    broken = tmp_path / "broken" / "checkpoints" / "last.ckpt"
    resumed = ["--ckpt_path", str(broken), "--run_dir", str(tmp_path / "resumed")]
    assert main(command(tmp_path, *six, "6", *resumed)[3:]) == 0
    whole, again = (
        torch.load(tmp_path / name / "final.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "resumed")
    )
    for name in whole:
        torch.testing.assert_close(whole[name], again[name], rtol=1e-4, atol=1e-6)


def test_schedule() -> None:
    assert progress(50, 100, 1.0, None) == 0.5
    assert progress(50, 100, 9.0, 10.0) == 0.9
    assert progress(50, -1, 20.0, 10.0) == 1.0
    assert progress(50, -1, 5.0, None) == 0.0
    assert learning_rate(2.0, 0, 0.0, 3) == pytest.approx(0.5)
    assert learning_rate(2.0, 99, 0.0, 3) == pytest.approx(2.0)
    assert learning_rate(2.0, 99, 0.5, 3) == pytest.approx(1.0)
    assert learning_rate(2.0, 99, 1.0, 3) == pytest.approx(0.0)
    assert learning_rate(2.0, 99, 0.5, 3, "late") == pytest.approx(2.0)
    assert learning_rate(2.0, 99, 0.75, 3, "late") == pytest.approx(1.0)
    assert learning_rate(2.0, 99, 1.0, 3, "late") == pytest.approx(0.0)
    assert learning_rate(2.0, 99, 1.0, 3, "none") == pytest.approx(2.0)


def test_stability_weight_is_ramped_in_and_lowers_what_it_measures(tmp_path: Path) -> None:
    for name, weight in (("plain", "1e-9"), ("stable", "100")):
        run(tmp_path, "--run_dir", str(tmp_path / name), "--model.stability_weight", weight)
    curves = {}
    for name in ("plain", "stable"):
        with (tmp_path / name / "metrics.csv").open() as file:
            rows = [r for r in csv.DictReader(file) if r["train/instability"]]
        curves[name] = [float(r["train/instability"]) for r in rows]
    # At the first step the weight is nothing, so that both do the same.
    assert curves["plain"][0] == curves["stable"][0]
    assert curves["plain"][1] == curves["stable"][1]
    assert curves["stable"][-1] < curves["plain"][-1]
