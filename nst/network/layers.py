"""The layers of the image transformation network: reflected at borders, instance-normalised."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst import winograd

MERGED_TAPS = torch.tensor([[[1.0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
"""[second or first of two pixels, tap of two, tap of three]: of a doubled pixel's neighbours, some
are one and the same pixel of the input, where an exported `UpConv` has the sum of their taps.
"""


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


class UpConv(nn.Conv2d):
    """Nearest-neighbour up-sampling by two and a reflected 3×3 convolution: no checkerboard.

    Doubling and convolving is one transposed convolution in 4/9 of the products, whose 4×4 kernel
    is the 3×3 one spread over the two pixels that each becomes. What reflection finds beyond the
    doubled border is the outermost pixel of the input itself.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False):
        super().__init__(inputs, outputs, 3, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        spread = self.weight.new_tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
        kernel = torch.einsum("ai,bj,ocij->coab", spread, spread, self.weight.flip(2, 3))
        padded = F.pad(input, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(padded, kernel, self.bias, stride=2, padding=3)


def _eps(conv: nn.Conv2d) -> float:
    """The epsilon of a norm, far below the variance of any photo's features.

    Where one pixel becomes four, each of them is summed up in another order: rounding, which the
    two norms of a picture of one colour enlarged to visible noise with the usual epsilon. (The
    features of photos have variances of 3 and more there, in every shipped network.)
    """
    return 3e-2 if isinstance(conv, UpConv) else 1e-5


class ConvNorm(nn.Sequential):
    """A convolution, instance normalisation (arXiv 1607.08022), and maybe a ReLU."""

    def __init__(self, conv: nn.Conv2d, *, relu: bool = True):
        super().__init__(
            conv,
            nn.InstanceNorm2d(conv.out_channels, _eps(conv), affine=True),
            *([nn.ReLU(inplace=True)] if relu else []),
        )


class Residual(nn.Module):
    """x + conv-norm-ReLU-conv-norm of x, with no ReLU after the addition."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(ReflectConv(channels, channels, 3)),
            ConvNorm(ReflectConv(channels, channels, 3), relu=False),
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
