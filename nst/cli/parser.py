"""A command line from a typed function and its docstring, in nst's manners.

`jsonargparse` reads the signature; this adds `--max-size` for `max_size` (both are accepted), bare
flags, `-o`, lists of inputs, and errors of one line that say what is near.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

import jsonargparse

from nst.errors import NstError, unknown

_SHORT = {"--output": "-o"}


def run(function: Callable[..., int | None], arguments: Sequence[str], prog: str) -> int:
    """Call a function with the arguments of a command line.

    Args:
        function: Typed, with a Google docstring, which becomes the help.
        arguments: What follows the command.
        prog: How the command is called.

    Returns:
        The exit code: what the function returned, 0 for None.

    Raises:
        NstError: The arguments do not fit the function, or the function raised it.
    """
    code: int | None = jsonargparse.auto_cli(
        function,
        args=list(arguments),
        parser_class=Parser,
        prog=prog,
        print_config="--print-config",
        allow_abbrev=False,
    )
    return code or 0


class Parser(jsonargparse.ArgumentParser):
    """The parser of one command."""

    # jsonargparse compiles this method's source anew for its argument groups.
    def add_argument(self, *names: str, **kwargs: Any) -> Any:
        """Adds an argument; see `argparse`."""
        kind = kwargs.get("type") or getattr(kwargs.get("action"), "_typehint", None)
        if not names[0].startswith("-"):
            kwargs["metavar"] = names[0].upper()
            if get_origin(kind) is list:
                kwargs.pop("action", None)
                kwargs |= {"type": get_args(kind)[0], "nargs": "+"}
        elif not hasattr(kind, "__dataclass_fields__"):
            names = tuple(name.replace("_", "-") for name in names)
            names = (*(_SHORT[name] for name in names if name in _SHORT), *names)
            if kind is bool and kwargs.get("default") is False:
                del kwargs["type"]
                kwargs["action"] = "store_true"
        return super().add_argument(*names, **kwargs)

    def parse_args(self, args: Any = None, *rest: Any, **kwargs: Any) -> Any:
        """Parses the arguments; see `jsonargparse`."""
        return super().parse_args([self._spelt(word) for word in args or ()], *rest, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raises an `NstError` of one line in place of printing the usage and exiting."""
        if message.lower().startswith("unrecognized arguments: "):
            raise self._unexpected(message.partition(": ")[2].split())
        # The wording differs between jsonargparse's versions.
        if key := re.search(r"(?:Option|Key) '([^']+)' is not (?:accepted|expected)", message):
            raise unknown("option", key[1], [action.dest for action in self._actions])
        text = " ".join(message.split())
        if key := re.match(r'Parser key "([^"]+)": ', text):
            action = next((a for a in self._actions if a.dest == key[1]), None)
            value = re.search(r"(?:Given|Got) value: (.*)", message)
            if action and value:
                raise _wrong_value(action, value[1])
            text = text[key.end() :]
        raise NstError(text) from ex

    def _spelt(self, word: str) -> str:
        option, equals, value = word.partition("=")
        known = self._option_string_actions
        hyphens = option.replace("_", "-")
        return hyphens + equals + value if option not in known and hyphens in known else word

    def _unexpected(self, words: list[str]) -> NstError:
        option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        if option is None:
            return NstError(f"unexpected {words[0]!r}: give the inputs in one row, then options.")
        near = difflib.get_close_matches(option, self._option_string_actions, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return NstError(f"unknown option {option!r}: {hint}{self.prog} --help lists them.")


def _wrong_value(action: Any, value: str) -> NstError:
    name = max(action.option_strings, key=len, default=action.dest.upper())
    hint = getattr(action, "_typehint", None) or action.type
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    if len(kinds) == 1 and get_origin(kinds[0]) is Literal:
        return unknown(f"value of {name}", value, map(str, get_args(kinds[0])))
    expected = " or ".join(k.__name__ if isinstance(k, type) else str(k) for k in kinds)
    return NstError(f"{name} is {value!r}: give a value of type {expected}.")
