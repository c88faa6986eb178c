"""How many resources match: counted, or estimated.

http://hl7.org/fhir/R4/search.html#total
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.search.searchset import Total
from fhir_server.store.faults import faults

if TYPE_CHECKING:
    from fhir_server.search.site import Condition
    from fhir_server.store.documents import Document
    from fhir_server.store.unit import Unit

COUNTED = 1_000
"""Matches up to which an estimate is a count"""

SAMPLE = 1_000
"""Resources, taken at random, that are judged instead of all"""


async def counted(unit: Unit, resource_type: str, criteria: Condition, *, max_time_ms: int) -> Total:
    return Total(await unit.count(resource_type, criteria, max_time_ms=max_time_ms))


async def estimated(unit: Unit, resource_type: str, criteria: Condition, *, max_time_ms: int) -> Total:
    """Few are counted; of many the share that they have in a sample is taken for that of all."""
    if unit.session is not None:  # inside of a transaction MongoDB tells neither
        return await counted(unit, resource_type, criteria, max_time_ms=max_time_ms)
    limited: list[Document] = [{"$match": criteria}, {"$limit": COUNTED}, {"$count": "n"}]
    found = await _number(unit, resource_type, limited, max_time_ms)
    if found < COUNTED:
        return Total(found)
    with faults():
        everything = await unit.store.collections.collection(resource_type).estimated_document_count(
            maxTimeMS=max_time_ms
        )
    sample: list[Document] = [{"$sample": {"size": SAMPLE}}, {"$match": criteria}, {"$count": "n"}]
    fitting = await _number(unit, resource_type, sample, max_time_ms)
    return Total(max(found, round(everything * fitting / min(SAMPLE, everything))), estimated=True)


async def _number(unit: Unit, resource_type: str, pipeline: list[Document], max_time_ms: int) -> int:
    with faults():
        collection = unit.store.collections.collection(resource_type)
        cursor = await collection.aggregate(pipeline, maxTimeMS=max_time_ms)
        found: list[Document] = await cursor.to_list()
    return int(found[0]["n"]) if found else 0
