"""The losses: pure functions (`functional`), and the `PerceptualLoss` built of them."""

from nst.losses.perceptual import LossConfig, LossTerms, PerceptualLoss

__all__ = ["LossConfig", "LossTerms", "PerceptualLoss"]
