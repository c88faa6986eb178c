"""Mappings that a hospital replaces for a feed: functions in a file of its own, found by the name of what they map.

docs/hl7v2.md, "A mapping of one's own".
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from importers.hl7v2.conversion import Conversion

P = ParamSpec("P")
R = TypeVar("R")
Mapped = Callable[Concatenate["Conversion", P], R]


def overridable(name: str) -> Callable[[Mapped[P, R]], Mapped[P, R]]:
    """Marks the function that maps a segment (`PID`) or a data type (`XPN`): a feed may have another one.

    That is called with this one first and the same arguments behind, so that it can use or change its result.
    """

    def mark(function: Mapped[P, R]) -> Mapped[P, R]:
        @functools.wraps(function)
        def chosen(conversion: Conversion, /, *args: P.args, **kwargs: P.kwargs) -> R:
            overrides = conversion.config.overrides
            if overrides and (own := overrides.get(name)) is not None:
                result: R = own(function, conversion, *args, **kwargs)
                return result
            return function(conversion, *args, **kwargs)

        return chosen

    return mark
