"""Where this server stands: what turns values of resources and of searches into the same terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

Condition = dict[str, object]
"""A MongoDB condition over a stored document."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """`base_url` without a slash at the end: its references are local ones; `zone` is meant where a date names none;
    `clock` gives the present moment (aware), from which `ap` measures.
    """

    base_url: str
    zone: tzinfo = UTC
    clock: Callable[[], datetime] = _now
