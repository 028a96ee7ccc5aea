"""Seeing an optimisation happen: a progress bar, saved pictures, an animation, a log of the losses.

Each is a context manager that gives a `Watcher`, to be called after every iteration.
"""

from nst.watching.animation import animation, check_animation
from nst.watching.log import loss_log, plot_path
from nst.watching.progress import Stage, losses, progress
from nst.watching.snapshots import snapshots
from nst.watching.watcher import Watcher

__all__ = [
    "Stage",
    "Watcher",
    "animation",
    "check_animation",
    "loss_log",
    "losses",
    "plot_path",
    "progress",
    "snapshots",
]
