"""`nst stylise`: photos and clips in, stylised ones out."""

from __future__ import annotations

import sys
from pathlib import Path

from nst import shipped
from nst.cli.batch import run
from nst.cli.targets import Job, find_frames, find_sources, prepare
from nst.errors import NstError
from nst.images import DEFAULT_QUALITY, MAX_PIXELS
from nst.memory import parse_bytes
from nst.video import DEFAULT_FPS, is_clip


def stylise(
    inputs: list[str],
    *,
    output: str | None = None,
    style: str | None = None,
    model: str | None = None,
    max_size: int | None = None,
    stroke_scale: float = 1.0,
    grain: float | None = None,
    strength: float = 1.0,
    keep_colour: bool = False,
    format: str | None = None,
    quality: int = DEFAULT_QUALITY,
    crf: int | None = None,
    smooth: bool = False,
    smooth_strength: float | None = None,
    fps: float = DEFAULT_FPS,
    provider: str = "auto",
    threads: int = 0,
    memory: str | None = None,
    statistics: str = "quick",
    max_pixels: int = MAX_PIXELS,
) -> int:
    """Stylise photos and videos with a trained network.

    Args:
        inputs: Photos, videos, animations, folders of photos, patterns such as "*.jpg", numbered
            frames as frames/%04d.png, or - for stdin.
        output: File, folder (made if missing), numbered frames as out/%04d.png, or - for stdout.
            By default SOURCE-STYLE in the current folder. Photos become the frames of a clip if
            this is one.
        style: Name of a style that comes with nst; `nst styles` lists them.
        model: Model file that `python -m export` wrote, in place of a style.
        max_size: Shrink photos and frames first, to a long side of at most this many pixels.
        stroke_scale: How many times as large the strokes are, from 1. A network's strokes are so
            many pixels large in every photo: 4 suits one of 12 megapixels, looked at as a whole.
        grain: Smooth noise for the network where the photo hardly changes, from 0 to 1, so that its
            strokes there differ: 0.04 for a clear sky. By default what suits the style that comes
            with nst; none for models of your own and for clips, where it would stand still.
        strength: From 0, the photo, to 1, the stylised picture.
        keep_colour: Keep the photo's colours.
        format: jpg, png, webp or tiff; of clips mp4, mov, mkv, webm, gif, webp or png. By default
            by the output's extension, else the source's; png on stdout.
        quality: Of JPEG and WebP, from 1 to 100.
        crf: Constant quality of a video, from 0, the best; by default 18 for H.264 and 28 for VP9,
            which is what .webm holds.
        smooth: Keep clips from flickering: mix each picture with the one before, moved as the
            frames are seen to move. This needs OpenCV.
        smooth_strength: Part of a picture that smoothing takes from the one before, below 1; by
            default 0.8.
        fps: Frames per second of numbered frames.
        provider: Where to run, such as cpu, cuda or coreml; auto takes the fastest there is.
        threads: CPU threads; 0 for one per core.
        memory: Memory to get by with, such as 2G; by default most of what is free. Larger photos
            are done in tiles.
        statistics: What the tiles go by: quick, the photo shrunk to half a tile, or exact, the
            whole photo, as if it were done in one piece, in several times the time.
        max_pixels: Refuse photos with more pixels than this.

    Returns:
        0, or 1 if some of many photos failed.
    """
    if style is not None and model is not None:
        raise NstError(f"both style {style!r} and model {model!r} are given: give one of them.")
    limit = None if memory is None else parse_bytes(memory)
    frames = find_frames(inputs, output)
    sources: list[Path | None] = [frames[0]] if frames else find_sources(inputs)
    moving = bool(frames) or (sources[0] is not None and is_clip(sources[0]))

    def find(clip: bool) -> Path:
        return Path(model) if model is not None else shipped.find(style or "", moving=clip).path

    find(moving)

    # onnxruntime takes longer to import than all the rest: not for `--help`, nor for wrong inputs.
    # (Nor may `if TYPE_CHECKING` name it above: jsonargparse runs such blocks.)
    import onnxruntime

    from nst.cli.worker import Options, Worker
    from nst.flicker.smooth import smoothing
    from nst.styliser import Styliser

    # On stderr there is one line per error, and it is ours.
    onnxruntime.set_default_logger_severity(4)

    def read(path: Path, clip: bool) -> Styliser:
        return Styliser(
            path,
            provider=provider,
            threads=threads,
            memory=limit,
            statistics=statistics,
            spin=not clip,  # beside the network, frames are read and written
        )

    options = Options(
        max_size=max_size,
        stroke_scale=stroke_scale,
        grain=_grain(grain, style, model),
        clip_grain=grain or 0.0,
        strength=strength,
        keep_colour=keep_colour,
        format=format,
        quality=quality,
        crf=crf,
        fps=fps,
        max_pixels=max_pixels,
        smooth=smoothing(smooth, smooth_strength),
    )
    work = Worker(find, read, options)
    network = work.network(moving)
    if frames:
        jobs = [Job(frames[0], Path(output or ""), clip=True, frames=frames)]
    else:
        # As it was asked for: the networks of one style do not write over each other's pictures.
        label = style or network.facts.style or network.path.stem
        jobs = prepare(sources, output, label, format)
    options.check(jobs)
    if jobs[0].target is None and sys.stdout.isatty():
        raise NstError("a picture would be printed to the terminal: redirect it, or give -o FILE.")
    return run(jobs, work)


def _grain(asked: float | None, style: str | None, model: str | None) -> float:
    """That of pictures: what is asked for, or what suits the style."""
    if asked is not None:
        return asked
    return 0.0 if model is not None else shipped.find(style or "").grain
