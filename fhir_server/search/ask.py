"""What planning asks of the database before it can go on: I/O is for who drives the planning.

A plan that needs answers is a generator: it yields the questions of one level, which can be asked at the same time,
is sent their answers in the same order, and returns what it planned.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fhir_server.search.site import Condition

T = TypeVar("T")

Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """At most `limit` documents of a type with these members (all if None) that meet `filter`, in no order unless
    `sort`. With `distinct` the values of that field instead, each as `{"_id": value}`, those that begin with `prefix`.
    """

    resource_type: str
    filter: Condition
    limit: int
    projection: Mapping[str, Any] | None = None
    sort: tuple[tuple[str, int], ...] = ()
    distinct: str | None = None
    prefix: str = ""


Planning = Generator[Sequence[Ask], Sequence[Sequence[Found]], T]

Access = Callable[[str], Sequence[Condition]]
"""What access control demands of the resources of a type; asked for each type that a search touches."""


def everything(resource_type: str) -> Sequence[Condition]:
    """No demands: whoever asks may see all."""
    return ()
