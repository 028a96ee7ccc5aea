"""Coarse to fine: a picture optimised at a small size starts the next larger one.

Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer", section 7: what is
large is settled where an iteration costs little.

What is carried up is the picture, with the photo's detail that the smaller size could not show.
L-BFGS and its preconditioner begin each level anew: taking up the pairs of the level below,
resized, was tried from 32 to 64 px: as good as nothing after ten iterations, and worse before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch.nn.functional as F
from torch import Tensor

from nst.errors import NstError
from nst.losses import PerceptualLoss
from nst.optimise.engine import check_numbers, minimise
from nst.optimise.start import check_start, resized, start_image
from nst.optimise.steps import Step
from nst.tensors import return_freed_memory

SMALLEST = 64
"""Short side in pixels below which a picture shows too little for a level of its own."""


@dataclass(frozen=True)
class Style:
    """A style picture.

    Attributes:
        image: (1, 3, h, w) in [0, 1].
        weight: Its share, against those of the other styles.
        masks: Its regions, (R, h, w) in [0, 1].
    """

    image: Tensor
    weight: float = 1.0
    masks: Tensor | None = None


@dataclass(frozen=True)
class Subject:
    """What is painted, and after which styles.

    Attributes:
        content: The photo, (1, 3, H, W) in [0, 1].
        styles: One or more.
        masks: The photo's regions, (R, H, W) in [0, 1]; region r takes the style's region r.
    """

    content: Tensor
    styles: tuple[Style, ...]
    masks: Tensor | None = None


@dataclass(frozen=True)
class Method:
    """How the picture is optimised.

    Attributes:
        optimiser: "lbfgs", "scipy" (SciPy's L-BFGS-B) or "adam".
        iterations: Updates of the picture at each level, from the coarsest to the finest, which
            has the picture's own size; one number is one level.
        scale_step: Ratio of the sizes of neighbouring levels.
        detail: Part of the photo's fine detail that a picture gets when it is enlarged for the next
            level, which would else have to bring it back.
        evaluations: Evaluations in each iteration of SciPy's.
        history: Curvature pairs that both L-BFGS keep.
        precondition: Updates after which "lbfgs" goes on in coordinates scaled by the curvature of
            the loss, which it measures then; 0 for never.
        learning_rate: Of Adam, for pixels in [0, 1].
        start: Where to start: "wash", "content", "noise", "style", "content+noise" or "network".
        noise: Half-width of the noise of "content+noise", for pixels in [0, 1].
        noise_kind: "uniform" in [0, 1], "gaussian" or "ac209b".
        clip: Clip the pixels to [0, 1] after every update.
        clip_last: Clip the pixels of the last picture alone.
        seed: Seed of the noise.
    """

    optimiser: str = "lbfgs"
    iterations: list[int] | int = field(default_factory=lambda: [40, 170])
    scale_step: float = 2.0
    detail: float = 1.0
    evaluations: int = 20
    history: int = 10
    precondition: int = 10
    learning_rate: float = 0.02
    start: str = "wash"
    noise: float = 0.25
    noise_kind: str = "uniform"
    clip: bool = False
    clip_last: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            NstError: An unknown name, a number out of range, or no level.
        """
        if not self.per_level:
            raise NstError("iterations is empty: give a number for each level.")
        for iterations in self.per_level:
            check_numbers(
                self.optimiser, iterations, self.history, self.learning_rate, self.evaluations
            )
        if self.precondition < 0:
            raise NstError(f"precondition is {self.precondition}: give 0 (never) or more updates.")
        check_start(self.start, self.noise, self.noise_kind)
        if not 0 <= self.detail <= 1:
            raise NstError(f"detail is {self.detail}: give a number from 0 to 1.")
        if not 1 < self.scale_step < float("inf"):
            raise NstError(f"scale_step is {self.scale_step}: give a number above 1, such as 2.")

    @property
    def per_level(self) -> list[int]:
        """Iterations of each level, the coarsest first."""
        return [self.iterations] if isinstance(self.iterations, int) else list(self.iterations)


@dataclass(frozen=True)
class Level:
    """A size at which the picture is optimised.

    Attributes:
        scale: Its sides, as a part of the whole picture's.
        iterations: Updates at this level.
    """

    scale: float
    iterations: int


def levels(method: Method, short_side: int) -> list[Level]:
    """The levels of an optimisation, the coarsest first.

    A level whose short side would be below `SMALLEST` is left out, and the next larger one does
    its iterations too. The finest always stays.

    Args:
        method: Its iterations and step.
        short_side: Of the smallest picture involved, in pixels.
    """
    found: list[Level] = []
    carried = 0
    counts = method.per_level
    for k, count in enumerate(counts):
        scale = method.scale_step ** (k + 1 - len(counts))
        carried += count
        if round(scale * short_side) >= SMALLEST or k == len(counts) - 1:
            found.append(Level(scale, carried))
            carried = 0
    return found


def render(
    loss: PerceptualLoss,
    subject: Subject,
    method: Method,
    *,
    start_picture: Tensor | None = None,
) -> Iterator[Step]:
    """Optimise a picture from coarse to fine.

    At each level all pictures and masks are shrunk by the same ratio, the loss gets its styles and
    targets anew, and the best picture of the level below is the start.

    Args:
        loss: Any; its styles are set here.
        subject: The pictures.
        method: The solver and its numbers.
        start_picture: The start instead of the method's, (1, 3, h, w) in [0, 1] of any size.

    Returns:
        An iterator over the records of all levels, n + 1 of a level of n iterations, which can be
        left at any time.

    Raises:
        NstError: No style, masks of one side only, or no picture for a start that needs one; while
            iterating, a loss that is not finite.
    """
    masked = [style.masks is not None for style in subject.styles]
    if not subject.styles:
        raise NstError("no style is given: give one at least.")
    if any(masked) != (subject.masks is not None) or any(masked) != all(masked):
        raise NstError("the photo has masks and a style has none, or the reverse: give both.")
    if start_picture is None and method.start == "network":
        raise NstError("start 'network' needs a picture: none is given.")
    return _render(loss, subject, method, start_picture)


def _render(
    loss: PerceptualLoss, subject: Subject, method: Method, picture: Tensor | None
) -> Iterator[Step]:
    began = time.perf_counter()
    pictures = [subject.content, *(style.image for style in subject.styles)]
    plan = levels(method, min(min(p.shape[2:]) for p in pictures))
    best: Step | None = None
    iterations, evaluations = 0, 0
    for number, level in enumerate(plan):
        small = _shrunk(subject, level.scale)
        if best is not None:
            picture = _enlarged(best.image, small.content, method.detail)
            # 0.27 of 3.96 GB at 1024 × 768 pixels.
            return_freed_memory()
        last = number == len(plan) - 1
        own = replace(method, iterations=level.iterations, clip_last=last and method.clip_last)
        for step in _level(loss, small, own, picture):
            placed = replace(
                step,
                iteration=iterations + step.iteration,
                evaluations=evaluations + step.evaluations,
                seconds=time.perf_counter() - began,
                level=number,
                levels=len(plan),
            )
            best = placed if best is None or placed.beats(best) else best
            yield placed
        iterations, evaluations = placed.iteration, placed.evaluations


def _level(
    loss: PerceptualLoss,
    subject: Subject,
    method: Method,
    picture: Tensor | None,
) -> Iterator[Step]:
    """The records of one level, whose pictures have its size but for the one it starts from."""
    _set_styles(loss, subject)
    targets = loss.content_targets(subject.content)
    if picture is not None:
        height, width = subject.content.shape[2:]
        start = resized(picture.to(subject.content), (height, width))
    else:
        start = start_image(
            method.start,
            subject.content,
            method.seed,
            style=max(subject.styles, key=lambda style: style.weight).image,
            noise=method.noise,
            noise_kind=method.noise_kind,
        )
    return minimise(
        lambda pixels: loss(pixels, targets),
        start,
        optimiser=method.optimiser,
        iterations=method.per_level[0],
        history=method.history,
        learning_rate=method.learning_rate,
        evaluations=method.evaluations,
        clip=method.clip,
        clip_last=method.clip_last,
        precondition=method.precondition,
    )


def _enlarged(picture: Tensor, content: Tensor, detail: float) -> Tensor:
    """A picture at the photo's size, with a part of what the photo shows at that size alone."""
    whole = (content.shape[2], content.shape[3])
    coarse = resized(resized(content, (picture.shape[2], picture.shape[3])), whole)
    return (resized(picture.to(content), whole) + detail * (content - coarse)).clamp(0, 1)


def _set_styles(loss: PerceptualLoss, subject: Subject) -> None:
    loss.set_styles(
        [(style.image, style.weight) for style in subject.styles],
        content_masks=subject.masks,
        style_masks=[style.masks for style in subject.styles if style.masks is not None],
    )


def _shrunk(subject: Subject, scale: float) -> Subject:
    """The same pictures and masks, smaller; at scale 1 the very same."""
    if scale == 1:
        return subject
    return Subject(
        _shrunk_picture(subject.content, scale),
        tuple(
            Style(_shrunk_picture(s.image, scale), s.weight, _shrunk_masks(s.masks, scale))
            for s in subject.styles
        ),
        _shrunk_masks(subject.masks, scale),
    )


def _shrunk_picture(image: Tensor, scale: float) -> Tensor:
    return resized(image, (round(scale * image.shape[2]), round(scale * image.shape[3])))


def _shrunk_masks(masks: Tensor | None, scale: float) -> Tensor | None:
    """(R, H, W); bilinear, so that they stay in [0, 1] and keep their sum."""
    if masks is None:
        return None
    size = (round(scale * masks.shape[1]), round(scale * masks.shape[2]))
    return F.interpolate(masks[None], size, mode="bilinear", antialias=True)[0]
