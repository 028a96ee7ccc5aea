"""The metric: frames whose motion is known, and the warping error of what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nst.errors import NstError
from nst.flicker.error import BORDER, Squares, known_error
from nst.flicker.measure import Contender, Errors, known_takes, measure
from nst.flicker.motion import DETAIL, MOTIONS, Motion, Step, View, needed, sequence, views
from nst.flicker.photos import default_photos
from nst.images import Picture, load

Pixels = NDArray[np.uint8]


def noise(seed: int, height: int = 64, width: int = 64) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def smooth_photo(seed: int = 0, width: int = 200, height: int = 160) -> Picture:
    coarse = Image.fromarray(noise(seed, 8, 10))
    return Picture(np.array(coarse.resize((width, height), Image.Resampling.BICUBIC)))


def errors_of(model: Callable[[Pixels], Pixels], kinds: dict[str, Motion] | None = None) -> Errors:
    takes = known_takes([smooth_photo(), smooth_photo(1, 160, 200)], size=96, count=4, seed=0)
    wanted = ((kind, take) for kind, take in takes if kinds is None or kind in kinds)
    return measure(wanted, [Contender("it", model)])["it"]


@pytest.mark.parametrize("motion", MOTIONS.values())
@pytest.mark.parametrize("turned", [False, True])
def test_the_smallest_photo_holds_every_view(motion: Motion, turned: bool) -> None:
    size = needed(96, 6)[::-1] if turned else needed(96, 6)
    for view in views(motion, size, 96, 6):
        assert view.left >= 0
        assert view.top >= 0
        assert view.left + 96 * view.scale <= size[0] + 1e-9
        assert view.top + 96 * view.scale <= size[1] + 1e-9


def test_views_move_as_the_motion_says() -> None:
    first, second = views(Motion(pan=(3.3, 1.4)), (400, 300), 96, 2)
    step = Step.between(first, second)
    assert (step.scale, step.x, step.y) == pytest.approx((1, 3.3, 1.4))
    upright = Step.between(*views(Motion(pan=(3.3, 1.4)), (300, 400), 96, 2))
    assert (upright.x, upright.y) == pytest.approx((1.4, 3.3))
    step = Step.between(*views(Motion(zoom=1.25), (400, 300), 96, 2))
    # The centre stays: c = c / zoom + shift.
    assert (step.scale, step.x, step.y) == pytest.approx((0.8, 48 - 38.4, 48 - 38.4))


def test_frames_are_what_the_views_show() -> None:
    # A ramp of one level per photo pixel: each frame pixel is its own position.
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (180, 200, 3))
    photo = Picture(np.ascontiguousarray(ramp))
    count = 4
    for (frame, view), own in zip(
        sequence(photo, Motion(pan=(2.4, 0)), size=96, count=count, seed=0),
        views(Motion(pan=(2.4, 0)), (200, 180), 96, count),
        strict=True,
    ):
        assert (frame.shape, frame.dtype) == ((96, 96, 3), np.uint8)
        factor = 200 / math.ceil(200 * max(needed(96, count)[0] / 200, needed(96, count)[1] / 180))
        position = (view.left + (np.arange(96) + 0.5) * view.scale) * factor - 0.5
        np.testing.assert_allclose(frame[40, 4:-4, 0], position[4:-4], atol=1.1)
        assert own.scale == DETAIL


def test_noise_is_as_strong_as_it_says_and_the_same_again() -> None:
    def frames(seed: int) -> list[Pixels]:
        flat = Picture(np.full((160, 200, 3), 128, np.uint8))
        taken = sequence(flat, Motion(noise=5.0), size=96, count=3, seed=seed)
        return [frame for frame, _ in taken]

    first = frames(1)
    assert np.std(np.stack(first).astype(float)) == pytest.approx(5.0, rel=0.03)
    np.testing.assert_array_equal(first, frames(1))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, frames(2))


def test_a_photo_that_is_too_small_says_what_is_needed() -> None:
    long, short = needed(256, 8)
    photo = Picture(noise(0, short - 1, long), name="tiny.jpg")
    with pytest.raises(NstError, match=f"tiny.jpg has {long}×{short - 1} .* need {long}×{short}"):
        next(sequence(photo, MOTIONS["pan"], size=256, count=8, seed=0))


def test_a_longer_way_needs_a_larger_photo() -> None:
    photo = smooth_photo(0, *needed(96, 4))
    assert len(list(sequence(photo, Motion(pan=(9, 2)), size=96, count=4, seed=0))) == 4
    for motion in (Motion(pan=(40, 0)), Motion(pan=(0, 40)), Motion(zoom=1.5)):
        with pytest.raises(NstError, match="give a larger photo"):
            next(sequence(photo, motion, size=96, count=4, seed=0))


def test_the_error_of_an_integer_step_by_hand() -> None:
    before, now = noise(0, 80, 96), noise(1, 80, 96)
    found = known_error(before, now, Step(1.0, 3.0, -2.0))
    # Pixel (x, y) was at (x + 3, y - 2); both must be within the borders.
    a = now[BORDER + 2 : 80 - BORDER, BORDER : 96 - BORDER - 3].astype(float)
    b = before[BORDER : 80 - BORDER - 2, BORDER + 3 : 96 - BORDER].astype(float)
    assert found.count == a.size
    assert found.root_mean == pytest.approx(np.sqrt(np.mean((a - b) ** 2)), rel=1e-6)


def test_a_constant_difference_is_its_own_error() -> None:
    before = np.full((64, 64, 3), 100, np.uint8)
    found = known_error(before, before + np.uint8(7), Step(0.97, 2.3, 1.1))
    assert found.root_mean == pytest.approx(7, rel=1e-5)


def test_a_step_out_of_the_frame_judges_nothing() -> None:
    assert known_error(noise(0), noise(1), Step(1.0, 40.0, 0.0)) == Squares()
    assert math.isnan(Squares().root_mean)


def test_what_follows_the_motion_has_only_the_error_of_resampling() -> None:
    same = errors_of(lambda frame: frame)
    inverse = errors_of(lambda frame: 255 - frame)
    for kind in MOTIONS:
        # Rounding to 8 bits gives √(1/12 + 1/12) = 0.41; the noise of two pictures 2√2.
        assert same.by_kind[kind] < (3.0 if kind == "noise" else 0.6)
        assert inverse.by_kind[kind] == pytest.approx(same.by_kind[kind], abs=0.02)
    assert same.by_kind["noise"] == pytest.approx(2 * 2**0.5, rel=0.03)


def test_the_error_grows_with_flicker_and_is_its_size() -> None:
    found = []
    for strength in (4.0, 8.0):
        random = np.random.default_rng(0)

        levels = iter(random.normal(128, strength, 1000))

        def flickering(frame: Pixels, levels: Iterator[float] = levels) -> Pixels:
            return np.full_like(frame, next(levels))

        found.append(errors_of(flickering, {"pan": MOTIONS["pan"]}).by_kind["pan"])
    assert found[1] == pytest.approx(2 * found[0], rel=0.1)


def test_a_pattern_that_stays_on_the_screen_is_seen() -> None:
    pattern = noise(3, 96, 96) // 4

    def screen(frame: Pixels) -> Pixels:
        return frame // 2 + pattern

    found = errors_of(screen)
    still, moving = found.by_kind["noise"], found.by_kind["pan"]
    assert moving > 5 * still


def test_overall_counts_each_kind_the_same() -> None:
    errors = Errors({"a": Squares(9.0, 1), "b": Squares(100.0, 100)})
    assert errors.by_kind == {"a": 3.0, "b": 1.0}
    assert errors.overall == pytest.approx(5**0.5)


def test_contenders_of_one_model_share_its_pictures() -> None:
    calls = []

    def model(frame: Pixels) -> Pixels:
        calls.append(1)
        return frame

    made = []

    def smoother() -> Callable[[Pixels, Pixels], Pixels]:
        made.append(1)
        return lambda frame, picture: np.full_like(picture, 9)

    ticks: list[int] = []
    takes = known_takes([smooth_photo()], size=96, count=3, seed=0)
    found = measure(
        takes,
        [Contender("frames"), Contender("m", model), Contender("s", model, smoother)],
        lambda: ticks.append(1),
    )
    assert len(calls) == len(ticks) == 3 * len(MOTIONS)
    assert len(made) == len(MOTIONS)  # a new one for each sequence
    assert found["frames"].overall == found["m"].overall > 0
    assert found["s"].overall == 0


def test_the_default_photos_are_there_and_large_enough() -> None:
    for path in default_photos():
        photo = load(path)
        next(sequence(photo, Motion(), size=256, count=8, seed=0))


def test_a_view_of_another_scale_is_a_step() -> None:
    step = Step.between(View(10, 20, 2.0), View(14, 21, 1.0))
    # Frame point 8 is at the photo's 14 + 8 = 22, which was at (22 - 10) / 2.
    assert step.scale * 8 + step.x == 6.0
    assert step.scale * 8 + step.y == 4.5
