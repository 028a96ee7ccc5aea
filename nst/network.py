"""The image transformation network: Johnson et al. 2016, with what later practice replaced.

Departures from arXiv 1603.08155: instance normalisation (arXiv 1607.08022) instead of batch
normalisation; reflection padding in every convolution and nearest-neighbour up-sampling with a
convolution instead of transposed convolutions (arXiv 1610.07629), against borders and
checkerboards; no tanh at the end, which dulls vivid styles.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst import winograd
from nst.errors import NstError

# The last convolution sums over 81 positions of every channel: without this, one step of Adam at a
# learning rate of 1e-3 would move the output by more than its range. (Johnson et al. work in 0-255
# with 150 · tanh, which comes to the same.)
_OUTPUT_SCALE = 0.05
# Layers that follow the residual blocks: two up-sampling ones and the last convolution.
_AFTER_BLOCKS = 3


class ReflectConv(nn.Conv2d):
    """A convolution with reflection padding and no bias."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__(
            inputs, outputs, kernel, stride, kernel // 2, bias=False, padding_mode="reflect"
        )

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H', W'), with H' = ceil(H / stride)."""
        if (
            (self.kernel_size, self.stride) != ((3, 3), (1, 1))
            or input.device.type != "cpu"
            or input.dtype != torch.float32
            or torch.is_autocast_enabled("cpu")
            or torch.compiler.is_compiling()
            or not winograd.pays(self.weight)
        ):
            return super().forward(input)
        y: Tensor = winograd.Conv3x3.apply(F.pad(input, (1, 1, 1, 1), mode="reflect"), self.weight)
        return y


class ConvNorm(nn.Sequential):
    """Reflection padding, convolution, instance normalisation, and maybe a ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, relu: bool = True
    ):
        super().__init__(
            # The norm removes any bias.
            ReflectConv(inputs, outputs, kernel, stride),
            nn.InstanceNorm2d(outputs, affine=True),
            *([nn.ReLU(inplace=True)] if relu else []),
        )


class Residual(nn.Module):
    """x + conv-norm-ReLU-conv-norm of x, with no ReLU after the addition."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(channels, channels, 3), ConvNorm(channels, channels, 3, relu=False)
        )

    @property
    def last_norm(self) -> nn.InstanceNorm2d:
        """The norm whose scale says how much the block adds."""
        norm = self.get_submodule("body.1.1")
        assert isinstance(norm, nn.InstanceNorm2d)
        return norm

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        y: Tensor = self.body(x)
        return x + y


class Up(nn.Module):
    """Nearest-neighbour up-sampling by two, then `ConvNorm`: no checkerboard."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.body = ConvNorm(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        conv, *rest = self.body
        if torch.compiler.is_exporting():
            x = conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        else:
            x = _double_and_convolve(x, conv.get_parameter("weight"))
        for layer in rest:
            x = layer(x)
        return x


def _double_and_convolve(x: Tensor, weight: Tensor) -> Tensor:
    """Nearest-neighbour up-sampling by two and a reflected 3×3 convolution, in 4/9 of the products.

    Doubling and convolving is one transposed convolution, whose 4×4 kernel is the 3×3 one spread
    over the two pixels that each becomes. What reflection finds beyond the doubled border is the
    outermost pixel of x itself.

    Args:
        x: (B, inputs, H, W).
        weight: (outputs, inputs, 3, 3).

    Returns:
        (B, outputs, 2H, 2W).
    """
    spread = weight.new_tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
    kernel = torch.einsum("ai,bj,ocij->coab", spread, spread, weight.flip(2, 3))
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return F.conv_transpose2d(padded, kernel, stride=2, padding=3)


class ThinConv(nn.Conv2d):
    """A large convolution with reflection padding to very few channels.

    Processors spend most of such a convolution on channels that are not there. There it is made of
    a convolution along the columns alone, with as many times the channels as the kernel is wide,
    and a sum of its rows, each shifted by its place in the kernel: the same products.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect")

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        if input.device.type != "cpu" or torch.compiler.is_exporting():
            return super().forward(input)
        outputs, inputs, _, across = self.weight.shape
        columns = self.weight.permute(3, 0, 1, 2).reshape(across * outputs, inputs, -1, 1)
        padded = F.pad(input, (across // 2,) * 4, mode="reflect")
        x = F.conv2d(padded, columns).contiguous()
        x = x.view(x.shape[0], across, outputs, *x.shape[2:])
        batch, place, channel, row, column = x.stride()
        size = (x.shape[0], across, outputs, *input.shape[-2:])
        shifted = x.as_strided(size, (batch, place + column, channel, row, column))
        assert self.bias is not None
        return shifted.sum(1) + self.bias[:, None, None]


class TransformNet(nn.Module):
    """c9s1-w, d2w, d4w, R4w × blocks, u2w, uw, c9s1-3, on pictures of any size."""

    def __init__(self, width: int = 32, blocks: int = 5, photo_skip: bool = True):
        """Build the network with random weights.

        Args:
            width: Channels at full size; 32 is Johnson's, 16 their released half width.
            blocks: Residual blocks at a quarter of the size.
            photo_skip: Add the photo itself, instance-normalised, to the output. The network then
                starts from the photo, in the style's colours after `start_from`, and need not
                learn to copy it first. It stays blind to the photo's contrast.

        Raises:
            NstError: A width below 1 or a negative number of blocks.
        """
        super().__init__()
        if width < 1 or blocks < 0:
            raise NstError(
                f"width {width} with {blocks} blocks is no network: give at least 1 and 0."
            )
        self.body = nn.Sequential(
            ConvNorm(3, width, 9),
            ConvNorm(width, 2 * width, 3, 2),
            ConvNorm(2 * width, 4 * width, 3, 2),
            *(Residual(4 * width) for _ in range(blocks)),
            Up(4 * width, 2 * width),
            Up(2 * width, width),
            ThinConv(width, 3, 9),
        )
        # The larger epsilon keeps the noise of a flat photo from being blown up to full contrast.
        self.photo = nn.InstanceNorm2d(3, eps=1e-3, affine=True) if photo_skip else None

    @torch.no_grad()
    def take_over(self, other: TransformNet) -> None:
        """Become another network of the same width, or a deeper one that does the same so far.

        Residual blocks beyond the other's start as the identity: the scale of their last norm is
        zero (Goyal et al. 2017, arXiv 1706.02677, section 5.1).

        Args:
            other: Of the same width and photo skip, with as many blocks or fewer.
        """
        extra = len(self.body) - len(other.body)
        last_block = len(other.body) - _AFTER_BLOCKS
        for index, layer in enumerate(other.body):
            place = index if index < last_block else index + extra
            self.body[place].load_state_dict(layer.state_dict())
        for block in self.body[last_block : last_block + extra]:
            assert isinstance(block, Residual)
            nn.init.zeros_(block.last_norm.weight)
        if self.photo is not None and other.photo is not None:
            self.photo.load_state_dict(other.photo.state_dict())

    @property
    def min_size(self) -> int:
        """Smallest height and width in pixels: reflection needs more than it pads.

        Four pixels are padded at full size, one at a quarter of it.
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
        return _OUTPUT_SCALE * y + (0.5 if self.photo is None else self.photo(image))
