"""The penalty on unstable motion: exact on known motions, and lowered by training with it."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nst.errors import NstError
from train.module import StyleModule
from train.stability import NOISE, instability, next_frame, random_flow, warp

ROOT = Path(__file__).parent.parent


def smooth_photos(size: int = 64) -> Tensor:
    coarse = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


def constant_flow(across: float, down: float, size: int = 64) -> Tensor:
    return torch.tensor([across, down]).view(1, 2, 1, 1).expand(2, 2, size, size)


def test_whole_pixels_are_moved_exactly() -> None:
    photos = smooth_photos()
    moved, inside = warp(photos, constant_flow(5, -3))
    torch.testing.assert_close(moved[..., 3:, :-5], photos[..., :-3, 5:])
    assert inside[..., 3:, :-5].min() == 1
    assert inside[..., :3, :].max() == inside[..., -5:].max() == 0


def test_half_a_pixel_is_the_mean_of_two() -> None:
    photos = smooth_photos()
    moved, _ = warp(photos, constant_flow(0.5, 0))
    expected = (photos[..., :-1] + photos[..., 1:]) / 2
    torch.testing.assert_close(moved[..., :-1], expected)


def test_flows_are_smooth_seeded_and_of_the_stated_strength() -> None:
    shape = torch.Size((64, 3, 200, 300))
    torch.manual_seed(1)
    flow = random_flow(shape, torch.device("cpu"))
    torch.manual_seed(1)
    assert torch.equal(flow, random_flow(shape, torch.device("cpu")))
    assert flow.shape == (64, 2, 200, 300)
    assert flow.diff(dim=3).abs().max() < 1.5
    # The bumps and a uniform shift of up to ten pixels.
    corner = flow[:, :, 0, 0]
    assert corner.std().item() == pytest.approx((64 + 100 / 3) ** 0.5, rel=0.2)


def test_what_moves_along_is_stable_and_what_stays_is_not() -> None:
    photos, flow = smooth_photos(), constant_flow(7, 4)
    moved, _ = warp(photos, flow)
    assert instability(photos, moved, flow).max() < 1e-6
    assert instability(photos, photos, flow).min() > 0.02
    # Beyond the border nothing is asked for.
    moved[..., -7:] = 9
    assert instability(photos, moved, flow).max() < 1e-6


def test_the_difference_is_the_mean_over_what_is_inside() -> None:
    photos, flow = torch.zeros(2, 3, 64, 64), constant_flow(16, 0)
    following = torch.full_like(photos, 0.25)
    torch.testing.assert_close(instability(photos, following, flow), torch.full((2,), 0.25))


def test_noise_is_weak_seeded_and_centred() -> None:
    photos, flow = torch.full((8, 3, 64, 64), 0.5), constant_flow(0, 0)[:1].expand(8, -1, -1, -1)
    torch.manual_seed(2)
    frame = next_frame(photos, flow)
    torch.manual_seed(2)
    assert torch.equal(frame, next_frame(photos, flow))
    deviations = (frame - photos).flatten(1).std(1)
    assert deviations.max() < 1.05 * NOISE
    assert deviations.min() < 0.5 * deviations.max()
    assert (frame - photos).mean().abs() < 1e-3


def test_a_negative_weight_is_refused() -> None:
    style = str(ROOT / "nst" / "styles" / "starry-night.jpg")
    with pytest.raises(NstError, match="stability_weight -1"):
        StyleModule(style, stability_weight=-1.0)
