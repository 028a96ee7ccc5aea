"""The command `python -m train fit --config configs/train/NAME.yaml`."""

from __future__ import annotations

import datetime
import difflib
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from nst.cli import guarded
from nst.errors import NstError
from nst.sidecar import CHECKPOINT_KEY
from nst.tensors import bf16_pays, keep_freed_memory
from train.callbacks import AverageWeights, CheckGradient, Checkpoints, CountUnreadable, Panel
from train.data import PhotoData
from train.ending import EndWhenAsked
from train.module import StyleModule
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


_NST_ERROR = "nst.errors.NstError: "


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
    run_dir: ClassVar[Path] = Path()

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
        """Parse, and refuse what cannot work before anything is read or set up."""
        super().parse_arguments(parser, args)
        config = self.config[self.config.subcommand]
        if config.wandb not in ("off", "offline", "online"):
            raise NstError(f"--wandb is {config.wandb!r}: choose off, offline or online.")
        trainer = config.trainer
        if trainer.max_epochs not in (None, -1) or trainer.limit_train_batches is not None:
            raise NstError(
                "--trainer.max_epochs and limit_train_batches: the stream of photos has no epochs; "
                "give --trainer.max_steps or --max_minutes."
            )
        if config.ckpt_path:
            _check_checkpoint(config.ckpt_path)
        # Not written into the configuration: it would send the next run to the same folder.
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        name = f"{Path(config.model.style).stem}-{stamp}"
        StyleCLI.run_dir = Path(config.run_dir) if config.run_dir else Path("runs") / name
        if (StyleCLI.run_dir / "config.yaml").exists():
            raise NstError(f"{StyleCLI.run_dir} holds a run already: give a new --run_dir.")

    def instantiate_trainer(self, **kwargs: Any) -> Any:
        """Add the loggers and callbacks of every training, and choose the precision if open."""
        config = self.config[self.subcommand]
        self.trainer_defaults["callbacks"] = [
            AverageWeights(config.average.decay),
            StyleProgress(),
            Panel(),
            CountUnreadable(),
            CheckGradient(),
            EndWhenAsked(),
            Checkpoints(config.checkpoint_every),
        ]
        theirs = self.config_init[self.subcommand].trainer.logger
        kwargs["logger"] = _loggers(StyleCLI.run_dir, config.wandb) + (
            theirs if isinstance(theirs, list) else [theirs] if isinstance(theirs, Logger) else []
        )
        if config.trainer.precision is None:
            gpu = torch.cuda.is_available() and config.trainer.accelerator in (
                "auto",
                "gpu",
                "cuda",
            )
            pays = bf16_pays(torch.device("cuda" if gpu else "cpu"))
            kwargs["precision"] = "bf16-mixed" if pays else "32-true"
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        """Say what the network starts from."""
        if self.trainer.is_global_zero and not self.config[self.subcommand].ckpt_path:
            print(f"The network starts from {self.model.origin}.")

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


def _loggers(run_dir: Path, wandb: str) -> list[Logger]:
    loggers: list[Logger] = [CSVLogger(run_dir, name="", version="")]
    if wandb == "offline":
        # Reports of its own errors would be sent all the same.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    if wandb != "off":
        loggers.append(WandbLogger(project="nst", save_dir=run_dir, offline=wandb == "offline"))
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
    return guarded(_fit, arguments, "train")


def _fit(words: list[str]) -> int:
    """Train as the command line says; returns the exit code."""
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
            args=words,
        )
    except MisconfigurationException as error:
        raise NstError(str(error)) from error
    except NstError as error:
        # From a process that decodes photos it comes with that process' whole traceback.
        raise NstError(str(error).strip().splitlines()[-1].removeprefix(_NST_ERROR)) from error
    except SystemExit as error:
        # Lightning turns Ctrl-C into exit code 1, once it has saved a checkpoint.
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        last = StyleCLI.run_dir / "checkpoints" / "last.ckpt"
        if last.exists():
            print(f"Go on with the same command and --ckpt_path {last}", file=sys.stderr)
        raise KeyboardInterrupt from error
    return 0


if __name__ == "__main__":
    sys.exit(main())
