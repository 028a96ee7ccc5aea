"""The command `python -m train fit --config configs/train/NAME.yaml`."""

from __future__ import annotations

import datetime
import difflib
import logging
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import torch
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI

from nst.errors import NstError
from nst.tensors import bf16_pays, keep_freed_memory
from train.callbacks import AverageWeights, Checkpoints, CountUnreadable, Panel
from train.data import PhotoData
from train.module import CHECKPOINT_KEY, StyleModule
from train.progress import StyleProgress

FINAL = "final.ckpt"
TRAINER_DEFAULTS = {
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


class Parser(LightningArgumentParser):
    """Lightning's parser, with errors of one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raises an `NstError` in place of printing the usage and exiting."""
        pattern = r"(?:unrecognized arguments: --|does not accept option ')([\w.]+)"
        if found := re.search(pattern, message, re.IGNORECASE):
            options = _option_names(self)
            near = difflib.get_close_matches(found[1], options, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise NstError(f"unknown option {found[1]}: {hint}--help lists them.") from ex
        raise NstError(" ".join(message.split())) from ex


def _option_names(parser: LightningArgumentParser) -> list[str]:
    """Options of a parser and of its subcommands, without their hyphens."""
    names = [name.removeprefix("--") for name in parser._option_string_actions]
    for action in parser._actions:
        if isinstance(action.choices, dict):
            names += [n for child in action.choices.values() for n in _option_names(child)]
    return names


class StyleCLI(LightningCLI):
    """LightningCLI with a folder for each run, its loggers, `--max_minutes` and `--wandb`."""

    # Lightning runs the training inside the constructor: on Ctrl-C there is no object to ask.
    how_to_resume: ClassVar[str] = ""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Only `fit`: models are measured and run as exported."""
        return {"fit": LightningCLI.subcommands()["fit"]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options that are neither model's, data's nor trainer's."""
        parser.add_argument(
            "--max_minutes",
            type=float | None,
            default=None,
            help="end after so many minutes, with the schedule finished",
        )
        parser.add_argument(
            "--run_dir",
            type=str | None,
            default=None,
            help="new folder of this run (default: runs/STYLE-TIME)",
        )
        parser.add_argument(
            "--wandb", type=str, default="offline", help="off, offline (needs no account) or online"
        )
        parser.add_argument(
            "--checkpoint_every", type=int, default=500, help="steps between checkpoints"
        )
        parser.add_class_arguments(AverageWeights, "average")
        parser.link_arguments("max_minutes", "model.max_minutes")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse, and check the checkpoint to resume from before Lightning reads it."""
        super().parse_arguments(parser, args)
        path = self.config[self.config.subcommand].get("ckpt_path")
        if path and path not in ("last", "best", "hpc", "registry"):
            _check_checkpoint(path)

    def before_instantiate_classes(self) -> None:
        """Choose the run's folder and loggers, and the precision where it was left open."""
        config = self.config[self.subcommand]
        if config.wandb not in ("off", "offline", "online"):
            raise NstError(f"--wandb is {config.wandb!r}: choose off, offline or online.")
        style = Path(config.model.style).stem
        time = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        config.run_dir = config.run_dir or str(Path("runs") / f"{style}-{time}")
        StyleCLI.how_to_resume = (
            f"go on with --ckpt_path {Path(config.run_dir) / 'checkpoints' / 'last.ckpt'}"
        )
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
            Checkpoints(config.checkpoint_every),
        ]
        self.trainer_defaults["callbacks"] = extra
        return super().instantiate_trainer(**kwargs)

    def after_fit(self) -> None:
        """Save the averaged weights with the last held-out losses, for `python -m export`."""
        folder = Path(self.trainer.log_dir or ".")
        self.trainer.save_checkpoint(folder / FINAL, weights_only=False)
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


def _check_checkpoint(path: str) -> None:
    """Refuse to resume from what is no checkpoint, before anything is set up."""
    if not Path(path).is_file():
        raise NstError(f"no such checkpoint: {path}. Runs keep theirs in RUN/checkpoints/.")
    try:
        known = CHECKPOINT_KEY in torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds on foreign and damaged files
        raise NstError(f"{path} is no checkpoint, or a damaged one: give another.") from error
    if not known:
        raise NstError(f"{path} is no checkpoint of an nst training: give another.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; bad input ends in one line and exit code 2.

    Args:
        arguments: What follows `python -m train`; by default the process's own.

    Returns:
        The exit code.
    """
    keep_freed_memory()
    # Lightning advises what does not fit here: more workers than cores, a shuffled stream.
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\.")
    # Its tips and device tables, too; `Trainer.fit stopped` is what our progress says.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    try:
        StyleCLI(
            StyleModule,
            PhotoData,
            parser_class=Parser,
            trainer_defaults=dict(TRAINER_DEFAULTS),
            seed_everything_default=0,
            args=None if arguments is None else list(arguments),
        )
    except (NstError, OSError) as error:
        print(f"train: error: {error}", file=sys.stderr)
        return 2
    except SystemExit as error:
        # Lightning turns Ctrl-C into exit code 1, once it has saved a checkpoint.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        print(f"train: interrupted; {StyleCLI.how_to_resume}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("train: interrupted before the first step", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
