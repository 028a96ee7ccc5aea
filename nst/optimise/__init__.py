"""The reference: Gatys' method, the pixels themselves optimised on the perceptual loss.

The engines yield a record after each iteration; they print nothing and write no file, and may be
left at any record.
"""

from nst.optimise.engine import minimise, optimise
from nst.optimise.pyramid import Method, Style, Subject, render
from nst.optimise.start import start_image
from nst.optimise.steps import Objective, Step

__all__ = [
    "Method",
    "Objective",
    "Step",
    "Style",
    "Subject",
    "minimise",
    "optimise",
    "render",
    "start_image",
]
