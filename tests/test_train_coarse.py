"""Smaller photos in the first third of a training."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_train import command

from train.__main__ import main
from train.coarse import shrunk
from train.module import StyleModule


def test_photos_are_shrunk_until_a_third_is_done() -> None:
    photos = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    small = shrunk(photos, 32, 0.33)
    assert (small.shape, small.dtype) == ((2, 3, 32, 32), torch.uint8)
    flat = torch.full((1, 3, 64, 64), 250, dtype=torch.uint8)
    assert (shrunk(flat, 48, 0.0) == 250).all()
    means = photos.float().mean((2, 3)), small.float().mean((2, 3))
    torch.testing.assert_close(*means, atol=2.0, rtol=0)
    for side, done in ((32, 0.34), (64, 0.0), (100, 0.0), (None, 0.0)):
        assert shrunk(photos, side, done) is photos


def test_a_training_begins_with_small_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sides: list[int] = []
    real = StyleModule.terms

    def noted(self: Any, photos: torch.Tensor, **options: Any) -> Any:
        if not options:
            sides.append(photos.shape[-1])
        return real(self, photos, **options)

    monkeypatch.setattr(StyleModule, "terms", noted)
    words = command(tmp_path, "--data.size", "64", "--model.coarse_size", "32",
                    "--run_dir", str(tmp_path / "run"))  # fmt: skip
    assert main(words[3:]) == 0, capsys.readouterr().err
    assert sides == [32] * 4 + [64] * 8
    for side in ("8", "0"):
        assert main([*words[3:-1], str(tmp_path / "no"), "--model.coarse_size", side]) == 2
        assert f"coarse_size {side}" in capsys.readouterr().err
