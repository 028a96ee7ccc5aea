"""Rewrites of a network for its export: the same function in fewer and better operations."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.network import TransformNet
from nst.network.layers import MERGED_TAPS, ConvNorm, UpConv
from nst.network.transform import OUTPUT_SCALE

UP_CONV_NORM = 4.0
"""Largest Euclidean norm of the taps to one channel of an up-sampling convolution before a norm.

Photos' features keep variances of 3 and more there (of 14 photos in twelve networks), a hundred
times the norm's epsilon.
"""


@torch.no_grad()
def without_drift(net: TransformNet) -> TransformNet:
    """A copy of a network whose flat pictures stay flat, however long it was trained.

    A norm takes the scale of the convolution before it back, so that scale matters to no photo, and
    training lets it drift away to 40 and more. But the rounding of a flat picture grows with it,
    and no longer vanishes beside the norm's epsilon. Where weights were not large, or no norm
    follows, all stays as it is. Not exact, as the epsilon counts for a little more: of seven
    networks the pictures of `check_parity` change by half of 1/255 at the most.
    """
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, ConvNorm) and isinstance(up := module[0], UpConv):
            norms = up.weight.flatten(1).norm(dim=1)
            up.weight *= (UP_CONV_NORM / norms).clamp(max=1.0)[:, None, None, None]
    return net


class ShuffledUpConv(nn.Module):
    """`UpConv` as one 2×2 convolution and a pixel shuffle, in 4/9 of the products.

    A doubled pixel's 3×3 neighbourhood holds 2×2 pixels of the input. One axis: of taps
    (w0, w1, w2) the first of two pixels sees (w0, w1 + w2), the second (w0 + w1, w2). At the place
    between two pixels of the input, the second of one and the first of the next see the same two:
    one convolution gives both, and what lies beyond the border is cut off.
    """

    def __init__(self, up: UpConv):
        super().__init__()
        merged = MERGED_TAPS.to(up.weight)
        weight = torch.einsum("aik,bjl,ockl->oabcij", merged, merged, up.weight)
        self.conv = nn.Conv2d(
            up.in_channels,
            4 * up.out_channels,
            2,
            bias=up.bias is not None,
            dtype=up.weight.dtype,
        )
        with torch.no_grad():
            self.conv.weight.copy_(weight.flatten(0, 2))
            if up.bias is not None and self.conv.bias is not None:
                self.conv.bias.copy_(up.bias.repeat_interleave(4))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        y: Tensor = self.conv(F.pad(x, (1, 1, 1, 1), mode="replicate"))
        return F.pixel_shuffle(y, 2)[..., 1:-1, 1:-1]


class Folded(nn.Module):
    """A `TransformNet` whose constants are part of its weights.

    The first norm removes any constant, and with it the 0.5 that is taken from the photo; the
    scale of the output goes into the last convolution.
    """

    def __init__(self, net: TransformNet):
        super().__init__()
        self.body, self.photo = net.body, net.photo
        last = self.body[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        with torch.no_grad():
            last.weight *= OUTPUT_SCALE
            last.bias *= OUTPUT_SCALE
            if self.photo is None:
                last.bias += 0.5

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to the same."""
        y: Tensor = self.body(image)[..., : image.shape[-2], : image.shape[-1]]
        return y if self.photo is None else y + self.photo(image)


def rewritten(net: nn.Module) -> nn.Module:
    """A copy of a network in fewer operations, which does the same; others stay as they are."""
    net = copy.deepcopy(net)
    if isinstance(net, TransformNet):
        net = Folded(net)
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if isinstance(child, UpConv):
                setattr(parent, name, ShuffledUpConv(child))
    return net
