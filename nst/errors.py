"""The one family of errors that users see as a single line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NstError(ValueError):
    """Bad input: the message says what, the value got, and what to do."""


def unknown(what: str, value: str, valid: Iterable[str]) -> NstError:
    """An error for a name that is not among the valid ones; says which is near.

    Args:
        what: The kind of name, such as "layer".
        value: The name that was given.
        valid: All names that are accepted.
    """
    names = list(valid)
    near = difflib.get_close_matches(value, names, n=1)
    choose = f"did you mean {near[0]!r}? Choose" if near else "choose"
    return NstError(f"unknown {what} {value!r}: {choose} one of {', '.join(names)}.")
