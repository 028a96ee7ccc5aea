"""The image transformation network: Johnson et al. 2016, with what later practice replaced.

Departures from arXiv 1603.08155: instance normalisation (arXiv 1607.08022) instead of batch
normalisation; reflection padding in every convolution and nearest-neighbour up-sampling with a
convolution instead of transposed convolutions (arXiv 1610.07629), against borders and
checkerboards; no tanh at the end, which dulls vivid styles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nst.errors import NstError, unknown
from nst.network.layers import ConvNorm, ReflectConv, Residual, ThinConv, UpConv

# The last convolution sums over 81 positions of every channel: without this, one step of Adam at a
# learning rate of 1e-3 would move the output by more than its range. (Johnson et al. work in 0-255
# with 150 · tanh, which comes to the same.)
OUTPUT_SCALE = 0.05


def _standard(width: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """Johnson's layers around the residual blocks: c9s1-w, d2w, d4w and u2w, uw, c9s1-3."""
    return [
        ConvNorm(ReflectConv(3, width, 9)),
        ConvNorm(ReflectConv(width, 2 * width, 3, 2)),
        ConvNorm(ReflectConv(2 * width, 4 * width, 3, 2)),
    ], [
        ConvNorm(UpConv(4 * width, 2 * width)),
        ConvNorm(UpConv(2 * width, width)),
        ThinConv(width, 3, 9),
    ]


def _live(width: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """The same without features at full size, where most of the time goes: c5s2-2w, d4w, u2w, u3.

    The kernel of the first convolution overlaps its stride, and the last layer is `UpConv`, too:
    flat pictures stay flat. Against stripes elsewhere there is a penalty while training.
    """
    return [
        ConvNorm(ReflectConv(3, 2 * width, 5, 2)),
        ConvNorm(ReflectConv(2 * width, 4 * width, 3, 2)),
    ], [
        ConvNorm(UpConv(4 * width, 2 * width)),
        UpConv(2 * width, 3, bias=True),
    ]


@dataclass(frozen=True)
class Configuration:
    """What the network of a name is.

    Attributes:
        layers: From the width, makes the layers before and after the residual blocks.
        width: If none is asked for.
    """

    layers: Callable[[int], tuple[list[nn.Module], list[nn.Module]]]
    width: int


NETWORKS = {"standard": Configuration(_standard, 32), "live": Configuration(_live, 8)}
"""The configurations by name: "standard" for the best pictures, "live" for the least time."""


class TransformNet(nn.Module):
    """Layers down to a quarter of the size, residual blocks, and up again; for any picture size."""

    def __init__(
        self,
        network: str = "standard",
        width: int | None = None,
        blocks: int = 5,
        photo_skip: bool = True,
    ):
        """Build the network with random weights.

        Args:
            network: A key of `NETWORKS`.
            width: A quarter of the channels of the residual blocks: the standard network's at full
                size. By default the configuration's; 32 is Johnson's, 16 their released half width.
            blocks: Residual blocks at a quarter of the size.
            photo_skip: Add the photo itself, instance-normalised, to the output. The network then
                starts from the photo, in the style's colours after `start_from`, and need not
                learn to copy it first. It stays blind to the photo's contrast.

        Raises:
            NstError: No such network, a width below 1 or a negative number of blocks.
        """
        super().__init__()
        if network not in NETWORKS:
            raise unknown("network", network, NETWORKS)
        width = NETWORKS[network].width if width is None else width
        if width < 1 or blocks < 0:
            raise NstError(
                f"width {width} with {blocks} blocks is no network: give at least 1 and 0."
            )
        before, after = NETWORKS[network].layers(width)
        self._after_blocks = len(after)
        self.body = nn.Sequential(*before, *(Residual(4 * width) for _ in range(blocks)), *after)
        # The larger epsilon keeps the noise of a flat photo from being blown up to full contrast.
        self.photo = nn.InstanceNorm2d(3, eps=1e-3, affine=True) if photo_skip else None

    @torch.no_grad()
    def take_over(self, other: TransformNet) -> None:
        """Become another network of the same width, or a deeper one that does the same so far.

        Residual blocks beyond the other's start as the identity: the scale of their last norm is
        zero (Goyal et al. 2017, arXiv 1706.02677, section 5.1).

        Args:
            other: Of the same configuration, width and photo skip, with as many blocks or fewer.
        """
        extra = len(self.body) - len(other.body)
        last_block = len(other.body) - self._after_blocks
        for index, layer in enumerate(other.body):
            place = index if index < last_block else index + extra
            self.body[place].load_state_dict(layer.state_dict())
        for block in self.body[last_block : last_block + extra]:
            assert isinstance(block, Residual)
            nn.init.zeros_(block.last_norm.weight)
        if self.photo is not None and other.photo is not None:
            self.photo.load_state_dict(other.photo.state_dict())

    @property
    def norm_parameters(self) -> list[str]:
        """Names of the scales and shifts of its instance norms, the photo's included."""
        return [
            f"{name}.{kind}"
            for name, module in self.named_modules()
            if isinstance(module, nn.InstanceNorm2d)
            for kind in ("weight", "bias")
        ]

    @property
    def min_size(self) -> int:
        """Smallest height and width in pixels: reflection needs more than it pads.

        Four pixels are padded at full size, or two, and one at a quarter of it.
        """
        return 5

    @torch.no_grad()
    def start_from(self, style: Tensor) -> None:
        """Give the photo's skip the mean and deviation of each of the style's colours.

        Args:
            style: (1, 3, H, W) in [0, 1].
        """
        if self.photo is not None:
            deviation, mean = torch.std_mean(style[0].flatten(1), dim=1)
            self.photo.weight.copy_(deviation)
            self.photo.bias.copy_(mean)

    def forward(self, image: Tensor) -> Tensor:
        """Stylise pictures.

        Args:
            image: (B, 3, H, W), RGB in [0, 1], H and W at least `min_size`.

        Returns:
            (B, 3, H, W), about [0, 1], not clamped.

        Raises:
            NstError: The picture is smaller than `min_size`.
        """
        height, width = image.shape[-2:]
        if not torch.compiler.is_exporting() and min(height, width) < self.min_size:
            raise NstError(f"{width}×{height} pixels: the network needs {self.min_size} each way.")
        # Two strided convolutions round odd sizes up; the rest is cut off again.
        y: Tensor = self.body(image - 0.5)[..., :height, :width]
        return OUTPUT_SCALE * y + (0.5 if self.photo is None else self.photo(image))
