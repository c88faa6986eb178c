"""ImagingStudy made of instances of DICOM: few versions, all that was acknowledged, whoever sent it in whatever order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest_asyncio

from fhir_server.context import Context
from fhir_server.store.documents import now
from importers.dicom.describe import describe
from importers.dicom.dicom import Peer
from importers.dicom.sources import SourceConfig
from tests.rest.conftest import running
from tests.rest.dicom import CT, another_server, header, headers, study_uid, taken
from tests.rest.expecting import refused

Json = dict[str, Any]
QUICK = {"dicom_first_seconds": 0.1, "dicom_quiet_seconds": 0.5}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(module_database_name: str) -> str:
    return module_database_name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(mongod_uri: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(mongod_uri, database, **QUICK) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ctx(mongod_uri: str, database: str) -> AsyncIterator[Context]:
    """A process of its own that takes instances: it has no part in folding."""
    async with another_server(mongod_uri, database) as ctx:
        yield ctx


async def found(client: httpx.AsyncClient, number: int) -> list[Json]:
    answer = await client.get(
        "ImagingStudy", params={"identifier": f"urn:dicom:uid|urn:oid:{study_uid(number)}"}
    )
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


async def the(client: httpx.AsyncClient, number: int) -> Json:
    [study] = await found(client, number)
    return study


def listed(study: Json) -> set[str]:
    return {each["uid"] for series in study["series"] for each in series.get("instance", ())}


async def test_an_instance_becomes_a_study_of_a_patient(server: httpx.AsyncClient, ctx: Context) -> None:
    [outcome] = await taken(ctx, [header(1, study=1)])
    assert outcome.status == "stored"
    study = await the(server, 1)
    assert (study["status"], study["numberOfSeries"], study["numberOfInstances"]) == ("available", 1, 1)
    assert listed(study) == {outcome.sop_uid}
    read = (await server.get(f"ImagingStudy/{study['id']}")).json()
    assert read == study
    patient = (await server.get(study["subject"]["reference"])).json()
    assert patient["identifier"][0]["value"] == "4711"


async def test_the_same_again_changes_nothing(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, headers(range(20), study=2))
    before = await the(server, 2)
    again = headers(range(20), study=2)
    random.Random(1).shuffle(again)
    assert {each.status for each in await taken(ctx, [*again, *again])} == {"same"}
    assert await the(server, 2) == before


async def test_ten_thousand_instances_make_a_handful_of_versions(
    server: httpx.AsyncClient, ctx: Context
) -> None:
    """Sent by four at once in portions that overlap, in any order; whoever reads sees all that was acknowledged."""
    numbers = list(range(10_000))
    random.Random(7).shuffle(numbers)
    portions = [numbers[start : start + 120] for start in range(0, len(numbers), 100)]
    acknowledged: set[str] = set()
    done = asyncio.Event()

    async def send(some: list[list[int]]) -> None:
        for portion in some:
            outcomes = await taken(ctx, headers(portion, study=3))
            assert {each.status for each in outcomes} <= {"stored", "same"}
            acknowledged.update(each.sop_uid for each in outcomes)

    async def look() -> int:
        looks = 0
        while not done.is_set():
            before = len(acknowledged)
            found_ = await found(server, 3)
            shown = found_[0]["numberOfInstances"] if found_ else 0
            assert shown >= before
            looks += 1
            await asyncio.sleep(1)
        return looks

    looking = asyncio.create_task(look())
    await asyncio.gather(*(send(portions[sender::4]) for sender in range(4)))
    done.set()
    looks = await looking
    study = await the(server, 3)
    assert (study["numberOfInstances"], study["numberOfSeries"]) == (10_000, 1)
    assert len(acknowledged) == 10_000
    # Beside those who look: some after two seconds, after quiet, or in between.
    assert int(study["meta"]["versionId"]) <= looks + 6
    assert "instance" not in study["series"][0]  # 10,000 are more than are listed
    assert study["meta"]["tag"][0]["code"] == "SUBSETTED"
    versions = (await server.get(f"ImagingStudy/{study['id']}/_history")).json()
    assert all(len(str(each["resource"])) < 20_000 for each in versions["entry"])


async def test_the_ten_thousandth_costs_what_the_hundredth_does(ctx: Context) -> None:
    """By counting what MongoDB is asked, and what it looks at."""
    client = ctx.store.client

    async def cost(first: int) -> tuple[int, int, int]:
        async def counters() -> tuple[int, int, int]:
            told = await client.admin.command("serverStatus")
            looked, operations = told["metrics"]["queryExecutor"], told["opcounters"]
            asked = sum(operations[name] for name in ("insert", "query", "update", "delete", "command"))
            return asked, looked["scanned"], looked["scannedObjects"]

        before = await counters()
        await taken(ctx, headers(range(first, first + 100), study=4))
        after = await counters()
        return tuple(two - one for one, two in zip(before, after, strict=True))  # type: ignore[return-value]

    await taken(ctx, headers(range(100), study=4))
    early = min(await cost(100), await cost(200))
    for start in range(300, 9800, 500):
        await taken(ctx, headers(range(start, start + 500), study=4))
    late = min(await cost(9800), await cost(9900))
    # Signs of life of other servers on the same MongoDB are counted, too.
    assert all(two <= one * 1.2 + 20 for one, two in zip(early, late, strict=True)), (early, late)


async def test_four_senders_race_with_the_same_instances(
    server: httpx.AsyncClient, ctx: Context, mongod_uri: str, database: str
) -> None:
    """On two servers, each of which folds as it likes."""
    async with another_server(mongod_uri, database) as other:

        async def send(seed: int, by: Context) -> None:
            numbers = list(range(200))
            random.Random(seed).shuffle(numbers)
            for start in range(0, 200, 25):
                await taken(by, headers(numbers[start : start + 25], study=5))
                await found(server, 5)

        async def fold(by: Context) -> None:
            for _ in range(20):
                study = await by.dicom.store.study(study_uid(5)) if by.dicom else None
                if study is not None and by.dicom is not None:
                    await by.dicom.fold.fold(study)
                await asyncio.sleep(0.01)

        await asyncio.gather(
            send(1, ctx), send(2, other), send(3, ctx), send(4, other), fold(ctx), fold(other)
        )
    study = await the(server, 5)
    assert study["numberOfInstances"] == 200
    assert len(listed(study)) == 200
    wanted = {"identifier": "urn:fhir-server:dicom:default:patient|4711"}
    assert len((await server.get("Patient", params=wanted)).json()["entry"]) == 1


async def test_a_correction_is_told_or_taken_as_the_source_is_configured(
    server: httpx.AsyncClient, ctx: Context
) -> None:
    await taken(ctx, [header(1, study=6, StudyDescription="first")])
    corrected = header(1, study=6, StudyDescription="second")
    [outcome] = await taken(ctx, [corrected])
    assert outcome.status == "kept_first"
    assert (await the(server, 6))["description"] == "first"
    [outcome] = await taken(ctx, [corrected], SourceConfig(keep="newest"))
    assert outcome.status == "replaced"
    study = await the(server, 6)
    assert (study["description"], study["numberOfInstances"]) == ("second", 1)


async def test_an_instance_is_in_one_study_only(ctx: Context) -> None:
    one = header(1, study=7)
    await taken(ctx, [one])
    elsewhere = header(1, study=8, SOPInstanceUID=one.sop_uid)
    [outcome] = await taken(ctx, [elsewhere])
    assert (outcome.status, outcome.durable) == ("refused", False)


async def test_a_study_does_not_change_its_patient(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, headers(range(3), study=9, patient="A"))
    outcomes = await taken(ctx, headers(range(2, 5), study=9, patient="B"))
    assert {each.status for each in outcomes} == {"quarantined"}
    study = await the(server, 9)
    assert study["numberOfInstances"] == 3
    patient = (await server.get(study["subject"]["reference"])).json()
    assert patient["identifier"][0]["value"] == "A"
    aside = await ctx.store.find("_dicom_quarantine", {"study": study_uid(9)})
    assert len(aside) == 3
    assert ctx.dicom is not None
    await ctx.dicom.told(Peer("C-STORE", "10.0.0.1", ae="CT1"), outcomes)
    events = await ctx.store.find("AuditEvent", {"r.outcome": "4"})
    [event] = [each["r"] for each in events if study_uid(9) in each["r"].get("outcomeDesc", "")]
    assert "3 quarantined" in event["outcomeDesc"]
    assert event["agent"][0]["who"]["display"] == "CT1"
    nobody = await server.get("Patient", params={"identifier": "urn:fhir-server:dicom:default:patient|B"})
    assert "entry" not in nobody.json()


async def test_two_patients_of_a_new_study_at_once(ctx: Context, server: httpx.AsyncClient) -> None:
    both = [header(1, study=10, patient="A"), header(2, study=10, patient="B")]
    told = await asyncio.gather(*(taken(ctx, [each]) for each in both))
    assert sorted(each.status for [each] in told) == ["quarantined", "stored"]
    assert (await the(server, 10))["numberOfInstances"] == 1


async def test_two_patients_of_a_new_study_in_one_request(ctx: Context) -> None:
    outcomes = await taken(ctx, [header(1, study=20, patient="A"), header(2, study=20, patient="B")])
    assert [each.status for each in outcomes] == ["stored", "quarantined"]


async def test_who_nobody_was_turns_out_to_be_somebody(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, [header(1, study=11, patient="")])
    before = await the(server, 11)
    await taken(ctx, [header(2, study=11, patient="C")])
    study = await the(server, 11)
    assert study["subject"] != before["subject"]
    assert (study["id"], study["numberOfInstances"]) == (before["id"], 2)
    patient = (await server.get(study["subject"]["reference"])).json()
    assert patient["identifier"][0]["value"] == "C"


async def test_what_is_withdrawn_is_gone_and_may_come_again(server: httpx.AsyncClient, ctx: Context) -> None:
    assert ctx.dicom is not None
    store = ctx.dicom.store
    await taken(ctx, [*headers(range(3), study=12), *headers(range(2), study=12, series=2)])
    one = header(1, study=12)
    assert await store.withdraw(study_uid(12), one.series_uid, one.sop_uid) == 1
    study = await the(server, 12)
    assert study["numberOfInstances"] == 4
    assert one.sop_uid not in listed(study)
    assert await store.withdraw(study_uid(12), f"{study_uid(12)}.2") == 2
    study = await the(server, 12)
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (1, 2)
    assert await store.withdraw(study_uid(12)) == 2
    study = await the(server, 12)
    assert (study["status"], study["numberOfInstances"]) == ("entered-in-error", 0)
    assert "series" not in study
    await taken(ctx, [one])
    again = await the(server, 12)
    assert (again["id"], again["status"], again["numberOfInstances"]) == (study["id"], "available", 1)


async def test_what_was_rejected_for_safety_stays_away(ctx: Context) -> None:
    assert ctx.dicom is not None
    one = header(1, study=13)
    await taken(ctx, [one])
    assert await ctx.dicom.store.withdraw(study_uid(13), sop_uid=one.sop_uid, state="rejected") == 1
    [outcome] = await taken(ctx, [one])
    assert outcome.status == "refused"


async def test_an_empty_study_may_come_again_under_the_right_patient(
    server: httpx.AsyncClient, ctx: Context
) -> None:
    """How an archive corrects a study that was made for the wrong patient."""
    assert ctx.dicom is not None
    await taken(ctx, headers(range(2), study=14, patient="wrong"))
    await the(server, 14)
    await ctx.dicom.store.withdraw(study_uid(14))
    await the(server, 14)
    outcomes = await taken(ctx, headers(range(2), study=14, patient="right"))
    assert {each.status for each in outcomes} == {"replaced"}
    study = await the(server, 14)
    patient = (await server.get(study["subject"]["reference"])).json()
    assert (study["status"], patient["identifier"][0]["value"]) == ("available", "right")


async def test_a_merge_of_patients_reaches_studies_and_stays(server: httpx.AsyncClient, ctx: Context) -> None:
    """The fold does not set the subject back; what comes under either number belongs to the study."""
    system = "urn:fhir-server:dicom:default:patient"
    await taken(ctx, headers(range(2), study=15, patient="old"))
    await taken(ctx, headers(range(1), study=16, patient="new"))
    before, survivor = await the(server, 15), (await the(server, 16))["subject"]["reference"]
    loser = before["subject"]["reference"]
    merged = {"resourceType": "Patient", "id": loser.split("/")[1], "active": False}
    merged |= {"identifier": [{"system": system, "value": "old"}]}
    merged |= {"link": [{"type": "replaced-by", "other": {"reference": survivor}}]}
    assert (await server.put(loser, json=merged)).status_code == 200
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "ImagingStudy.subject"},
        {"name": "value", "valueReference": {"reference": survivor}}]}]}  # fmt: skip
    assert (await server.patch(f"ImagingStudy/{before['id']}", json=patch)).status_code == 200
    for patient, number in (("old", 7), ("new", 8)):
        [outcome] = await taken(ctx, [header(number, study=15, patient=patient)])
        assert outcome.status == "stored"
    study = await the(server, 15)
    assert (study["subject"]["reference"], study["numberOfInstances"]) == (survivor, 4)


async def test_versions_before_the_newest_have_no_instances(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, [header(1, study=17)])
    first = await the(server, 17)
    await taken(ctx, [header(2, study=17)])
    second = await the(server, 17)
    url = f"ImagingStudy/{first['id']}/_history"
    old = (await server.get(f"{url}/{first['meta']['versionId']}")).json()
    assert (old["numberOfInstances"], listed(old)) == (1, set())
    assert old["meta"]["tag"][0]["code"] == "SUBSETTED"
    new = (await server.get(f"{url}/{second['meta']['versionId']}")).json()
    assert len(listed(new)) == 2


async def test_a_summary_has_no_instances(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, [header(1, study=18)])
    study = await the(server, 18)
    short = (await server.get(f"ImagingStudy/{study['id']}", params={"_summary": "true"})).json()
    assert listed(short) == set()


async def test_a_mark_that_a_process_left_behind_is_found(
    server: httpx.AsyncClient, ctx: Context, mongod_uri: str, database: str
) -> None:
    """The row is there, its study was never marked: whoever sent it had no answer, and sends it again."""
    assert ctx.dicom is not None
    one, two = header(1, study=19), header(2, study=19)
    await taken(ctx, [one])
    await the(server, 19)
    unmarked = describe(two, SourceConfig()).row
    assert await ctx.dicom.store.insert([replace(unmarked, at=now())]) == {two.sop_uid}
    assert (await the(server, 19))["numberOfInstances"] == 1
    [outcome] = await taken(ctx, [two])
    assert outcome.status == "same"
    assert (await the(server, 19))["numberOfInstances"] == 2


async def test_studies_are_found_by_what_is_in_them(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(
        ctx,
        [*headers(range(5), study=21, AccessionNumber="ACC21"), header(9, study=21, series=2, Modality="MR")],
    )
    study = await the(server, 21)
    one = header(3, study=21)
    system = "urn:fhir-server:dicom:default:accession"
    for wanted in (
        {"instance": one.sop_uid},
        {"instance": f"urn:oid:{one.sop_uid},1.2.3"},
        {"series": one.series_uid},
        {
            "dicom-class": f"urn:ietf:rfc:3986|urn:oid:{CT}",
            "_lastUpdated": f"ge{study['meta']['lastUpdated']}",
        },
        {"modality": "MR", "started": "2026-11-20", "subject": study["subject"]["reference"]},
        {"identifier": f"{system}|ACC21"},
        {"basedon:identifier": f"{system}|ACC21"},
    ):
        answer = await server.get("ImagingStudy", params=wanted)
        assert answer.status_code == 200, answer.text
        ids = [entry["resource"]["id"] for entry in answer.json().get("entry", ())]
        assert study["id"] in ids, wanted
    assert "entry" not in (await server.get("ImagingStudy", params={"instance": "1.2.3"})).json()


async def test_history_lists_no_instances(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, headers(range(3), study=22))
    study = await the(server, 22)
    [entry] = (await server.get(f"ImagingStudy/{study['id']}/_history")).json()["entry"]
    assert listed(entry["resource"]) == set()
    assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"


async def test_an_order_that_is_known_is_what_a_study_is_based_on(
    server: httpx.AsyncClient, ctx: Context
) -> None:
    """Of the same patient; that of another one with the same number is not."""
    system = "urn:fhir-server:dicom:default"
    await taken(ctx, [header(1, study=23, patient="P23")])
    patient = (await the(server, 23))["subject"]
    order = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "identifier": [{"system": f"{system}:accession", "value": "ACC24"}],
    }
    await server.post("ServiceRequest", json={**order, "subject": {"reference": "Patient/another"}})
    made = (await server.post("ServiceRequest", json={**order, "subject": patient})).json()
    await taken(ctx, [header(1, study=24, patient="P23", AccessionNumber="ACC24")])
    study = await the(server, 24)
    assert study["subject"] == patient
    assert [each["reference"] for each in study["basedOn"]] == [f"ServiceRequest/{made['id']}"]


async def test_instances_are_listed_in_portions(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, [*headers(range(25), study=25), *headers(range(7), study=25, series=2)])
    nameless = header(99, study=25)
    del nameless.values["InstanceNumber"]  # type: ignore[attr-defined]
    await taken(ctx, [nameless])
    study = await the(server, 25)
    url: str | None = f"ImagingStudy/{study['id']}/$instances?_count=10"
    seen: list[str] = []
    while url is not None:
        answer = await server.get(url)
        assert answer.status_code == 200, answer.text
        seen += sorted(listed(answer.json()))
        url = answer.links.get("next", {}).get("url")
    assert len(seen) == len(set(seen)) == 33
    assert set(seen) == listed(study)
    refused(await server.get(f"ImagingStudy/{study['id']}/$instances?_count=x"), 400)
    refused(await server.get(f"ImagingStudy/{study['id']}/$instances?_cursor=x"), 400)
    refused(await server.get(f"ImagingStudy/{study['id']}/$instances?nonsense=1"), 400)
    refused(await server.get("ImagingStudy/none/$instances"), 404)
    refused(await server.get("Patient/none/$instances"), 404)


async def test_a_bundle_reads_what_was_acknowledged(server: httpx.AsyncClient, ctx: Context) -> None:
    await taken(ctx, [header(1, study=26)])
    study = await the(server, 26)
    for number, kind in ((2, "batch"), (3, "transaction")):
        await taken(ctx, [header(number, study=26)])
        request = {"method": "GET", "url": f"ImagingStudy/{study['id']}"}
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [{"request": request}]}
        answer = (await server.post("", json=bundle)).json()
        assert len(listed(answer["entry"][0]["resource"])) == number


async def test_a_study_that_a_client_deleted_comes_again_with_its_next_instance(
    server: httpx.AsyncClient, ctx: Context
) -> None:
    await taken(ctx, [header(1, study=27)])
    study = await the(server, 27)
    assert (await server.delete(f"ImagingStudy/{study['id']}")).status_code == 204
    assert (await server.get(f"ImagingStudy/{study['id']}")).status_code == 410
    await taken(ctx, [header(2, study=27)])
    assert (await the(server, 27))["numberOfInstances"] == 2


async def test_a_study_whose_patient_is_unclear_is_kept_and_made_when_it_is_clear(
    server: httpx.AsyncClient, ctx: Context
) -> None:
    """Two Patients have the number; one is then deleted."""
    number = [{"system": "urn:fhir-server:dicom:default:patient", "value": "P28"}]
    patient = {"resourceType": "Patient", "identifier": number}
    [one, _] = [(await server.post("Patient", json=patient)).json()["id"] for _ in range(2)]
    await taken(ctx, [header(1, study=28, patient="P28")])
    assert await found(server, 28) == []
    assert ctx.dicom is not None
    study = await ctx.dicom.store.study(study_uid(28))
    assert study is not None
    assert "2 different patients" in str(study.fault)
    assert (await server.delete(f"Patient/{one}")).status_code == 204
    await taken(ctx, [header(2, study=28, patient="P28")])
    for _ in range(100):
        if made := await found(server, 28):
            break
        await asyncio.sleep(0.1)
    assert made[0]["numberOfInstances"] == 2


async def test_a_page_lists_instances_of_each_study_for_itself(
    server: httpx.AsyncClient, ctx: Context
) -> None:
    """Also where two studies call a series by the same UID, which they must not."""
    shared = f"{study_uid(29)}.1"
    for number in (29, 30):
        one = header(
            number, study=number, SeriesInstanceUID=shared, SOPInstanceUID=f"{study_uid(number)}.9.1"
        )
        await taken(ctx, [replace(one, series_uid=shared)])
    both = ",".join(f"urn:dicom:uid|urn:oid:{study_uid(number)}" for number in (29, 30))
    found_ = (await server.get("ImagingStudy", params={"identifier": both})).json()["entry"]
    assert sorted(len(listed(each["resource"])) for each in found_) == [1, 1]
    assert len({uid for each in found_ for uid in listed(each["resource"])}) == 2


async def test_an_adt_a40_reaches_studies(server: httpx.AsyncClient, ctx: Context) -> None:
    """The same authority is the same system, whether HL7 v2 or DICOM names it."""
    for number, patient in ((31, "OLD31"), (32, "NEW31")):
        await taken(ctx, [header(1, study=number, patient=patient, IssuerOfPatientID="HOSP")])
    survivor, loser = [(await the(server, number))["subject"] for number in (32, 31)]
    assert survivor != loser
    message = (
        "MSH|^~\\&|ADT|HOSP|HUB|X|20261120120000+0000||ADT^A40|M31|P|2.5.1\r"
        "EVN|A40|20261120120000+0000\rPID|1||NEW31^^^HOSP^MR||Muster^Erika\rMRG|OLD31^^^HOSP^MR\r"
    )
    kind = {"Content-Type": "application/hl7-v2"}
    answer = await server.post("$process-hl7v2", content=message, headers=kind)
    assert answer.status_code == 200, answer.text
    assert (await the(server, 31))["subject"]["reference"] == survivor["reference"]
    for number, patient in ((2, "OLD31"), (3, "NEW31")):
        told = header(number, study=31, patient=patient, IssuerOfPatientID="HOSP")
        assert [each.status for each in await taken(ctx, [told])] == ["stored"]
    study = await the(server, 31)
    assert (study["subject"]["reference"], study["numberOfInstances"]) == (survivor["reference"], 3)
