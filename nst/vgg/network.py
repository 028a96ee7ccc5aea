"""The frozen loss network: VGG's features of a picture, up to the deepest layer asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nst import winograd
from nst.errors import NstError, unknown
from nst.vgg.layers import canonical, deepest, layer_names
from nst.vgg.pooling import MaxPool2x2
from nst.vgg.sources import PIXELS, Weights

POOLING = ("max", "average")
BORDERS = ("zeros", "replicate")


class Vgg(nn.Module):
    """VGG's convolutional part as a fixed function of a picture.

    It evaluates no layer beyond the deepest one asked for, has no trainable parameter and keeps
    its parameters out of any `state_dict` it is part of, so that checkpoints stay small.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        weights: Weights,
        layers: Iterable[str],
        *,
        pooling: str = "max",
        border: str = "zeros",
        dtype: torch.dtype = torch.float32,
        low_memory: bool = False,
    ) -> None:
        """Build the network.

        Args:
            weights: From `nst.vgg.load_weights`.
            layers: Layers that `forward` may be asked for, in any naming scheme.
            pooling: "max" as trained, or "average" (Gatys et al. 2016: slightly more appealing).
            border: What the first convolution sees around the picture: "zeros" as trained, a grey
                frame, or "replicate", the picture's own outermost pixels. Optimised pictures
                answer a frame with a rim.
            dtype: Type of the convolutions; bfloat16 is about twice as fast where supported.
            low_memory: For the gradient, keep only what lies between the blocks and evaluate the
                rest again.

        Raises:
            NstError: Unknown layer, pooling or border, or no layer.
        """
        super().__init__()
        if pooling not in POOLING:
            raise unknown("pooling", pooling, POOLING)
        if border not in BORDERS:
            raise unknown("border", border, BORDERS)
        self.architecture = weights.architecture
        self.pooling = pooling
        self.border = border
        self.low_memory = low_memory
        self.dtype = dtype
        order = layer_names(self.architecture)
        last = deepest([canonical(name, self.architecture) for name in layers], self.architecture)
        self.layers = order[: order.index(last) + 1]
        pixels = PIXELS[weights.pixels]
        for k, name in enumerate(n for n in self.layers if n.startswith("conv")):
            weight, bias = weights.convolutions[k]
            # Pixels come in RGB: weights that expect BGR get their input channels turned round.
            weight = weight.flip(1) if pixels.bgr and k == 0 else weight
            weight = weight.to(dtype, memory_format=torch.channels_last)
            self.register_buffer(f"{name}_weight", weight, persistent=False)
            self.register_buffer(f"{name}_bias", bias.to(dtype), persistent=False)
        self._transformed: dict[str, Tensor] = {}
        self.register_buffer("mean", torch.tensor(pixels.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(pixels.std).view(1, 3, 1, 1), persistent=False)
        self.eval()

    def forward(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of a picture.

        Args:
            image: (B, 3, H, W), RGB in [0, 1], any floating type.
            layers: The layers wanted, in any naming scheme.

        Returns:
            Each name as given -> (B, C, H', W') of the network's dtype, in the order given.

        Raises:
            NstError: An unknown layer, one deeper than the network was built for, or a picture
                too small to pool that often.
        """
        names = list(layers)
        found = dict(self.walk(image, names))
        return {name: found[name] for name in names}

    def walk(self, image: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """The features of `forward` one by one, from the shallowest to the deepest.

        What is made of each before the next is asked for is differentiated in its turn, too: its
        gradient then exists only from where VGG's own has come that far back.

        Args:
            image: As for `forward`.
            layers: As for `forward`.

        Yields:
            Each name as given, and its feature.

        Raises:
            NstError: As `forward`.
        """
        wanted = {name: canonical(name, self.architecture) for name in layers}
        if missing := [name for name, layer in wanted.items() if layer not in self.layers]:
            raise NstError(f"layer {missing[0]} is deeper than {self.layers[-1]}, the last built.")
        last = deepest(list(wanted.values()), self.architecture)
        kept = set(wanted.values())
        # The preparation stays in the picture's own precision: means matter to more than 8 bits.
        x = (image - self.mean.to(image.dtype)) / self.std.to(image.dtype)
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        for block in self._blocks(last):
            if self.low_memory and x.requires_grad:
                x, inside = checkpoint(self._run, block, x, kept, use_reentrant=False)
                for layer, feature in inside.items():
                    yield from ((name, feature) for name in wanted if wanted[name] == layer)
            else:
                for layer, feature in self._each(block, x, kept):
                    x = feature
                    yield from ((name, x) for name in wanted if wanted[name] == layer)

    def _blocks(self, last: str) -> Iterator[list[str]]:
        """The layers up to the last, cut after each pool."""
        block: list[str] = []
        for name in self.layers[: self.layers.index(last) + 1]:
            block.append(name)
            if name.startswith("pool") or name == last:
                yield block
                block = []

    def _run(self, names: list[str], x: Tensor, kept: Set[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """The output of layers in a row, and what is kept of those before it."""
        found: dict[str, Tensor] = {}
        for name, y in self._each(names, x, kept):
            if name in kept:
                found[name] = y
        return y, found

    def _each(self, names: list[str], x: Tensor, kept: Set[str]) -> Iterator[tuple[str, Tensor]]:
        """Layers in a row and their outputs."""
        before = ""
        for name in self._pooled_first(names, kept):
            # A ReLU may overwrite its convolution's output, unless that is asked for too.
            x = self._evaluate(name, x, inplace=before not in kept)
            yield name, x
            before = name

    def _pooled_first(self, names: list[str], kept: Set[str]) -> list[str]:
        """With a ReLU before maximum pooling moved behind it: the same, for less work."""
        *before, relu, pool = ["", *names]
        if pool.startswith("pool") and self.pooling == "max" and kept.isdisjoint((relu, pool)):
            return [*before[1:], pool, relu]
        return names

    def _evaluate(self, name: str, x: Tensor, *, inplace: bool) -> Tensor:
        if name.startswith("conv"):
            weight, bias = self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")
            if x.device.type == "cpu" and winograd.pays(weight):
                if name not in self._transformed:
                    self._transformed[name] = winograd.transform(weight.double()).float()
                y: Tensor = winograd.FrozenConv3x3.apply(x, self._transformed[name], bias)
                return y
            if name == self.layers[0] and self.border == "replicate":
                return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
            return F.conv2d(x, weight, bias, padding=1)
        if name.startswith("relu"):
            return F.relu(x, inplace=inplace)
        if min(x.shape[-2:]) < 2:
            raise NstError(f"the picture is too small for {name}: give one of more pixels.")
        if self.pooling == "average":
            return F.avg_pool2d(x, 2)
        maxima: Tensor = MaxPool2x2.apply(x)
        return maxima
