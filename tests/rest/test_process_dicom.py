"""`POST [base]/$process-dicom`: instances of DICOM over HTTP, FHIR out."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.importers.dicom.making import corpus, dataset, file
from tests.rest.conftest import running
from tests.rest.expecting import refused

URL = "$process-dicom"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    """Nothing is folded but what is asked for."""
    slow = {"dicom_first_seconds": 3600, "dicom_quiet_seconds": 3600, "dicom_most_seconds": 3600}
    async with running(mongod_uri, module_database_name, **slow) as client:
        yield client


def instance(study: str, number: int = 1, **values: Any) -> bytes:
    uids = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "SOPInstanceUID": f"{study}.1.{number}",
    }
    return file(dataset(**{**uids, "InstanceNumber": number, **values}))


async def send(
    client: httpx.AsyncClient, body: bytes, kind: str = "application/dicom", **query: str
) -> httpx.Response:
    return await client.post(URL, content=body, headers={"Content-Type": kind}, params=query)


def written(answer: httpx.Response) -> dict[str, str]:
    """Location → status."""
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert bundle["type"] == "transaction-response"
    told = [entry["response"] for entry in bundle.get("entry", ())]
    return {each["location"]: each["status"] for each in told if "location" in each}


def issues(answer: httpx.Response) -> list[str]:
    found = answer.json()
    outcomes = [found, *(entry.get("resource", {}) for entry in found.get("entry", ()))]
    return [issue["diagnostics"] for outcome in outcomes for issue in outcome.get("issue", ())]


async def study(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    [url] = [each for each in written(answer) if each.startswith("ImagingStudy/")]
    found: dict[str, Any] = (await client.get(url)).json()
    return found


async def test_a_file_is_answered_by_the_transaction_response(client: httpx.AsyncClient) -> None:
    answer = await send(client, instance("1.2.100"))
    told = written(answer)
    assert {each.split("/")[0] for each in told} == {"ImagingStudy", "Patient", "Provenance"}
    assert set(told.values()) == {"201 Created"}
    made = await study(client, answer)
    assert made["series"][0]["instance"][0]["uid"] == "1.2.100.1.1"
    again = written(await send(client, instance("1.2.100")))
    assert list(again.values()) == ["200 OK"]
    assert next(iter(again)) in told


async def test_several_in_a_body_are_one_version(client: httpx.AsyncClient) -> None:
    parts = b"".join(
        b"--x\r\nContent-Type: application/dicom\r\n\r\n" + instance("1.2.101", number) + b"\r\n"
        for number in range(1, 251)
    )
    answer = await send(
        client, parts + b"--x--\r\n", 'multipart/related; type="application/dicom"; boundary=x'
    )
    made = await study(client, answer)
    assert (made["numberOfInstances"], made["meta"]["versionId"]) == (250, "1")


async def test_metadata_as_json(client: httpx.AsyncClient) -> None:
    told = dataset(StudyInstanceUID="1.2.102", SeriesInstanceUID="1.2.102.1", SOPInstanceUID="1.2.102.1.1")
    answer = await send(client, json.dumps([told.to_json_dict()]).encode(), "application/dicom+json")
    assert (await study(client, answer))["numberOfInstances"] == 1


async def test_a_zip_file(client: httpx.AsyncClient) -> None:
    """What is no instance is told, and keeps none from being taken; names are no paths."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(1, 4):
            archive.writestr(f"../../etc/IM{number}", instance("1.2.103", number))
        archive.writestr("readme.txt", "nothing to see here")
        archive.writestr("bomb", b"\0" * 20_000_000)
        archive.writestr("DICOMDIR", b"a list of files")
        archive.writestr("__MACOSX/._IM1", b"junk")
        archive.writestr("inner.zip", b"PK\x03\x04and so on")
    answer = await send(client, packed.getvalue(), "application/zip")
    assert (await study(client, answer))["numberOfInstances"] == 3
    told = issues(answer)
    assert len(told) == 3
    assert any("bomb" in each for each in told)
    assert any("archive inside an archive" in each for each in told)


async def test_a_dry_run_shows_the_transaction_and_keeps_nothing(client: httpx.AsyncClient) -> None:
    answer = await send(client, instance("1.2.104"), dryRun="true")
    bundle = answer.json()
    assert (answer.status_code, bundle["type"]) == (200, "transaction")
    assert {each["resource"]["resourceType"] for each in bundle["entry"]} >= {"ImagingStudy"}
    found = await client.get("ImagingStudy", params={"identifier": "urn:dicom:uid|urn:oid:1.2.104"})
    assert "entry" not in found.json()


async def test_what_is_no_instance_is_refused(client: httpx.AsyncClient) -> None:
    refused(await send(client, b"hello"), 400, says="DICM")
    refused(await send(client, b""), 400)
    refused(await send(client, b"{", "application/dicom+json"), 400)
    refused(await send(client, b"PK\x03\x04", "application/zip"), 400, says="ZIP")
    refused(await send(client, b"x", "image/png"), 415, says="application/dicom")
    refused(await send(client, b"--", "multipart/related"), 400, says="boundary")
    refused(await send(client, instance("1.2.199").replace(b"1.2.199", b"1.2.1a9")), 400)
    refused(await send(client, instance("1.2.105"), dryRun="yes"), 400, says="dryRun")
    refused(await send(client, instance("1.2.105"), nonsense="1"), 400, says="nonsense")


async def test_a_correction_is_kept_aside_with_a_warning(client: httpx.AsyncClient) -> None:
    await send(client, instance("1.2.106", StudyDescription="first"))
    answer = await send(client, instance("1.2.106", StudyDescription="second"))
    assert (await study(client, answer))["description"] == "first"
    assert any("1.2.106.1.1" in each for each in issues(answer))


async def test_another_patient_is_refused_and_kept_aside(client: httpx.AsyncClient) -> None:
    await send(client, instance("1.2.107"))
    answer = await send(client, instance("1.2.107", 2, PatientID="somebody else"))
    refused(answer, 409, says="another patient")
    assert "somebody else" not in answer.text


async def test_the_audit_trail_names_study_and_count(client: httpx.AsyncClient) -> None:
    await send(client, instance("1.2.108"))
    wanted = {"entity:identifier": "urn:dicom:uid|urn:oid:1.2.108", "type": "110104"}
    found = await client.get("AuditEvent", params=wanted)
    [event] = [
        each["resource"] for each in found.json()["entry"] if "1.2.108" in str(each["resource"]["entity"])
    ]
    [entity] = [each for each in event["entity"] if "detail" in each]
    assert entity["what"]["identifier"]["value"] == "urn:oid:1.2.108"
    assert entity["detail"][0]["valueString"] == "1"


KINDS = {".zip": "application/zip", ".json": "application/dicom+json"}


@pytest.mark.parametrize("folder", ["files", "generated", "json", "zip"])
async def test_what_others_made_is_taken_or_refused(client: httpx.AsyncClient, folder: str) -> None:
    """Each file of the corpus gets an answer; no study is kept that cannot be made FHIR."""
    answers: Counter[int] = Counter()
    for path in sorted(corpus(folder).rglob("*")):
        if path.is_file() and path.stat().st_size < 20_000_000:
            kind = KINDS.get(path.suffix, "application/dicom")
            answer = await send(client, path.read_bytes(), kind)
            answers[answer.status_code] += 1
            assert answer.status_code in {200, 400, 409}, f"{path.name}: {answer.status_code} {answer.text}"
            assert "could not be made FHIR" not in answer.text, path.name
            assert "SECRET" not in answer.text
    assert answers[200] > 0
    assert answers[400] > 0
