"""The SLURM array, as SLURM would run one of its jobs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from nst.checkpoint import read_checkpoint

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "configs" / "cluster" / "styles.sbatch"
TINY = [
    "--model.style_size", "32", "--model.width", "2", "--model.blocks", "1",
    "--model.loss.content_layers", "{relu1_2: 1.0}", "--model.loss.style_layers", "{relu1_1: 1.0}",
    "--data.size", "32", "--data.val_size", "32", "--data.batch_size", "2",
    "--data.val_count", "2", "--data.workers", "0", "--trainer.accelerator", "cpu",
    "--trainer.val_check_interval", "4", "--wandb", "off", "--checkpoint_every", "2",
]  # fmt: skip


def job(folder: Path, number: int, *more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "SLURM_ARRAY_TASK_ID": str(number), "PYTHON": sys.executable, "RUNS": str(folder / "runs"),
    }  # fmt: skip
    return subprocess.run(
        ["bash", str(SCRIPT), str(folder / "paintings"), str(folder / "photos"), *TINY, *more],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_each_job_trains_its_picture_and_goes_on_if_sent_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind, names in {"paintings": ["a.png", "b b.png"], "photos": ["1.png", "2.png"]}.items():
        (tmp_path / kind).mkdir()
        for name in names:
            pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / name)
    done = job(tmp_path, 2, "--trainer.max_steps", "4")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "b b.onnx").is_file()
    again = job(tmp_path, 2, "--trainer.max_steps", "8")
    assert again.returncode == 0, again.stderr
    _, newest = sorted((tmp_path / "runs").glob("b b-*"), key=lambda path: path.stat().st_mtime)
    assert read_checkpoint(newest / "final.ckpt")[1].steps == 8
    # Its only validation is the one after the eighth step: that after the fourth was done before.
    rows = (newest / "metrics.csv").read_text().splitlines()[1:]
    assert {row.split(",")[1] for row in rows} == {"7"}
    missing = job(tmp_path, 3)
    assert missing.returncode == 2
    assert "has no picture number 3" in missing.stderr
