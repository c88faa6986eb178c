"""What is asked of instances of DICOM: studies, series and instances by their values, from the rows and nothing else.

So what was acknowledged is found, whether it is in an ImagingStudy yet or not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fhir_server.store.dicom_documents import instance_of
from fhir_server.store.documents import Document
from fhir_server.store.faults import faults
from fhir_server.store.indexes import DICOM_ATTRS, DICOM_INSTANCES, DICOM_STUDIES
from importers.dicom.qido import Condition, Query
from importers.dicom.rows import Group, Instance, Values
from resources.outcome import too_costly

if TYPE_CHECKING:
    from fhir_server.store.store import Store

MOST_NAMES = 50_000
"""Different values of studies or series that a search may come by"""
_FIELDS = {
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "series",
    "SOPInstanceUID": "_id",
    "SOPClassUID": "cls",
    "InstanceNumber": "num",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A study, series or instance by its UIDs."""

    study: str
    series: str | None = None
    instance: str | None = None

    @property
    def filter(self) -> Document:
        told = {"study": self.study, "series": self.series, "_id": self.instance}
        return {"state": "active"} | {name: uid for name, uid in told.items() if uid is not None}


class DicomQuery:
    """Searches of QIDO-RS and metadata of WADO-RS."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._milliseconds = store.search_milliseconds

    def _collection(self, name: str) -> Any:
        return self._store.collections.collection(name)

    async def studies(self, query: Query) -> list[str]:
        """UIDs, in their order; one more than the limit where there are more."""
        if not query.conditions:
            return await self._all(query)
        return [each["_id"] for each in await self._grouped(query, {}, "$study")]

    async def series(self, query: Query, within: Document) -> list[tuple[str, str]]:
        """The same as (study, series)."""
        found = await self._grouped(query, within, {"study": "$study", "series": "$series"})
        return [(each["_id"]["study"], each["_id"]["series"]) for each in found]

    async def instances(self, query: Query, within: Document) -> list[Instance]:
        """The same as rows."""
        wanted = await self._filter(query, within)
        if wanted is None:
            return []
        with faults():
            cursor = self._collection(DICOM_INSTANCES).find(
                wanted, sort=_ORDER, skip=query.offset, limit=query.limit + 1, max_time_ms=self._milliseconds
            )
            return [instance_of(each) async for each in cursor]

    async def groups(self, studies: Sequence[str]) -> Mapping[str, Sequence[Group]]:
        """The active instances of studies in groups that say the same."""
        same = {"study": "$study", "series": "$series", "rd": "$rd", "sd": "$sd"}
        facts = {"n": {"$sum": 1}, "first": {"$min": "$_id"}, "classes": {"$addToSet": "$cls"}}
        pipeline: list[Document] = [
            {"$match": {"study": {"$in": list(studies)}, "state": "active"}},
            {"$group": {"_id": same, **facts}},
            {"$sort": {"_id": 1}},
        ]
        with faults():
            cursor = await self._collection(DICOM_INSTANCES).aggregate(pipeline, maxTimeMS=self._milliseconds)
            found = await cursor.to_list()
        attrs = await self.attrs({each["_id"][name] for each in found for name in ("rd", "sd")})
        by_study: dict[str, list[Group]] = {}
        for each in found:
            key = each["_id"]
            group = Group(
                key["series"],
                attrs[key["sd"]],
                attrs[key["rd"]],
                each["n"],
                each["first"],
                frozenset(each["classes"]),
            )
            by_study.setdefault(key["study"], []).append(group)
        return by_study

    async def attrs(self, names: set[str]) -> dict[str, Values]:
        """Values by their names."""
        stored = await self._store.find(DICOM_ATTRS, {"_id": {"$in": sorted(names)}})
        return {each["_id"]: each["values"] for each in stored}

    async def count(self, place: Place) -> int:
        return await self._store.count(DICOM_INSTANCES, place.filter)

    async def rows(self, place: Place) -> AsyncIterator[Instance]:
        """All of a study, a series, or one."""
        with faults():
            async for each in self._collection(DICOM_INSTANCES).find(place.filter, sort=_ORDER):
                yield instance_of(each)

    async def _all(self, query: Query) -> list[str]:
        """Studies one after the other, without a look at the instances of all others."""
        one: Document = {
            "from": DICOM_INSTANCES,
            "let": {"uid": "$_id"},
            "pipeline": [
                {"$match": {"$expr": {"$eq": ["$study", "$$uid"]}, "state": "active"}},
                {"$limit": 1},
                {"$project": {"_id": 1}},
            ],
            "as": "some",
        }
        pipeline: list[Document] = [
            {"$sort": {"_id": 1}},
            {"$lookup": one},
            {"$match": {"some": {"$ne": []}}},
            {"$skip": query.offset},
            {"$limit": query.limit + 1},
            {"$project": {"_id": 1}},
        ]
        with faults():
            cursor = await self._collection(DICOM_STUDIES).aggregate(pipeline, maxTimeMS=self._milliseconds)
            return [each["_id"] async for each in cursor]

    async def _grouped(self, query: Query, within: Document, key: Any) -> list[Document]:
        wanted = await self._filter(query, within)
        if wanted is None:
            return []
        pipeline: list[Document] = [
            {"$match": wanted},
            {"$group": {"_id": key}},
            {"$sort": {"_id": 1}},
            {"$skip": query.offset},
            {"$limit": query.limit + 1},
        ]
        with faults():
            cursor = await self._collection(DICOM_INSTANCES).aggregate(pipeline, maxTimeMS=self._milliseconds)
            found: list[Document] = await cursor.to_list()
        return found

    async def _filter(self, query: Query, within: Document) -> Document | None:
        """The rows that match; None where none can."""
        wanted: Document = {"state": "active"}
        every = [{name: uid} for name, uid in within.items()]
        every += [{_FIELDS[each.keyword]: each.wanted} for each in (*query.of("uid"), *query.of("instance"))]
        for conditions, name in ((query.of("study"), "sd"), (query.of("series"), "rd")):
            if conditions:
                names = await self._names(conditions)
                if not names:
                    return None
                every.append({name: {"$in": names}})
        return wanted | ({"$and": every} if every else {})

    async def _names(self, conditions: Sequence[Condition]) -> list[str]:
        """Of values that match all conditions."""
        every = [_condition(each) for each in conditions]
        with faults():
            cursor = self._collection(DICOM_ATTRS).find(
                {"$and": every}, {"_id": 1}, limit=MOST_NAMES + 1, max_time_ms=self._milliseconds
            )
            names = [each["_id"] async for each in cursor]
        if len(names) > MOST_NAMES:
            raise too_costly(
                f"More than {MOST_NAMES:,} studies or series match; ask more narrowly, by date say"
            )
        return names


_ORDER = [("study", 1), ("series", 1), ("num", 1), ("_id", 1)]
_PEOPLE = {"PatientName", "ReferringPhysicianName"}


def _condition(condition: Condition) -> Document:
    field = f"values.{condition.keyword}"
    if condition.keyword not in _PEOPLE:
        return {field: condition.wanted}
    return {
        "$or": [{f"{field}.{group}": condition.wanted} for group in ("alphabetic", "ideographic", "phonetic")]
    }
