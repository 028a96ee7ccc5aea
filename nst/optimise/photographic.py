"""Photographs on photographs: the two stages and the smoothing of Luan et al. 2017.

"Deep Photo Style Transfer" (arXiv 1703.07511), section 3: the style first, without regard to the
photo's edges; its result starts the loss with the photorealism term, which from noise or from the
photo itself would find no way to the style; what noise is left goes with a locally affine map.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from nst.losses import PerceptualLoss
from nst.optimise.matting import locally_affine, matting_laplacian
from nst.optimise.pyramid import Method, Subject, render
from nst.optimise.steps import Step, record


def total_iterations(method: Method) -> int:
    """Updates of the picture in both stages of `photographic`."""
    return sum(method.per_level) + method.per_level[-1]


def photographic(
    loss: PerceptualLoss,
    subject: Subject,
    method: Method,
    *,
    start_picture: torch.Tensor | None = None,
) -> Iterator[Step]:
    """Give a photo the look of another photo, and leave it a photo.

    The first stage is `render` without the affine term. The second is the whole loss, at the
    photo's size, for as many iterations as the finest level of the first. Then the best picture is
    smoothed. Each stage counts as one level more, so that `Step.beats` prefers the later one.
    Without masks the photo is one region.

    Args:
        loss: Any with an affine weight; its styles and matting Laplacian are set here.
        subject: The pictures.
        method: The solver and its numbers; pixels that are clipped are so after the smoothing too.
        start_picture: The first stage's start instead of the method's, (1, 3, h, w) in [0, 1].

    Returns:
        An iterator over the records of both stages and one of the smoothed picture, which can be
        left at any time.

    Raises:
        NstError: What `render` raises, or a photo smaller than 3 × 3.
    """
    unclipped = replace(method, clip_last=False)
    first = render(loss.without_affine(), subject, unclipped, start_picture=start_picture)
    return _stages(loss, subject, unclipped, first, clip=method.clip or method.clip_last)


def _stages(
    loss: PerceptualLoss, subject: Subject, method: Method, first: Iterator[Step], *, clip: bool
) -> Iterator[Step]:
    began = time.perf_counter()
    best: Step | None = None
    for last in first:
        last = replace(last, levels=last.levels + 2)
        best = last if best is None or last.beats(best) else best
        yield last
    assert best is not None
    before = last
    loss.set_matting(matting_laplacian(subject.content))
    finest = replace(method, iterations=method.per_level[-1])
    for step in render(loss, subject, finest, start_picture=best.image):
        last = replace(
            step,
            iteration=before.iteration + step.iteration,
            evaluations=before.evaluations + step.evaluations,
            seconds=time.perf_counter() - began,
            level=before.level + 1,
            levels=before.levels,
        )
        best = last if last.beats(best) else best
        yield last
    yield _smoothed(loss, subject, best, last, began, clip=clip)


def _smoothed(
    loss: PerceptualLoss, subject: Subject, best: Step, last: Step, began: float, *, clip: bool
) -> Step:
    """The record of the best picture, smoothed."""
    with torch.no_grad():
        image = locally_affine(best.image.to(subject.content), subject.content)
        image = image.clamp(0, 1) if clip else image
        terms = loss(image, loss.content_targets(subject.content))
    smoothed = record(
        image, terms, iteration=last.iteration, evaluations=last.evaluations + 1, began=began
    )
    return replace(smoothed, level=last.level + 1, levels=last.levels)
