"""The training of one style network, as a LightningModule."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor

import nst
from nst.errors import NstError
from nst.files import sha256_of
from nst.images import load
from nst.losses import LossConfig, LossTerms, PerceptualLoss
from nst.network import NETWORKS, TransformNet
from nst.sidecar import CHECKPOINT_KEY
from nst.tensors import bf16_pays, resize_short_side, to_tensor
from train.clip import clipped
from train.coarse import shrunk
from train.data import Batch
from train.grid import grid_power
from train.schedule import Decay, learning_rate, progress
from train.soap import Soap
from train.spectrum import excess_power, power_spectrum
from train.stability import RAMP, motion_penalty
from train.start import BASE, start

_DEFAULT_LOSS = LossConfig()


class StyleModule(pl.LightningModule):
    """Trains a `TransformNet` on the perceptual loss against one style picture."""

    loss: PerceptualLoss

    def __init__(
        self,
        style: str,
        style_size: int = 256,
        style_licence: str = "",
        network: Literal["standard", "live"] = "standard",
        width: int | None = None,
        blocks: int = 5,
        photo_skip: bool = True,
        init: str = BASE,
        tune: Literal["all", "norms"] = "all",
        loss: LossConfig = _DEFAULT_LOSS,
        grid_weight: float = 1000.0,
        spectrum_weight: float = 1.0,
        stability_weight: float = 0.0,
        learning_rate: float = 1e-3,
        warmup_steps: int = 50,
        decay: Decay = "cosine",
        optimiser: Literal["adam", "soap"] = "adam",
        beta2: float | None = None,
        coarse_size: int | None = None,
        compile: bool = False,
        max_minutes: float | None = None,
    ):
        """Describe the training.

        Args:
            style: The style picture's file.
            style_size: Short side in pixels that the style picture is resized to, and so the size
                of the strokes: smaller means finer ones.
            style_licence: Licence of the style picture, recorded in exported models.
            network: "standard" for the best pictures, "live" for the least time.
            width: Its width; see `nst.network.TransformNet`.
            blocks: Residual blocks of the network.
            photo_skip: Start from the photo in the style's mean colour and contrast; see the same.
            init: What the network starts from: "base", the live or the width-22 network of Starry
                Night that comes with nst, if this one is like it; "none", random weights; or a
                checkpoint of another training or an exported model of any style, not in int8, whose
                missing blocks begin by changing nothing. (To go on with the same training, give
                --ckpt_path instead.)
            tune: Train all weights, or only the scales and shifts of the norms (Dumoulin et al.
                2017, arXiv 1610.07629, section 3.2).
            loss: Layers, weights and conventions of the loss.
            grid_weight: Factor of the penalty on stripes of four pixels; see `train.grid`.
            spectrum_weight: Factor of that on marks that repeat; see `train.spectrum`.
            stability_weight: Factor of that on unstable motion, in full from a third of the
                training on; see `train.stability`. For video; nearly doubles the network's share.
            learning_rate: Highest learning rate of the optimiser.
            warmup_steps: Steps over which the rate rises to it.
            decay: How the rate falls until the end; see `train.schedule.learning_rate`.
            optimiser: "adam", or "soap" (see `train.soap`), which comes further in the same time.
            beta2: The optimiser's memory of squared gradients, by default 0.99 for Adam (0.999 is
                too long for short trainings) and 0.95 for SOAP.
            coarse_size: Side of the photos in the first third, whose steps then take less time.
            compile: Compile the network (torch.compile).
            max_minutes: End after so many minutes, with the learning rate decayed by then.

        Raises:
            NstError: No picture, a number without meaning, or no network of this kind in `init`.
        """
        super().__init__()
        if (
            min(learning_rate, max_minutes or 1) <= 0
            or min(warmup_steps, grid_weight, spectrum_weight, stability_weight) < 0
            or min(style_size, style_size if coarse_size is None else coarse_size) < 32
        ):
            raise NstError(
                f"learning_rate {learning_rate}, warmup_steps {warmup_steps}, max_minutes "
                f"{max_minutes}, grid_weight {grid_weight}, spectrum_weight {spectrum_weight}, "
                f"stability_weight {stability_weight}, "
                f"style_size {style_size}, coarse_size {coarse_size}: give numbers > 0, sizes ≥ 32."
            )
        self.grid_weight, self.spectrum_weight = grid_weight, spectrum_weight
        self.stability_weight, self.warmup_steps = stability_weight, warmup_steps
        self.decay, self.optimiser = decay, optimiser
        self.beta2 = {"adam": 0.99, "soap": 0.95}[optimiser] if beta2 is None else beta2
        self.peak_rate, self.max_minutes = learning_rate, max_minutes
        self.style_image = to_tensor(resize_short_side(load(style).rgb, style_size))
        self.compile_network, self.loss_config, self.coarse_size = compile, loss, coarse_size
        network_args: dict[str, Any] = {
            "width": NETWORKS[network].width if width is None else width,
            "blocks": blocks,
            "photo_skip": photo_skip,
        }
        self.net = TransformNet(network, **network_args)
        # Of earlier trainings for this very style, if this one starts from them.
        self.steps_before = 0
        style_hash, before = sha256_of(style), start(self.net, init, network, network_args)
        self.origin = "random weights" if before is None else "the base" if init == BASE else init
        if before and before.style_image_sha256 == style_hash:
            self.steps_before = before.steps
        else:
            self.net.start_from(self.style_image)
        if tune == "norms":
            for name, parameter in self.net.named_parameters():
                parameter.requires_grad_(name in self.net.norm_parameters)
        self._facts: dict[str, Any] = {
            "style": Path(style).stem,
            "network": network,
            "network_args": network_args,
            "loss": asdict(loss),
            "stability_weight": stability_weight,
            "style_image": Path(style).name,
            "style_image_sha256": style_hash,
            "style_size": style_size,
            "style_licence": style_licence,
            "nst_version": nst.__version__,
        }
        self._minutes_before = 0.0
        self._started: float | None = None
        self.done, self.seen, self.unreadable = 0.0, 0, 0
        self._held_out: list[LossTerms] = []

    def setup(self, stage: str) -> None:
        """Load the loss network, in bfloat16 where the network trains in it and it is fast."""
        device = self.trainer.strategy.root_device
        half = self.trainer.precision == "bf16-mixed" and bf16_pays(device)
        loss = PerceptualLoss(self.loss_config, dtype=torch.bfloat16 if half else torch.float32)
        loss.to(device)
        loss.set_style(self.style_image.to(device))
        self._style_spectrum = power_spectrum(self.style_image.to(device))
        # Kept out of the module's children: no checkpoint, average or DDP broadcast holds VGG.
        object.__setattr__(self, "loss", loss)
        # The name alone: a path of this machine has no place in a model.
        self._facts["backbone"] = loss.weights.name
        self._facts["loss"]["backbone"] = loss.weights.name
        self._facts["backbone_sha256"] = loss.weights.sha256
        if device.type == "cuda":
            self.net.to(memory_format=torch.channels_last)
        if self.compile_network:
            self.net.compile()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser of all weights that are trained."""
        trained = [p for p in self.parameters() if p.requires_grad]
        kind = Soap if self.optimiser == "soap" else torch.optim.Adam
        return kind(trained, lr=self.peak_rate, betas=(0.9, self.beta2))

    @property
    def minutes(self) -> float:
        """Minutes trained, before an interruption included."""
        running = 0.0 if self._started is None else (time.monotonic() - self._started) / 60
        return self._minutes_before + running

    def _progress(self) -> float:
        """Share of the training that is done, 0 to 1, the same on all processes."""
        done = progress(self.global_step, self.trainer.max_steps, self.minutes, self.max_minutes)
        if self.max_minutes and self.trainer.world_size > 1:
            done = self.trainer.strategy.broadcast(done)
        return done

    def on_train_start(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self.done = self._progress()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rate."""
        self.done = self._progress()
        step, warmup = self.global_step, self.warmup_steps
        rate = learning_rate(self.peak_rate, step, self.done, warmup, self.decay)
        for group in self.optimizers().param_groups:  # type: ignore[union-attr]
            group["lr"] = rate

    def stylised(self, photos: Tensor) -> Tensor:
        """The pictures of photos, (B, 3, H, W) float32 in [0, 1]."""
        return clipped(self.net(photos).float())

    @staticmethod
    def _as_input(photos: Tensor) -> Tensor:
        x = photos.float() / 255
        return x.contiguous(memory_format=torch.channels_last) if x.is_cuda else x

    def terms(self, photos: Tensor, *, rounded: bool = False) -> tuple[Tensor, LossTerms]:
        """Stylised photos and their losses.

        Args:
            photos: (B, 3, H, W) uint8.
            rounded: Round the output to 8 bits, as a saved picture is.
        """
        x = self._as_input(photos)
        y = self.stylised(x)
        # The loss chooses its own types: half-precision Grams overflow.
        with torch.autocast(self.device.type, enabled=False):
            y = (y * 255).round() / 255 if rounded else y
            return y, self.loss(y, self.loss.content_targets(x))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch's mean total loss, and penalties on grids, repetition and unstable motion."""
        photos = shrunk(batch.photos, self.coarse_size, self.done)
        pictures, terms = self.terms(photos)
        means = {name: getattr(terms, name).mean() for name in ("total", "content", "style", "tv")}
        self.log_dict({f"train/{k}": v.detach() for k, v in means.items()})
        grid = grid_power(pictures).mean()
        excess = excess_power(pictures, self._as_input(photos), self._style_spectrum).mean()
        self.log_dict({"train/grid": grid.detach(), "train/excess": excess.detach()})
        total: Tensor = means["total"] + self.grid_weight * grid + self.spectrum_weight * excess
        if self.stability_weight:
            moving = motion_penalty(self.stylised, self._as_input(photos), pictures).mean()
            self.log("train/instability", moving.detach())
            total = total + self.stability_weight * min(1.0, self.done / RAMP) * moving
        return total

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Ask for the end, with a last validation, when all is done."""
        if self._progress() >= 1.0:
            self.trainer.should_stop = True

    def on_validation_epoch_start(self) -> None:
        """Forget the losses of the validation before."""
        self._held_out = []

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Losses of real, 8-bit output on held-out photos; returns it."""
        pictures, terms = self.terms(batch.photos, rounded=True)
        self._held_out.append(terms)
        return pictures

    def on_validation_epoch_end(self) -> None:
        """Log the means, and keep them for the checkpoint."""
        if not self._held_out:  # resumed at the end of a validation that Ctrl-C broke off
            return
        means = {
            name: torch.cat([getattr(t, name) for t in self._held_out]).mean()
            for name in ("total", "content", "style")
        }
        self.log_dict({f"val/{name}": value for name, value in means.items()}, sync_dist=True)
        self._facts["held_out"] = {name: float(value) for name, value in means.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what export needs, the clock, and the random state."""
        checkpoint[CHECKPOINT_KEY] = self._facts | {"steps": self.steps_before + self.global_step}
        checkpoint["optimiser"] = self.optimiser
        checkpoint["minutes"] = self.minutes
        checkpoint["photos"] = (self.seen, self.unreadable)
        checkpoint["torch_rng"] = torch.get_rng_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the clock and the random state over.

        Raises:
            NstError: The checkpoint is of another network, style or optimiser.
        """
        theirs = checkpoint.get(CHECKPOINT_KEY)
        if theirs is None:
            raise NstError("--ckpt_path names no checkpoint of an nst training.")
        theirs = theirs | {
            "loss": asdict(LossConfig.from_stored(theirs["loss"])),
            "optimiser": checkpoint.get("optimiser", "adam"),  # the only one there was
        }
        ours = self._facts | {"optimiser": self.optimiser}
        for key in ("network", "network_args", "style_image_sha256", "loss", "optimiser"):
            if theirs[key] != ours[key]:
                raise NstError(
                    f"the checkpoint has {key} {theirs[key]}, this training {ours[key]}: "
                    "resume with the configuration it was started with."
                )
        self.steps_before = theirs["steps"] - checkpoint["global_step"]
        self._minutes_before = float(checkpoint["minutes"])
        self.seen, self.unreadable = checkpoint["photos"]
        torch.set_rng_state(checkpoint["torch_rng"])
