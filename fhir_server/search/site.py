"""Where this server stands: what turns values of resources and of searches into the same terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from capability.table import TABLE, Capability
from resources.terminology import Expansion

Condition = dict[str, object]
"""A MongoDB condition over a stored document."""


def _now() -> datetime:
    return datetime.now(UTC)


def _no_value_set(url: str) -> Expansion | None:
    return None


@dataclass(frozen=True, slots=True)
class Site:
    """`base_url` without a slash at the end: its references are local ones; `zone` is meant where a date names none;
    `clock` gives the present moment (aware), from which `ap` measures; `value_set` gives the codes of a value set
    that is stored here, by its URL, for `:in`. Those of R4 are known without. `table` has the search parameters, `generation` counts the
    changes of those of this server's own: values that are stored were made by the parameters of some generation.
    """

    base_url: str
    zone: tzinfo = UTC
    clock: Callable[[], datetime] = _now
    value_set: Callable[[str], Expansion | None] = _no_value_set
    table: Capability = TABLE
    generation: int = 0
