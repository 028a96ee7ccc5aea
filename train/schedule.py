"""How far a training is, and the learning rate there."""

from __future__ import annotations

import math
from typing import Literal

Decay = Literal["cosine", "late", "none"]


def progress(step: int, max_steps: int, minutes: float, max_minutes: float | None) -> float:
    """Share of the training that is done, 0 to 1, by steps or by minutes, whichever is further.

    Args:
        step: Optimiser steps done.
        max_steps: Steps after which training ends; below 1 for no limit.
        minutes: Minutes trained, earlier runs of a resumed training included.
        max_minutes: Minutes after which training ends, if any.
    """
    by_steps = step / max_steps if max_steps > 0 else 0.0
    by_time = minutes / max_minutes if max_minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def learning_rate(
    peak: float, step: int, done: float, warmup_steps: int, decay: Decay = "cosine"
) -> float:
    """Linear warm-up to the peak, and decay to nothing as the training ends.

    Args:
        peak: The highest rate.
        step: Optimiser steps done.
        done: From `progress`.
        warmup_steps: Steps of the warm-up.
        decay: Half a cosine from the start ("cosine") or in the second half ("late": a constant
            rate with a cooldown, Hägele et al. 2024, arXiv 2405.18392), or none.
    """
    fallen = {"cosine": done, "late": max(0.0, 2 * done - 1), "none": 0.0}[decay]
    warmup = min(1.0, (step + 1) / (warmup_steps + 1))
    return peak * warmup * 0.5 * (1 + math.cos(math.pi * fallen))
