"""The penalty on unstable motion: exact on known motions, and lowered by training with it."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nst.errors import NstError
from nst.network import TransformNet
from train.module import StyleModule
from train.stability import NOISE, instability, motion_penalty, next_frame, random_shift, shifted

ROOT = Path(__file__).parent.parent


def smooth_photos(size: int = 64) -> Tensor:
    coarse = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)


def test_what_is_to_the_right_and_below_moves_in() -> None:
    photos = smooth_photos()
    moved = shifted(photos, 5, -3)
    assert moved.shape == photos.shape
    assert torch.equal(moved[..., 3:, :-5], photos[..., :-3, 5:])
    assert torch.equal(moved[..., 3:, -5:], photos[..., :-3, -1:].expand(-1, -1, -1, 5))
    assert torch.equal(shifted(photos, 0, 0), photos)


def test_shifts_are_seeded_and_of_the_stated_strength() -> None:
    torch.manual_seed(1)
    shifts = [random_shift(200) for _ in range(500)]
    torch.manual_seed(1)
    assert shifts == [random_shift(200) for _ in range(500)]
    assert {shift for pair in shifts for shift in pair} == set(range(-10, 11))
    assert {abs(shift) for pair in (random_shift(8) for _ in range(99)) for shift in pair} == {
        0, 1, 2, 3, 4,
    }  # fmt: skip


def test_what_moves_along_is_stable_and_what_stays_is_not() -> None:
    photos = smooth_photos()
    for across, down in ((7, 4), (-7, 4), (0, -4)):
        moved = shifted(photos, across, down)
        assert instability(photos, moved, across, down).max() <= 1e-6
        assert instability(photos, photos, across, down).min() > 0.02
    # Beyond the border nothing is asked for.
    moved = shifted(photos, 7, 4)
    moved[..., -7:] = moved[..., -4:, :] = 9
    assert instability(photos, moved, 7, 4).max() <= 1e-6


def test_the_difference_is_the_root_mean_square_over_what_is_in_both() -> None:
    photos = torch.zeros(2, 3, 64, 64)
    following = torch.zeros_like(photos)
    following[..., 32:] = 0.4  # half of the columns, of which 16 are not in both
    found = instability(photos, following, 16, 0)
    torch.testing.assert_close(found, torch.full((2,), 0.4 * (16 / 48) ** 0.5))


def test_a_still_network_has_a_gradient() -> None:
    pictures = torch.zeros(1, 3, 8, 8, requires_grad=True)
    instability(pictures, pictures, 0, 0).sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.isfinite().all()


def test_noise_is_weak_seeded_and_centred() -> None:
    photos = torch.full((8, 3, 64, 64), 0.5)
    torch.manual_seed(2)
    frame = next_frame(photos, 3, 0)
    torch.manual_seed(2)
    assert torch.equal(frame, next_frame(photos, 3, 0))
    deviations = (frame - photos).flatten(1).std(1)
    assert deviations.max() < 1.05 * NOISE
    assert deviations.min() < 0.5 * deviations.max()
    assert (frame - photos).mean().abs() < 1e-3


def test_the_penalty_makes_a_network_stable() -> None:
    torch.manual_seed(0)
    net, photos = TransformNet("live", width=2, blocks=1), torch.rand(2, 3, 32, 32)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    found = []
    for _ in range(60):
        penalty = motion_penalty(net, photos, net(photos)).mean()
        optimiser.zero_grad()
        penalty.backward()
        optimiser.step()
        found.append(penalty.item())
    assert sum(found[-10:]) < 0.5 * sum(found[:10])


def test_a_negative_weight_is_refused() -> None:
    style = str(ROOT / "nst" / "styles" / "starry-night.jpg")
    with pytest.raises(NstError, match="stability_weight -1"):
        StyleModule(style, stability_weight=-1.0)
