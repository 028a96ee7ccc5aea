"""The losses: pure functions (`functional`), and the `PerceptualLoss` built of them."""

from nst.losses.config import LossConfig
from nst.losses.perceptual import LossTerms, PerceptualLoss

__all__ = ["LossConfig", "LossTerms", "PerceptualLoss"]
