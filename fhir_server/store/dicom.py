"""Instances of DICOM and the studies they are in, as they are stored (docs/dicom.md#growth).

    _dicom_instances   {_id: SOP Instance UID, study, series, cls, digest, sd, rd, num?, title?, source, at, state}
    _dicom_attrs       {_id: name, values}: what instances of a study or series have in common, by its content
    _dicom_studies     {_id: Study Instance UID, patient, source, seq, built, first?, last?, next?, lease?, ref?, fault?}
    _dicom_quarantine  {_id: {sop, digest}, study, at, …}: what came under another patient than its study

A row is written before its study is marked as changed, and the sender is answered after both. All of it may be done
twice and in any order by any number of servers, and leaves the same. A study whose `seq` is not `built` is dirty;
`next` says when somebody is to fold it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from fhir_server.store.dicom_documents import built, document_of, instance_of, marked, study_of
from fhir_server.store.documents import Document, now
from fhir_server.store.faults import DUPLICATE_KEY, faults
from fhir_server.store.indexes import DICOM_ATTRS, DICOM_INSTANCES, DICOM_QUARANTINE, DICOM_STUDIES
from importers.dicom.rows import Folded, Group, Instance, Pace, Quarantined, State, Study, Values

if TYPE_CHECKING:
    from fhir_server.store.store import Store

LEASE = timedelta(seconds=30)
"""How long a study is left to who folds it"""
AGAIN, MOST_AGAIN = 30.0, 3600.0
"""Seconds until what could not be folded is tried again, doubled each time up to the second"""
MOST_KNOWN = 20_000
"""Names of values that are remembered to be stored"""


class MongoDicom:
    """`DicomStore` on MongoDB."""

    def __init__(self, store: Store, pace: Pace) -> None:
        self._store = store
        self._pace = pace
        self._known: dict[str, None] = {}

    def _collection(self, name: str) -> Any:
        return self._store.collections.collection(name)

    async def _ready(self) -> None:
        for name in (DICOM_INSTANCES, DICOM_ATTRS, DICOM_STUDIES, DICOM_QUARANTINE):
            await self._store.collections.ensure(name)

    # Arrival

    async def studies(self, wanted: Mapping[str, tuple[str, str]]) -> Mapping[str, Study]:
        with faults():
            await self._ready()
            found = await self._studies(list(wanted))
            changes = []
            for uid, (patient, source) in wanted.items():
                if uid not in found:
                    begin = {"patient": patient, "source": source, "seq": 0, "built": 0}
                    changes.append(UpdateOne({"_id": uid}, {"$setOnInsert": begin}, upsert=True))
                if patient and (uid not in found or not found[uid].patient):
                    named = {"$set": {"patient": patient}}
                    changes.append(UpdateOne({"_id": uid, "patient": ""}, named))
            if not changes:
                return found
            await self._bulk(DICOM_STUDIES, changes, ordered=True)
            return await self._studies(list(wanted))

    async def _studies(self, uids: Sequence[str]) -> dict[str, Study]:
        found = await self._store.find(DICOM_STUDIES, {"_id": {"$in": uids}})
        return {each["_id"]: study_of(each) for each in found}

    async def give(self, study: Study, patient: str) -> bool:
        mine = {"_id": study.uid, "patient": study.patient}
        with faults():
            done = await self._collection(DICOM_STUDIES).update_one(mine, {"$set": {"patient": patient}})
        return bool(done.matched_count)

    async def instances(self, sop_uids: Collection[str]) -> Mapping[str, Instance]:
        found = await self._store.find(DICOM_INSTANCES, {"_id": {"$in": list(sop_uids)}})
        return {each["_id"]: instance_of(each) for each in found}

    async def put_attrs(self, attrs: Mapping[str, Values]) -> None:
        new = {name: values for name, values in attrs.items() if name not in self._known}
        if not new:
            return
        puts = [
            UpdateOne({"_id": name}, {"$setOnInsert": {"values": dict(values)}}, upsert=True)
            for name, values in new.items()
        ]
        with faults():
            await self._ready()
            await self._bulk(DICOM_ATTRS, puts)
        if len(self._known) + len(new) > MOST_KNOWN:
            self._known.clear()
        self._known.update(dict.fromkeys(new))

    async def insert(self, rows: Sequence[Instance]) -> set[str]:
        puts = []
        for row in rows:
            document = document_of(row)
            puts.append(UpdateOne({"_id": document.pop("_id")}, {"$setOnInsert": document}, upsert=True))
        with faults():
            await self._ready()
            new = await self._bulk(DICOM_INSTANCES, puts)
        return {rows[number].sop_uid for number in new}

    async def _bulk(self, name: str, changes: Sequence[UpdateOne], *, ordered: bool = False) -> set[int]:
        """Which of them inserted something; what another has inserted in this moment is there, too."""
        try:
            done = await self._collection(name).bulk_write(changes, ordered=ordered)
        except BulkWriteError as fault:
            told = fault.details
            if told["writeConcernErrors"] or {each["code"] for each in told["writeErrors"]} != {
                DUPLICATE_KEY
            }:
                raise
            if ordered:
                return await self._bulk(name, changes, ordered=True)
            return {each["index"] for each in told["upserted"]}
        return set(done.upserted_ids or ())

    async def replace(self, row: Instance, before: Instance) -> bool:
        there = {"_id": before.sop_uid, "digest": before.digest, "state": before.state}
        with faults():
            done = await self._collection(DICOM_INSTANCES).replace_one(there, document_of(row))
        return bool(done.matched_count)

    async def mark(self, changes: Mapping[str, int]) -> None:
        moment = now()
        marks = [UpdateOne({"_id": uid}, marked(count, moment, self._pace)) for uid, count in changes.items()]
        with faults():
            await self._collection(DICOM_STUDIES).bulk_write(marks, ordered=False)

    async def quarantine(self, some: Sequence[Quarantined]) -> None:
        puts = []
        for each in some:
            document = document_of(each.instance)
            key = {"_id": {"sop": document.pop("_id"), "digest": each.instance.digest}}
            document |= {
                "patient": each.patient,
                "of_study": dict(each.study),
                "of_series": dict(each.series),
            }
            puts.append(UpdateOne(key, {"$setOnInsert": document}, upsert=True))
        with faults():
            await self._ready()
            await self._bulk(DICOM_QUARANTINE, puts)

    # Fold

    async def study(self, uid: str) -> Study | None:
        return (await self._studies([uid])).get(uid)

    async def study_of(self, reference: str) -> Study | None:
        return (await self.studies_of([reference])).get(reference)

    async def studies_of(self, references: Sequence[str]) -> Mapping[str, Study]:
        found = await self._store.find(DICOM_STUDIES, {"ref": {"$in": list(references)}})
        return {each["ref"]: study_of(each) for each in found}

    async def dirty(self, most: int) -> Sequence[Study]:
        found = await self._store.find(
            DICOM_STUDIES, {"next": {"$exists": True}}, sort=[("next", ASCENDING)], limit=most
        )
        return [study_of(each) for each in found]

    async def claim(self) -> Study | None:
        moment = now()
        free = {"$or": [{"lease": {"$exists": False}}, {"lease": {"$lt": moment}}]}
        with faults():
            found = await self._collection(DICOM_STUDIES).find_one_and_update(
                {"next": {"$lte": moment}, **free},
                {"$set": {"lease": moment + LEASE}},
                sort=[("next", ASCENDING)],
                return_document=True,
            )
        return None if found is None else study_of(found)

    async def read(self, uid: str) -> tuple[Study, Sequence[Group]] | None:
        with faults():
            found = await self._collection(DICOM_STUDIES).find_one_and_update(
                {"_id": uid}, {"$set": {"reading": now()}}, return_document=True
            )
        return None if found is None else (study_of(found), await self.groups(uid))

    async def groups(self, uid: str) -> Sequence[Group]:
        with faults():
            groups = await self._groups(uid)
        names = {each["_id"][name] for each in groups for name in ("rd", "sd")}
        stored = await self._store.find(DICOM_ATTRS, {"_id": {"$in": sorted(names)}})
        attrs = {each["_id"]: each["values"] for each in stored}
        return [
            Group(
                each["_id"]["series"],
                attrs[each["_id"]["sd"]],
                attrs[each["_id"]["rd"]],
                each["n"],
                each["first"],
                frozenset({each["_id"]["cls"]}),
            )
            for each in groups
        ]

    async def _groups(self, uid: str) -> list[Document]:
        """Ordered: what is made of them does not depend on how MongoDB found them."""
        same = {"series": "$series", "rd": "$rd", "sd": "$sd", "cls": "$cls"}
        facts = {"n": {"$sum": 1}, "first": {"$min": "$_id"}}
        pipeline: list[Document] = [
            {"$match": {"study": uid, "state": "active"}},
            {"$group": {"_id": same, **facts}},
            {"$sort": {"_id": 1}},
        ]
        cursor = await self._collection(DICOM_INSTANCES).aggregate(pipeline)
        groups: list[Document] = await cursor.to_list()
        return groups

    async def folded(self, study: Study, done: Folded) -> None:
        named = {"ref": done.reference, "pref": done.patient, "issues": list(done.issues)}
        facts = {name: each for name, each in named.items() if each is not None}
        change = built(study, now(), self._pace, facts)
        with faults():
            await self._collection(DICOM_STUDIES).update_one({"_id": study.uid}, change)

    async def failed(self, study: Study, fault: str) -> None:
        with faults():
            found = await self._collection(DICOM_STUDIES).find_one_and_update(
                {"_id": study.uid}, {"$inc": {"tries": 1}, "$set": {"fault": fault}}, return_document=True
            )
            if found is not None:
                wait = min(AGAIN * 2 ** (min(found["tries"], 16) - 1), MOST_AGAIN)
                later = {"$set": {"next": now() + timedelta(seconds=wait)}, "$unset": {"lease": 1}}
                await self._collection(DICOM_STUDIES).update_one({"_id": study.uid}, later)

    # Reading

    async def count(self, study_uid: str) -> int:
        return await self._store.count(DICOM_INSTANCES, {"study": study_uid, "state": "active"})

    async def listed(
        self, study_uid: str, *, most: int = 0, after: Instance | None = None
    ) -> AsyncIterator[Instance]:
        wanted: Document = {"study": study_uid, "state": "active"}
        if after is not None:
            same = {"series": after.series_uid, "num": after.number}
            later = {"series": after.series_uid, "num": {"$gt": after.number}}
            if after.number is None:  # which come first
                later["num"] = {"$ne": None}
            wanted["$or"] = [
                {"series": {"$gt": after.series_uid}},
                later,
                {**same, "_id": {"$gt": after.sop_uid}},
            ]
        order = [(name, ASCENDING) for name in ("series", "num", "_id")]
        with faults():
            async for each in self._collection(DICOM_INSTANCES).find(wanted, sort=order, limit=most):
                yield instance_of(each)

    async def active(self, study_uids: Sequence[str]) -> Sequence[Instance]:
        wanted = {"study": {"$in": list(study_uids)}, "state": "active"}
        order = [(name, ASCENDING) for name in ("series", "num", "_id")]
        return [instance_of(each) for each in await self._store.find(DICOM_INSTANCES, wanted, sort=order)]

    # Deleting

    async def withdraw(
        self,
        study_uid: str,
        series_uid: str | None = None,
        sop_uid: str | None = None,
        *,
        state: State = "gone",
    ) -> int:
        wanted: Document = {"study": study_uid, "state": "active"}
        if series_uid is not None:
            wanted["series"] = series_uid
        if sop_uid is not None:
            wanted["_id"] = sop_uid
        with faults():
            done = await self._collection(DICOM_INSTANCES).update_many(wanted, {"$set": {"state": state}})
        # Also when there was nothing left: who asked before may have died between the two.
        await self.mark({study_uid: max(1, done.modified_count)})
        return int(done.modified_count)
