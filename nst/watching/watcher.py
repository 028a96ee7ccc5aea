"""What is called while an optimisation goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from nst.optimise import Step

Watcher: TypeAlias = Callable[[Step, Step], None]
"""Is called after every iteration with its record and with the record of the best picture so far.

Losses are logged of the first. Pictures are shown of the second, which at the end is the result."""
