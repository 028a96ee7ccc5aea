"""What `nst optimise` works on: the pictures read, resized and recoloured, with their regions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nst import shipped
from nst.colour import keep_luminance, luminance, match_colours, match_luminance
from nst.errors import NstError, unknown
from nst.files import sha256_of
from nst.images import MAX_PIXELS, Picture, load, stretch
from nst.masks import match_regions
from nst.optimise import Step, Style, Subject
from nst.optimise.start import STARTS
from nst.tensors import to_array, to_tensor
from nst.vgg import MIN_SIDE

_WIDEST = 64  # pixels of margin, far more than a border shows


@dataclass(frozen=True)
class Controls:
    """The pictures: sizes, colours, regions, and where to start.

    Attributes:
        size: Of the photo: 512 shrinks it to a long side of at most 512 pixels, 512^2 to an area
            of at most 512 × 512, and 400x300 stretches it to exactly that. By default its own.
        restore_size: Give the result the photo's own size again.
        margin: Pixels around the photo, its mirror image, that are painted too and then cut off:
            VGG sees less at a border, and would have a rim painted.
        style_size: Size of the style pictures, and so of the strokes: 512 for a short side of 512
            pixels, "content" for exactly the photo's size, "area" for as many pixels as the photo
            has. By default the photo's short side.
        style_weights: One for each style, by default all the same.
        keep_colour: Keep the photo's colours: "match" gives them to the styles, "luminance" takes
            nothing but the brightness of the strokes.
        content_mask: Picture of the photo's regions, each in a flat colour.
        style_mask: The same of each style; a region of the photo takes after that of its colour.
        similarity: Weights of the style layers as zandian2022 has them.
        start: Where to start: wash (the photo, pale and in the style's colours), content, noise,
            style, content+noise, network, or a picture's file.
        start_model: Model for the start "network".
        start_style: Style that comes with nst, for the start "network". By default the one that
            was trained on the style picture.
    """

    size: int | str | None = None
    restore_size: bool = False
    margin: int = 0
    style_size: int | str | None = None
    style_weights: list[float] | None = None
    keep_colour: Literal["none", "match", "luminance"] = "none"
    content_mask: str | None = None
    style_mask: list[str] | None = None
    similarity: Literal["content", "balanced", "style"] | None = None
    start: str = "content"
    start_model: str | None = None
    start_style: str | None = None


@dataclass(frozen=True)
class Scene:
    """Pictures ready to be optimised.

    Attributes:
        original: The photo as it was read.
        photo: The same at the size that is worked at.
        subject: Photo and its regions with the margin, and styles, as tensors on the CPU.
        start_picture: Where to start if it is none of the engine's starts, of the subject's size.
        controls: What they were made with.
    """

    original: Picture
    photo: Picture
    subject: Subject
    start_picture: Tensor | None
    controls: Controls

    def draw(self, step: Step) -> Picture:
        """The finished picture of a record, of whatever level: size, colours and alpha."""
        margin = self.controls.margin
        width, height = self.photo.size
        framed = stretch(Picture(to_array(step.image)), (width + 2 * margin, height + 2 * margin))
        picture = Picture(framed.rgb[margin : margin + height, margin : margin + width])
        if self.controls.keep_colour == "luminance":
            picture = replace(picture, rgb=keep_luminance(self.photo.rgb, picture.rgb))
        base = self.original if self.controls.restore_size else self.photo
        return replace(base, rgb=stretch(picture, base.size).rgb)


def read_scene(content: str, styles: Sequence[str], controls: Controls) -> Scene:
    """Read the pictures and prepare them.

    Args:
        content: The photo's file.
        styles: Those of the styles.
        controls: What to make of them.

    Raises:
        NstError: A picture that cannot be read or is too small, or controls that do not fit.
    """
    if not 0 <= controls.margin <= _WIDEST:
        raise NstError(f"margin is {controls.margin}: give 0 to {_WIDEST} pixels.")
    original = load(content)
    photo = _sized(original, _working_size(original.size, controls.size))
    weights = controls.style_weights or [1.0] * len(styles)
    if len(weights) != len(styles):
        raise NstError(f"{len(weights)} style weights for {len(styles)} styles: give one for each.")
    paintings = [_style(path, photo, controls) for path in styles]
    regions = _regions(photo.rgb, paintings, controls)
    grey = controls.keep_colour == "luminance"
    framed = _framed(photo.rgb, controls.margin)
    subject = Subject(
        to_tensor(luminance(framed) if grey else framed),
        tuple(
            Style(to_tensor(rgb), weight, masks)
            for rgb, weight, masks in zip(paintings, weights, regions[1:], strict=True)
        ),
        regions[0],
    )
    return Scene(original, photo, subject, _start_picture(photo, styles, controls), controls)


def _framed(rgb: NDArray[np.uint8], margin: int) -> NDArray[np.uint8]:
    """(H, W, 3) with its mirror image around it."""
    return np.pad(rgb, ((margin, margin), (margin, margin), (0, 0)), "reflect")


def on_device(subject: Subject, device: torch.device) -> Subject:
    """The same pictures and masks on another device."""

    def moved(masks: Tensor | None) -> Tensor | None:
        return None if masks is None else masks.to(device)

    return Subject(
        subject.content.to(device),
        tuple(Style(s.image.to(device), s.weight, moved(s.masks)) for s in subject.styles),
        moved(subject.masks),
    )


def _working_size(own: tuple[int, int], size: int | str | None) -> tuple[int, int]:
    """Width and height to work at."""
    width, height = own
    text = "" if size is None else str(size)
    if exact := re.fullmatch(r"(\d+)[x×](\d+)", text):
        wanted = (int(exact[1]), int(exact[2]))
    elif limit := re.fullmatch(r"(\d+)(\^2)?", text):
        present = (width * height) ** 0.5 if limit[2] else max(width, height)
        factor = min(1.0, int(limit[1]) / present)
        wanted = (max(1, round(factor * width)), max(1, round(factor * height)))
    elif size is None:
        wanted = own
    else:
        raise NstError(
            f"size is {text!r}: give a long side as 512, an area as 512^2 or a size as 400x300."
        )
    return wanted


def _style(path: str, photo: Picture, controls: Controls) -> NDArray[np.uint8]:
    picture = load(path)
    width, height = picture.size
    size = min(photo.size) if controls.style_size is None else controls.style_size
    if size == "content":
        wanted = photo.size
    elif isinstance(size, str) and size != "area":
        raise NstError(f"style size is {size!r}: give a short side as 512, 'content' or 'area'.")
    else:
        ratio = photo.size[0] * photo.size[1] / (width * height)
        factor = ratio**0.5 if isinstance(size, str) else size / min(width, height)
        wanted = (round(factor * width), round(factor * height))
    picture = _sized(picture, wanted)
    if controls.keep_colour == "match":
        return match_colours(picture.rgb, photo.rgb)
    if controls.keep_colour == "luminance":
        return match_luminance(picture.rgb, photo.rgb)
    return picture.rgb


def _sized(picture: Picture, size: tuple[int, int]) -> Picture:
    width, height = size
    if min(size) < MIN_SIDE or width * height > MAX_PIXELS:
        needs = f"the loss network needs at least {MIN_SIDE} each way"
        limit = needs if min(size) < MIN_SIDE else f"{MAX_PIXELS} in all are the most"
        raise NstError(f"{picture.name} comes to {width}×{height} pixels: {limit}.")
    return stretch(picture, size)


def _regions(
    photo: NDArray[np.uint8], paintings: Sequence[NDArray[np.uint8]], controls: Controls
) -> list[Tensor | None]:
    """The masks of the photo and of each style, or None for each."""
    if controls.content_mask is None and not controls.style_mask:
        return [None] * (1 + len(paintings))
    if controls.content_mask is None or not controls.style_mask:
        given, missing = ("--content-mask", "--style-mask")
        if controls.content_mask is None:
            given, missing = missing, given
        raise NstError(f"{given} without {missing}: give both, with one mask for each style.")
    found = match_regions(
        load(controls.content_mask).rgb,
        [load(path).rgb for path in controls.style_mask],
        (photo.shape[0], photo.shape[1]),
        [(rgb.shape[0], rgb.shape[1]) for rgb in paintings],
    )
    side = (controls.margin, controls.margin)
    content = np.pad(found.content, ((0, 0), side, side), "reflect")
    return [torch.from_numpy(masks) for masks in (content, *found.styles)]


def _start_picture(photo: Picture, styles: Sequence[str], controls: Controls) -> Tensor | None:
    """The start that is none of the engine's own: a file, or what a network makes of the photo."""
    start = controls.start
    if controls.start_model is not None or controls.start_style is not None or start == "network":
        return to_tensor(_framed(_by_network(photo, styles, controls), controls.margin))
    if start in STARTS:
        return None
    if not Path(start).suffix and not Path(start).is_file():
        raise unknown("start", start, [*STARTS, "FILE.png"])
    return to_tensor(_framed(stretch(load(start), photo.size).rgb, controls.margin))


def _by_network(photo: Picture, styles: Sequence[str], controls: Controls) -> NDArray[np.uint8]:
    if controls.start_model is not None and controls.start_style is not None:
        raise NstError("both --start-model and --start-style are given: give one of them.")
    model: str | Path | None = controls.start_style
    if controls.start_model is not None:
        model = Path(controls.start_model)
    elif model is None:
        digest = sha256_of(styles[0])
        trained = [s for s in shipped.styles() if s.facts.style_image_sha256 == digest]
        if not trained:
            raise NstError(
                f"no network that comes with nst was trained on {styles[0]}: give --start-model "
                "FILE or --start-style NAME."
            )
        model = trained[0].path
    import onnxruntime

    from nst.styliser import Styliser

    # On stderr there is one line per error, and it is ours.
    onnxruntime.set_default_logger_severity(4)
    return Styliser(model).stylise(photo).rgb
