"""A command line from a typed function and its docstring, in nst's manners.

`jsonargparse` reads the signature; this adds `--max-size` for `max_size` (both are accepted), bare
flags, `-o`, lists, dataclass parameters whose fields are plain options, presets, and errors of one
line that say what is near.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, NewType, NoReturn, Union, get_args, get_origin, get_type_hints

import jsonargparse

from nst.errors import NstError, unknown

_SHORT = {"--output": "-o"}

Given = NewType("Given", frozenset[str])
"""A parameter of this type is no option: it gets the names of the options that were given."""

Presets = Callable[[str], Mapping[str, Any]]
"""From a preset's name, the defaults that it sets, by the names of the options."""


def run(
    function: Callable[..., int | None],
    arguments: Sequence[str],
    prog: str,
    presets: Presets | None = None,
    leading: str | None = None,
) -> int:
    """Call a function with the arguments of a command line.

    Args:
        function: Typed, with a Google docstring, which becomes the help. The fields of a parameter
            that is a dataclass become options like any other; of one name, the first counts, and
            fields after it keep their defaults.
        arguments: What follows the command.
        prog: How the command is called.
        presets: Gives the defaults of what the function's parameter `preset` names.
        leading: An option whose name may be left out if its values come first.

    Returns:
        The exit code: what the function returned, 0 for None.

    Raises:
        NstError: The arguments do not fit the function, or the function raised it.
    """
    if leading and arguments and not arguments[0].startswith("-"):
        arguments = [f"--{leading}", *arguments]
    preset = _preset(function, arguments) if presets else ""
    values = _parse(function, arguments, prog, presets, preset)
    # It may also come from a configuration file.
    if presets and values["preset"] != preset:
        values = _parse(function, arguments, prog, presets, values["preset"])
    hints: dict[str, Any] = get_type_hints(function)
    for name, hint in hints.items():
        if hint is Given:
            # A new parser: one of jsonargparse's can parse only once.
            given = _parser(function, prog).parse_args(arguments, defaults=False)
            values[name] = frozenset(given.as_dict())
        elif isinstance(hint, type) and is_dataclass(hint):
            names = {f.name for f in fields(hint)} & (values.keys() - hints.keys())
            values[name] = hint(**{key: values.pop(key) for key in names})
    return function(**values) or 0


def _parse(
    function: Callable[..., Any],
    arguments: Sequence[str],
    prog: str,
    presets: Presets | None,
    preset: str,
) -> dict[str, Any]:
    """The value of every option, by name."""
    parser = _parser(function, prog)
    if presets:
        settings = presets(preset)
        names = [action.dest for action in parser._actions]
        for name in settings:
            if name not in names:
                raise unknown(f"option in the preset {preset}", name, names)
        parser.set_defaults(dict(settings))
    values: dict[str, Any] = parser.parse_args(arguments).as_dict()
    del values["config"]
    return values


def _parser(function: Callable[..., Any], prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description=(inspect.getdoc(function) or "").partition("\n")[0],
        print_config="--print-config",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config", action="config", help="A YAML file of options, by their names with underscores."
    )
    hints = get_type_hints(function)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    skip: set[str | int] = {name for name, hint in hints.items() if name in groups or hint is Given}
    parser.add_function_arguments(function, as_group=False, as_positional=True, skip=skip)
    for group in groups.values():
        parser.add_class_arguments(group, skip={action.dest for action in parser._actions})
    return parser


def _preset(function: Callable[..., Any], arguments: Sequence[str]) -> str:
    """The preset that the arguments name: `--help` and `--print-config` show its values."""
    scout = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    scout.add_argument("--preset", default=inspect.signature(function).parameters["preset"].default)
    try:
        return str(scout.parse_known_args(arguments)[0].preset)
    except argparse.ArgumentError:
        raise NstError("--preset: expected one argument") from None


class Parser(jsonargparse.ArgumentParser):
    """The parser of one command."""

    # jsonargparse compiles this method's source anew for its argument groups.
    def add_argument(self, *names: str, **kwargs: Any) -> Any:
        """Adds an argument; see `argparse`."""
        kind = kwargs.get("type") or getattr(kwargs.get("action"), "_typehint", None)
        items = [get_args(hint)[0] for hint in members(kind) if get_origin(hint) is list]
        if not names[0].startswith("-"):
            kwargs["metavar"] = names[0].upper()
        else:
            names = tuple(name.replace("_", "-") for name in names if not name.endswith("+"))
            names = (*(_SHORT[name] for name in names if name in _SHORT), *names)
            if kind is bool:
                del kwargs["type"]
                # A preset may have it on.
                kwargs["action"] = jsonargparse.ActionYesNo(no_prefix="no-")
        if items and len(members(kind)) == 1:
            kwargs |= {"type": items[0], "nargs": "+", "action": "extend"}
        return super().add_argument(*names, **kwargs)

    def parse_args(self, args: Any = None, *rest: Any, **kwargs: Any) -> Any:
        """Parses the arguments; see `jsonargparse`."""
        words: list[str] = []
        for word in args or ():
            action = self._option_string_actions.get(words[-1]) if words else None
            is_value = action is not None and action.nargs != 0
            words += _as_lists(action, word) if is_value else self._spelt(word)
        return super().parse_args(words, *rest, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raises an `NstError` of one line in place of printing the usage and exiting."""
        if message.lower().startswith("unrecognized arguments: "):
            raise self._unexpected(message.partition(": ")[2].split())
        # The wording differs between jsonargparse's versions.
        if key := re.search(r"(?:Option|Key) '([^']+)' is not (?:accepted|expected)", message):
            raise unknown("option", key[1], [action.dest for action in self._actions])
        text = " ".join(message.split())
        required = r"the following arguments are required: |Option (?='\w+' is required)"
        if key := re.match(required, text):
            missing = re.findall(r"\w+", text[key.end() :].partition("' is")[0])
            names = [_name(a) for a in self._actions if a.dest in missing]
            raise NstError(f"{' and '.join(names)} missing: {self.prog} --help shows the usage.")
        if key := re.fullmatch(r"argument (?:-\w/)?([^:]*): (.*)", text):
            action = self._option_string_actions.get(key[1])
            value = re.fullmatch(r"invalid \w+ value: '(.*)'", key[2])
            raise (
                _wrong_value(action, value[1])
                if action and value
                else NstError(f"{key[1]}: {key[2]}")
            )
        if key := re.match(r'Parser key "([^"]+)": ', text):
            action = next((a for a in self._actions if a.dest == key[1]), None)
            value = re.search(r"(?:Given|Got) value: (.*)", message)
            if action and value:
                raise _wrong_value(action, value[1])
            text = text[key.end() :]
        raise NstError(text) from ex

    def _spelt(self, word: str) -> list[str]:
        option, equals, value = word.partition("=")
        known = self._option_string_actions
        hyphens = option.replace("_", "-")
        option = hyphens if option not in known and hyphens in known else option
        if not equals or option not in known:
            return [option + equals + value]
        first, *more = _as_lists(known[option], value)
        return [option, first, *more] if more else [f"{option}={first}"]

    def _unexpected(self, words: list[str]) -> NstError:
        option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        if option is None:
            return NstError(f"unexpected {words[0]!r}: give the inputs in one row, then options.")
        near = difflib.get_close_matches(option, self._option_string_actions, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return NstError(f"unknown option {option!r}: {hint}{self.prog} --help lists them.")


def members(hint: Any) -> tuple[Any, ...]:
    """The types that a hint allows, None aside: of `list[int] | None`, `list[int]`."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(kind for kind in kinds if kind is not NoneType)


def _as_lists(action: Any, word: str) -> list[str]:
    """What `200,100` means for an option that takes lists, and `relu1_1=1,relu2_1=2` for a dict.

    Names without numbers, as `relu1_1,relu2_1`, share the weight 1.
    """
    origins = [get_origin(kind) for kind in members(getattr(action, "_typehint", None))]
    parts = word.split(",")
    if action.nargs == "+" and action.type in (int, float):
        return parts
    if list in origins and len(parts) > 1 and not word.startswith("["):
        return [f"[{word}]"]
    if dict in origins and all(re.fullmatch(r"\w+", part) for part in parts):
        parts = [f"{part}={1 / len(parts)}" for part in parts]
    if dict in origins and all(re.fullmatch(r"\w+=[^{}]+", part) for part in parts):
        return ["{" + ", ".join(parts).replace("=", ": ") + "}"]
    return [word]


def _name(action: Any) -> str:
    return str(max(action.option_strings, key=len, default=action.dest.upper()))


def _wrong_value(action: Any, value: str) -> NstError:
    kinds = members(getattr(action, "_typehint", None) or action.type)
    if len(kinds) == 1 and get_origin(kinds[0]) is Literal:
        return unknown(f"value of {_name(action)}", value, map(str, get_args(kinds[0])))
    forms = {list: "several, as A,B,C", dict: "names with weights, as A=1,B=0.5"}
    plain = [kind.__name__ for kind in kinds if get_origin(kind) is None]
    expected = [f"a value of type {' or '.join(plain)}"] if plain else []
    expected += [forms[origin] for kind in kinds if (origin := get_origin(kind)) in forms]
    return NstError(f"{_name(action)} is {value!r}: give {', or '.join(expected)}.")
