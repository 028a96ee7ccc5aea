"""The command `python -m train fit --config configs/train/NAME.yaml`."""

from __future__ import annotations

import datetime
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from nst.errors import NstError
from nst.tensors import bf16_pays, keep_freed_memory
from train.callbacks import AverageWeights, CountUnreadable, Panel
from train.data import PhotoData
from train.module import StyleModule
from train.progress import StyleProgress

FINAL = "final.ckpt"
_TRAINER_DEFAULTS = {
    "max_steps": 40_000,
    "max_epochs": -1,  # the stream of photos never ends
    "val_check_interval": 1000,
    "check_val_every_n_epoch": None,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 10,
    "gradient_clip_val": 10.0,
    "use_distributed_sampler": False,  # the stream gives each process its own share
    "enable_model_summary": False,
}


class StyleCLI(LightningCLI):
    """LightningCLI with the run's folder, its loggers and the options `--max_minutes`, `--wandb`."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that are neither model's, data's nor trainer's."""
        parser.add_argument("--max_minutes", type=float, default=None,
                            help="end after so many minutes, with the schedule finished")
        parser.add_argument("--run_dir", type=str, default=None,
                            help="new folder of this run (default: runs/STYLE-TIME)")
        parser.add_argument("--wandb", type=str, default="offline",
                            help="off, offline (needs no account) or online")
        parser.add_argument("--checkpoint_every", type=int, default=500,
                            help="steps between checkpoints")
        parser.add_class_arguments(AverageWeights, "average")
        parser.link_arguments("max_minutes", "model.max_minutes")

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder and loggers, and the precision where it was left open."""
        config = self.config[self.subcommand]
        if self.subcommand != "fit":
            return
        if config.wandb not in ("off", "offline", "online"):
            raise NstError(f"--wandb is {config.wandb!r}: choose off, offline or online.")
        style = Path(config.model.style).stem
        time = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        config.run_dir = config.run_dir or str(Path("runs") / f"{style}-{time}")
        trainer = config.trainer
        if trainer.logger is None:
            trainer.logger = _loggers(config.run_dir, config.wandb)
        if trainer.precision is None:
            gpu = torch.cuda.is_available() and trainer.accelerator in ("auto", "gpu", "cuda")
            pays = bf16_pays(torch.device("cuda" if gpu else "cpu"))
            trainer.precision = "bf16-mixed" if pays else "32-true"

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Add the callbacks that every training has."""
        config = self.config[self.subcommand]
        extra = [
            AverageWeights(config.average.decay),
            StyleProgress(),
            Panel(),
            CountUnreadable(),
            ModelCheckpoint(
                filename="step-{step:06d}",
                auto_insert_metric_name=False,
                every_n_train_steps=config.checkpoint_every,
                save_top_k=1,
                save_last=True,
                save_on_exception=True,
                enable_version_counter=False,
            ),
        ]
        self.trainer_defaults["callbacks"] = extra
        return super().instantiate_trainer(**kwargs)

    def after_fit(self) -> None:
        """Save the averaged weights with the last held-out losses, for `python -m export`."""
        folder = Path(self.trainer.log_dir or ".")
        self.trainer.save_checkpoint(folder / FINAL)
        if self.trainer.is_global_zero:
            metrics = self.trainer.callback_metrics
            held = ", ".join(
                f"{k} {float(metrics[f'val/{k}']):.3f}"
                for k in ("total", "content", "style")
                if f"val/{k}" in metrics
            )
            print(f"Held-out losses: {held}.\nExport it: python -m export {folder / FINAL}")


def _loggers(run_dir: str, wandb: str) -> list[dict[str, Any]]:
    loggers: list[dict[str, Any]] = [
        {
            "class_path": "pytorch_lightning.loggers.CSVLogger",
            "init_args": {"save_dir": run_dir, "name": "", "version": ""},
        }
    ]
    if wandb != "off":
        arguments = {"project": "nst", "save_dir": run_dir, "offline": wandb == "offline"}
        loggers.append(
            {"class_path": "pytorch_lightning.loggers.WandbLogger", "init_args": arguments}
        )
    return loggers


def main() -> None:
    """Run the command; bad input ends in one line and exit code 2."""
    keep_freed_memory()
    # Lightning advises what does not fit here: more workers than cores, a shuffled stream.
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\.")
    try:
        StyleCLI(
            StyleModule,
            PhotoData,
            trainer_defaults=dict(_TRAINER_DEFAULTS),
            seed_everything_default=0,
            save_config_kwargs={"overwrite": False},
        )
    except NstError as error:
        print(f"train: error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
