"""The command `python -m train.base fit --config configs/train/base.yaml`.

It trains the network that trainings start from, on several styles at once: they share the
convolutions, and each has scales and shifts of its own in the instance norms (conditional instance
normalisation, Dumoulin et al. 2017, arXiv 1610.07629, equation 5). What is kept of it, `base.ckpt`,
has the mean of all styles' scales and shifts.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from itertools import islice, permutations, product
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from nst.cli import guarded
from nst.errors import NstError
from nst.files import atomic_write
from nst.images import load
from nst.losses import LossConfig, PerceptualLoss
from nst.sidecar import CHECKPOINT_KEY
from nst.tensors import resize_short_side, to_tensor
from train.__main__ import FINAL, StyleCLI, fit
from train.data import Batch, find_photos
from train.module import StyleModule
from train.schedule import Decay
from train.soap import Soap
from train.start import SCRATCH

_DEFAULT_LOSS = LossConfig()
BASE_FILE = "base.ckpt"


class BaseModule(StyleModule):
    """Trains a `TransformNet` on many styles, one in each batch."""

    def __init__(
        self,
        style: str,
        style_sizes: tuple[int, ...] = (256,),
        palettes: int = 1,
        network: Literal["standard", "live"] = "live",
        width: int | None = None,
        blocks: int = 5,
        init: str = SCRATCH,
        loss: LossConfig = _DEFAULT_LOSS,
        learning_rate: float = 2e-3,
        warmup_steps: int = 50,
        decay: Decay = "cosine",
        optimiser: Literal["adam", "soap"] = "adam",
        beta2: float | None = None,
        max_minutes: float | None = None,
    ):
        """Describe the training.

        Args:
            style: Folder of style pictures.
            style_sizes: Short sides in pixels that each is resized to: strokes of several sizes.
            palettes: Styles that are made of each by exchanging its colours, 1 (as it is) to 6.
            network: The configuration; see `nst.network.TransformNet`.
            width: Its width.
            blocks: Residual blocks of the network.
            init: What it starts from: "none", random weights, or as in `StyleModule`; all styles
                then have the same scales and shifts at first.
            loss: Layers, weights and conventions of the loss.
            learning_rate: Highest learning rate of the optimiser.
            warmup_steps: Steps over which the rate rises to it.
            decay: How the rate falls until the end; see `train.schedule.learning_rate`.
            optimiser: "adam" or "soap"; the latter treats what each style has of its own as Adam
                does.
            beta2: The optimiser's memory of squared gradients, by default as in `StyleModule`.
            max_minutes: End after so many minutes, with the learning rate decayed by then.

        Raises:
            NstError: No picture in the folder, or a number has no meaning.
        """
        files = find_photos(style)
        if not 1 <= palettes <= 6 or not style_sizes or min(style_sizes) < 32:
            raise NstError(
                f"palettes {palettes}, style_sizes {list(style_sizes)}: give 1 to 6, and sizes "
                "from 32."
            )
        super().__init__(
            str(files[0]),
            style_sizes[0],
            network=network,
            width=width,
            blocks=blocks,
            init=init,
            loss=loss,
            learning_rate=learning_rate,
            warmup_steps=warmup_steps,
            decay=decay,
            optimiser=optimiser,
            beta2=beta2,
            max_minutes=max_minutes,
        )
        self._facts |= {"style": "base", "style_image": "", "style_image_sha256": ""}
        orders = [list(order) for order in islice(permutations(range(3)), palettes)]
        self.pictures = [
            to_tensor(resize_short_side(load(file).rgb, size))[:, order]
            for file, size, order in product(files, style_sizes, orders)
        ]
        self._names = self.net.norm_parameters
        rows = []
        for picture in self.pictures:
            self.net.start_from(picture)
            rows.append(self._flat_norms())
        # (styles, all scales and shifts): each style's own.
        self.norms = nn.Parameter(torch.stack(rows))
        for name in self._names:
            self.net.get_parameter(name).requires_grad_(False)
        self._losses: list[PerceptualLoss] = []

    def _flat_norms(self) -> Tensor:
        return torch.cat([self.net.get_parameter(name).detach() for name in self._names])

    def _by_name(self, norms: Tensor) -> dict[str, Tensor]:
        """The scales and shifts of one style, or of all, by their names in the network."""
        lengths = [len(self.net.get_parameter(name)) for name in self._names]
        return dict(zip(self._names, torch.split(norms, lengths), strict=True))

    def setup(self, stage: str) -> None:
        """Load the loss network once, and give each style a loss on it."""
        super().setup(stage)
        losses = []
        for picture in self.pictures:
            loss = copy.copy(self.loss)
            loss.set_style(picture.to(self.trainer.strategy.root_device))
            losses.append(loss)
        object.__setattr__(self, "_losses", losses)

    def _take(self, number: int) -> None:
        """Have the losses and norms of a style used."""
        self._style = number % len(self.pictures)
        object.__setattr__(self, "loss", self._losses[self._style])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser of all weights that are trained; a style's norms are no convolution."""
        if self.optimiser != "soap":
            return super().configure_optimizers()
        shared = [p for p in self.net.parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": shared},
            {"params": [self.norms], "turned": False},
        ]
        return Soap(groups, lr=self.peak_rate, betas=(0.9, self.beta2))

    def painted(self, photos: Tensor) -> Tensor:
        """The network's output, (B, 3, H, W), in the style of this batch."""
        norms = self._by_name(self.norms[self._style])
        pictures: Tensor = functional_call(self.net, norms, (photos,))
        return pictures

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch's mean total loss in one style."""
        self._take(self.global_step)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Losses of held-out photos, each batch in another style; returns the pictures."""
        # A stride that is prime, so that few batches meet styles that are unlike.
        self._take(7 * batch_idx)
        return super().validation_step(batch, batch_idx)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the mean of all styles' scales and shifts into the network itself."""
        super().on_save_checkpoint(checkpoint)
        state = checkpoint["state_dict"]
        state |= {f"net.{k}": v for k, v in self._by_name(state["norms"].mean(0)).items()}


class BaseCLI(StyleCLI):
    """The same command for several styles."""

    def after_fit(self) -> None:
        """Save what a training starts from: the network alone."""
        super().after_fit()
        if self.trainer.is_global_zero:
            folder = Path(self.trainer.log_dir or ".")
            saved = torch.load(folder / FINAL, weights_only=True)
            state = {k: v for k, v in saved["state_dict"].items() if k.startswith("net.")}
            facts = saved[CHECKPOINT_KEY]
            with atomic_write(folder / BASE_FILE) as path:
                torch.save({"state_dict": state, CHECKPOINT_KEY: facts}, path)
            print(f"Start from it: python -m train fit --model.init {folder / BASE_FILE} ...")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; bad input ends in one line and exit code 2."""
    return guarded(lambda words: fit(words, BaseCLI, BaseModule), arguments, "train.base")


if __name__ == "__main__":
    sys.exit(main())
