"""Where this server stands: what turns values of resources and of searches into the same terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from capability.table import TABLE, Capability
from fhir_server.search.codes import Members, of_r4
from fhir_server.search.concepts import Concepts

Condition = dict[str, object]
"""A MongoDB condition over a stored document."""


def _now() -> datetime:
    return datetime.now(UTC)


def _no_code_system(url: str) -> Concepts | None:
    return None


@dataclass(frozen=True, slots=True)
class Site:
    """`base_url` without a slash at the end: its references are local ones; `zone` is meant where a date names none;
    `clock` gives the present moment (aware), from which `ap` measures; `value_set` gives the codes of a value set
    by its URL, `concepts` what a code system that is stored here says of its codes: `value_sets.known` adds those that
    are stored. `table` has the search parameters, `generation` counts the changes of those of this server's own:
    values that are stored were made by the parameters of some generation.
    """

    base_url: str
    zone: tzinfo = UTC
    clock: Callable[[], datetime] = _now
    value_set: Callable[[str], Members | None] = of_r4
    concepts: Callable[[str], Concepts | None] = _no_code_system
    table: Capability = TABLE
    generation: int = 0
