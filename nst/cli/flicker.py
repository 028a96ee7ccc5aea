"""`nst flicker`: how much models flicker, on photos that move in a known way."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from nst import shipped
from nst.cli.bar import bar
from nst.cli.targets import find_sources
from nst.errors import NstError, unknown
from nst.files import atomic_write
from nst.flicker.error import BORDER
from nst.flicker.measure import Contender, Take, known_takes, measure
from nst.flicker.motion import MOTIONS, check
from nst.flicker.photos import default_photos
from nst.flicker.report import Setting, as_json, print_table
from nst.flicker.smooth import Smoother, smoothing
from nst.images import Picture, load


def flicker(
    inputs: list[str],
    *,
    clip: str | None = None,
    smooth: bool = False,
    smooth_strength: float | None = None,
    size: int = 256,
    frames: int = 8,
    clip_frames: int = 100,
    seed: int = 0,
    json: str | None = None,
    provider: str = "auto",
    threads: int = 0,
) -> None:
    """Measure how much models flicker, on photos that move in a known way.

    Args:
        inputs: Models that `python -m export` wrote or names of styles that come with nst, and
            photos, folders of photos, or patterns such as "*.jpg". Without a model the default
            style is measured, without photos five that come with nst are used.
        clip: Video or animation to measure in place of photos, by motion that is estimated.
        smooth: Measure each model with smoothing, too.
        smooth_strength: Part of a picture that smoothing takes from the one before, below 1; by
            default 0.8. The frames are smoothed by the motion that is estimated, and judged by the
            one that is known.
        size: Side of the photos' frames in pixels; a clip's are shrunk to this short side.
        frames: Frames of each photo and motion.
        clip_frames: How many of the clip's frames, the first ones.
        seed: Seed of the sensor's noise.
        json: File for all that was measured, for programs.
        provider: Where to run, such as cpu, cuda or coreml; auto takes the fastest there is.
        threads: CPU threads; 0 for one per core.
    """
    models, sources = _sorted(inputs)
    _check(size, {"--frames": frames, "--clip-frames": clip_frames})
    strength = smoothing(smooth, smooth_strength)
    photos = [] if clip and not sources else _photos(sources, size, frames)
    if clip and photos:
        raise NstError(f"both the clip {clip} and photos are given: give one of them.")

    # onnxruntime takes longer to import than all the rest: not for `--help`, nor for wrong inputs.
    import onnxruntime

    # On stderr there is one line per error, and it is ours.
    onnxruntime.set_default_logger_severity(4)
    contenders = _contenders(models, strength, provider, threads)
    names = tuple(Path(photo.name).name for photo in photos)
    setting = Setting(names, clip, size, clip_frames if clip else frames, seed, strength)
    # The file first: that it cannot be written is said before the work.
    with (
        atomic_write(json) if json else contextlib.nullcontext() as file,
        _takes(setting, photos) as (count, takes),
        bar("measuring", count) as watch,
    ):
        found = measure(takes, contenders, watch)
        if file:
            file.write_text(as_json(found, setting), encoding="utf-8")
    print_table(found, setting)
    if json:
        print(f"nst: {json}")


@contextlib.contextmanager
def _takes(
    setting: Setting, photos: Sequence[Picture]
) -> Iterator[tuple[int, Iterable[tuple[str, Take]]]]:
    """How many frames there are, and the frames."""
    size, count = setting.size, setting.frames
    if setting.clip is None:
        takes = known_takes(photos, size=size, count=count, seed=setting.seed)
        yield len(photos) * len(MOTIONS) * count, takes
        return
    # It brings what reads videos.
    from nst.flicker.clips import clip_take

    with clip_take(Path(setting.clip), size=size, count=count) as (known, take):
        yield known, [("clip", take)]


def _sorted(inputs: Sequence[str]) -> tuple[dict[str, Path], list[str]]:
    """The models by what to call them, and what stands for photos."""
    models: dict[str, Path] = {}
    photos = []
    known = {name: style for style in shipped.styles() for name in (style.path.stem, style.name)}
    for text in inputs:
        path = Path(text)
        if path.suffix.lower() == ".onnx":
            models[path.stem if path.stem not in models else text] = path
        elif text in known and not path.exists():
            models[text] = shipped.find(text).path
        elif text.replace("-", "").isalnum() and not path.exists():
            raise unknown("style or folder of photos", text, known)
        else:
            photos.append(text)
    if not models:
        style = shipped.find(moving=True)
        models[style.path.stem] = style.path
    return models, photos


def _check(size: int, counts: Mapping[str, int]) -> None:
    least = 4 * BORDER  # half of it is judged
    if size < least:
        raise NstError(f"--size is {size}: give {least} pixels or more.")
    for option, count in counts.items():
        if count < 2:
            raise NstError(f"{option} is {count}: give 2 or more.")


def _photos(inputs: Sequence[str], size: int, frames: int) -> list[Picture]:
    """The photos, all read first, so that what is wrong with one is said before the work."""
    found = []
    for path in find_sources(inputs) if inputs else default_photos():
        if path is None:
            raise NstError("nst flicker reads no photo from stdin: give files or folders.")
        photo = load(path)
        check(photo, size=size, count=frames)
        found.append(photo)
    return found


def _contenders(
    models: dict[str, Path], strength: float | None, provider: str, threads: int
) -> list[Contender]:
    """The frames, and each model without and with smoothing."""
    from nst.styliser import Styliser

    found = [Contender("the frames themselves")]
    for name, path in models.items():
        model = Styliser(path, provider=provider, threads=threads)
        found.append(Contender(name, model))
        if strength is not None:
            smoother = functools.partial(Smoother, strength)
            found.append(Contender(f"{name}, smoothed", model, smoother))
    return found
