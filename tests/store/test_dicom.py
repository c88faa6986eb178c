"""Rows of DICOM in MongoDB: once each, marked, claimed by one, tried again later, found by indexes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from fhir_server.store import dicom
from fhir_server.store.dicom import MongoDicom
from fhir_server.store.documents import now
from fhir_server.store.indexes import DICOM_INSTANCES, DICOM_STUDIES, OTHERS
from fhir_server.store.store import Store
from importers.dicom.rows import Folded, Instance, Pace, Quarantined

AT_ONCE = Pace(first=0, quiet=0, most=0, count=1)
SLOW = Pace(first=3600, quiet=3600, most=3600, count=10)


def row(number: int, study: str = "1.2", series: str = "1.2.1", cls: str = "1.2.840.1") -> Instance:
    uid = f"{series}.{number}"
    return Instance(uid, study, series, cls, f"d{number}", "s", "r", number, "a title", "default", now())


async def kept(store: MongoDicom, rows: list[Instance]) -> None:
    await store.studies({each.study_uid: ("p", "default") for each in rows})
    await store.put_attrs({"s": {"PatientID": "p"}, "r": {"Modality": "CT"}})
    await store.insert(rows)
    await store.mark(
        {uid: sum(each.study_uid == uid for each in rows) for uid in {e.study_uid for e in rows}}
    )


async def test_a_row_is_given_back_as_it_was_and_is_there_once(store: Store) -> None:
    mine = MongoDicom(store, SLOW)
    rows = [row(1), replace(row(2), number=None, title=None)]
    assert await mine.insert(rows) == {each.sop_uid for each in rows}
    assert await mine.insert([*rows, row(3)]) == {row(3).sop_uid}
    found = await mine.instances([each.sop_uid for each in rows])
    assert [found[each.sop_uid] for each in rows] == rows
    changed = replace(rows[0], digest="other")
    assert await mine.replace(changed, rows[0])
    assert not await mine.replace(changed, rows[0])


async def test_groups_are_by_series_class_and_what_is_said(store: Store) -> None:
    mine = MongoDicom(store, SLOW)
    rows = [*map(row, range(5)), row(7, cls="1.2.840.2"), *(row(n, series="1.2.2") for n in range(3))]
    await kept(mine, rows)
    assert sorted((each.series_uid, each.count, each.first) for each in await mine.groups("1.2")) == [
        ("1.2.1", 1, "1.2.1.7"), ("1.2.1", 5, "1.2.1.0"), ("1.2.2", 3, "1.2.2.0"),
    ]  # fmt: skip
    assert await mine.count("1.2") == 9
    assert await mine.withdraw("1.2", "1.2.1") == 6
    assert [each.count for each in await mine.groups("1.2")] == [3]


async def test_a_study_is_claimed_by_one(store: Store) -> None:
    mine = MongoDicom(store, AT_ONCE)
    await kept(mine, [row(n, study=f"1.{n}") for n in range(5)])
    claimed = await asyncio.gather(*(MongoDicom(store, AT_ONCE).claim() for _ in range(12)))
    uids = sorted(each.uid for each in claimed if each is not None)
    assert uids == [f"1.{n}" for n in range(5)]


async def test_what_its_holder_never_folded_is_taken_by_another(store: Store) -> None:
    mine = MongoDicom(store, AT_ONCE)
    await kept(mine, [row(1)])
    assert await mine.claim() is not None
    assert await mine.claim() is None
    late = {"$set": {"lease": now() - timedelta(seconds=1)}}
    await store.collections.collection(DICOM_STUDIES).update_one({"_id": "1.2"}, late)
    assert await mine.claim() is not None


async def test_what_changes_while_it_is_folded_stays_dirty(store: Store) -> None:
    mine = MongoDicom(store, AT_ONCE)
    await kept(mine, [row(1)])
    found = await mine.read("1.2")
    assert found is not None
    await mine.insert([row(2)])
    await mine.mark({"1.2": 1})
    await mine.folded(found[0], Folded("ImagingStudy/x"))
    study = await mine.study_of("ImagingStudy/x")
    assert study is not None
    assert (study.seq, study.built, study.dirty) == (2, 1, True)
    assert await mine.claim() is not None
    await mine.folded(study, Folded("ImagingStudy/x"))
    assert await mine.dirty(10) == []
    assert await mine.claim() is None


async def test_the_pace(store: Store) -> None:
    """Nothing before its time; at once when so much has changed."""
    mine = MongoDicom(store, SLOW)
    await kept(mine, [row(1)])
    assert await mine.claim() is None
    study = (await mine.dirty(1))[0]
    await mine.folded(study, Folded("ImagingStudy/x"))
    await kept(mine, [row(n) for n in range(2, 11)])
    assert await mine.claim() is None
    await kept(mine, [row(11)])
    assert await mine.claim() is not None


async def test_what_fails_is_tried_again_later_each_time(store: Store) -> None:
    mine = MongoDicom(store, AT_ONCE)
    await kept(mine, [row(1)])
    waits = []
    for _ in range(3):
        study = (await mine.dirty(1))[0]
        await mine.failed(study, "it cannot be")
        [document] = await store.find(DICOM_STUDIES, {})
        waits.append((document["next"] - now()).total_seconds())
        assert await mine.claim() is None
    assert [round(each / 10) for each in waits] == [3, 6, 12]
    assert waits[-1] < dicom.MOST_AGAIN
    study = (await mine.dirty(1))[0]
    assert study.fault == "it cannot be"
    await mine.folded(study, Folded("ImagingStudy/x"))
    again = await mine.study("1.2")
    assert again is not None
    assert again.fault is None


async def test_a_quarantined_instance_is_kept_once(store: Store) -> None:
    mine = MongoDicom(store, SLOW)
    one = Quarantined(row(1), "somebody", {"PatientID": "x"}, {})
    await mine.quarantine([one])
    await mine.quarantine([one, Quarantined(replace(row(1), digest="other"), "somebody", {}, {})])
    assert len(await store.find("_dicom_quarantine", {"study": "1.2"})) == 2


async def test_values_are_stored_once(store: Store) -> None:
    mine = MongoDicom(store, SLOW)
    for each in (mine, MongoDicom(store, SLOW), mine):
        await each.put_attrs({"name": {"Modality": "CT"}})
    assert len(await store.find("_dicom_attrs", {})) == 1


async def test_every_question_has_an_index(store: Store) -> None:
    mine = MongoDicom(store, AT_ONCE)
    await kept(mine, [row(1)])
    there = {
        name: await store.database[name].index_information() for name in (DICOM_INSTANCES, DICOM_STUDIES)
    }
    for name, found in there.items():
        assert set(found) == {"_id_", *(each.document["name"] for each in OTHERS[name])}
    for name, wanted in (
        (DICOM_INSTANCES, {"study": "1.2", "state": "active"}),
        (DICOM_STUDIES, {"next": {"$lte": now()}}),
        (DICOM_STUDIES, {"ref": "ImagingStudy/x"}),
    ):
        plan = await store.database[name].find(wanted).explain()
        assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), wanted


async def test_rows_are_listed_in_one_order_from_anywhere(store: Store) -> None:
    mine = MongoDicom(store, SLOW)
    rows = [*map(row, range(10)), replace(row(77), number=None), replace(row(78), number=5)]
    rows += [row(n, series="1.2.2") for n in range(4)]
    await kept(mine, rows)
    whole = [each async for each in mine.listed("1.2")]
    assert whole == sorted(
        rows, key=lambda each: (each.series_uid, -1 if each.number is None else each.number, each.sop_uid)
    )
    for position, each in enumerate(whole):
        rest = [one async for one in mine.listed("1.2", after=each, most=3)]
        assert rest == whole[position + 1 : position + 4]
