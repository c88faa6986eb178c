"""What MongoDB says of how it finds something.

https://www.mongodb.com/docs/manual/reference/explain-results/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.store.documents import CODEC_OPTIONS, Document
from fhir_server.store.faults import faults

if TYPE_CHECKING:
    from fhir_server.store.store import Store

MOST_VALUES = 1_000
"""Of a list in a filter so many values are explained: over tens of thousands, explain ends a mongod 6.0."""


@dataclass(frozen=True, slots=True)
class Explained:
    """`indexes` names those that are used, none: every document was read; `left_out` values were not explained."""

    indexes: tuple[str, ...]
    sorted_in_memory: bool
    keys: int
    documents: int
    returned: int
    milliseconds: int
    left_out: int = 0


async def explain(
    store: Store, name: str, filter_: Document, sort: Sequence[tuple[str, int]] = (), limit: int = 0
) -> Explained:
    """Runs a find, without its documents, and tells how it went; `TooSlow` when it takes longer than a search may."""
    left_out: list[int] = []
    find: Document = {"find": name, "filter": _capped(filter_, left_out)}
    if sort:
        find["sort"] = dict(sort)
    if limit:
        find["limit"] = limit
    with faults():
        told = await store.database.command(
            {"explain": find, "verbosity": "executionStats", "maxTimeMS": store.search_milliseconds},
            codec_options=CODEC_OPTIONS,
        )
    plan, stats = told["queryPlanner"]["winningPlan"], told["executionStats"]
    stages = list(_stages(plan))
    indexes = dict.fromkeys(_index(stage) for stage in stages if "indexName" in stage)
    if any(stage["stage"] == "IDHACK" for stage in stages):
        indexes["_id_"] = None
    return Explained(
        tuple(indexes),
        any(stage["stage"] == "SORT" for stage in stages),
        stats["totalKeysExamined"],
        stats["totalDocsExamined"],
        stats["nReturned"],
        stats["executionTimeMillis"],
        sum(left_out),
    )


def _capped(condition: Any, left_out: list[int]) -> Any:
    if isinstance(condition, Mapping):
        return {name: _capped(each, left_out) for name, each in condition.items()}
    if not isinstance(condition, list):
        return condition
    if len(condition) > MOST_VALUES:
        left_out.append(len(condition) - MOST_VALUES)
    return [_capped(each, left_out) for each in condition[:MOST_VALUES]]


def _stages(plan: Any) -> Iterator[Document]:
    """All stages, whatever they are nested in: a shard, several branches, a plan for MongoDB's newer engine."""
    if isinstance(plan, list):
        for each in plan:
            yield from _stages(each)
    elif isinstance(plan, dict):
        if "stage" in plan and isinstance(plan["stage"], str):
            yield plan
        for name, each in plan.items():
            if name not in {"filter", "slotBasedPlan"}:
                yield from _stages(each)


def _index(stage: Document) -> str:
    """The name; of a wildcard index with the field that is looked up in it."""
    fields = [field for field in stage["keyPattern"] if field != "$_path"]
    return (
        f"{stage['indexName']} ({', '.join(fields)})"
        if "$_path" in stage["keyPattern"]
        else str(stage["indexName"])
    )
