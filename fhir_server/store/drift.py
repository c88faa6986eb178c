"""How the indexes that a collection has differ from those it should have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import IndexModel

_MEANING = (
    "partialFilterExpression",
    "wildcardProjection",
    "sparse",
    "unique",
    "collation",
    "expireAfterSeconds",
)


@dataclass(frozen=True, slots=True)
class Drift:
    """Of one collection: indexes that are `missing`, that have the name of another (`different`), and names of those
    that nobody expects (`extra`). False if there is none of it.
    """

    collection: str
    missing: tuple[IndexModel, ...] = ()
    different: tuple[IndexModel, ...] = ()
    extra: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.different or self.extra)

    def told(self) -> dict[str, Any]:
        """The names, for a log line."""
        names = {
            "missing": [each.document["name"] for each in self.missing],
            "different": [each.document["name"] for each in self.different],
            "extra": list(self.extra),
        }
        return {"collection": self.collection, **{kind: some for kind, some in names.items() if some}}


def drift(collection: str, expected: Sequence[IndexModel], present: Mapping[str, Mapping[str, Any]]) -> Drift:
    """`present` is what `index_information` gives. An index by another name serves as well."""
    there = {name: _signature(each) for name, each in present.items() if name != "_id_"}
    wanted = {each.document["name"]: (_signature(each.document), each) for each in expected}
    signatures = [signature for signature, _ in wanted.values()]
    missing: list[IndexModel] = []
    different: list[IndexModel] = []
    for name, (signature, each) in wanted.items():
        if signature not in there.values():
            (different if name in there else missing).append(each)
    taken = {each.document["name"] for each in different}
    extra = [name for name, each in there.items() if each not in signatures and name not in taken]
    return Drift(collection, tuple(missing), tuple(different), tuple(extra))


def _signature(index: Mapping[str, Any]) -> tuple[Any, ...]:
    key = index["key"]
    fields = [(field, way) for field, way in (key.items() if isinstance(key, Mapping) else key)]
    return (fields, *(index.get(each) or None for each in _MEANING))
