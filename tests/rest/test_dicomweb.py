"""DICOMweb as clients use it: what was stored is found, told and deleted."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tests.rest.conftest import running
from tests.rest.dicom import CT, ROOT
from tests.rest.test_stow import body, instance, posted, the

Json = dict[str, Any]
MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fhir(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(mongod_uri, module_database_name) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web(fhir: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """With three studies: 1 CT of Muster, 2 CT and MR of Müller, 3 MR of Smith."""
    base = str(fhir.base_url).removesuffix("/fhir/") + "/dicomweb/"
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        one = {"StudyDate": "20240101", "StudyTime": "101500", "AccessionNumber": "A1", "StudyID": "S1"}
        two = {
            "StudyDate": "20240229", "PatientID": "P2", "PatientName": "Müller^Jürgen", "AccessionNumber": "A2",
            "SpecificCharacterSet": "ISO_IR 192",
        }  # fmt: skip
        three = {"StudyDate": "20241231", "PatientID": "P3", "PatientName": "Smith^Anna", "Modality": "MR"}
        parts = [instance(number, 1, **one) for number in range(1, 8)]
        parts += [instance(number, 2, **two) for number in range(1, 4)]
        parts.append(
            instance(
                1, 2, **two, SOPInstanceUID=f"{ROOT}.2.2.1", SeriesInstanceUID=f"{ROOT}.2.2", Modality="MR",
                SOPClassUID=MR, SeriesNumber=2, SeriesDescription="T1 ax",
            )
        )  # fmt: skip
        parts.append(instance(1, 3, **three))
        answer = await posted(client, body(*parts))
        assert answer.status_code == 200, answer.text
        yield client


def uids(answer: httpx.Response, tag: str = "0020000D") -> list[str]:
    if answer.status_code == 204:
        return []
    assert answer.status_code == 200, answer.text
    return [each[tag]["Value"][0].removeprefix(f"{ROOT}.") for each in answer.json()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "1 2 3"),
        ("PatientID=P2", "2"),
        ("00100020=P2", "2"),
        ("PatientID=p2", ""),
        ("PatientName=Muster^Erika", "1"),
        ("PatientName=muster*", "1"),
        ("PatientName=M?ller*", "2"),
        ("PatientName=M*", "1 2"),
        ("PatientName=*", "1 2 3"),
        ("PatientName=", "1 2 3"),
        ("PatientName=Muster", ""),
        ("PatientName=.*", ""),
        ("StudyDate=20240229", "2"),
        ("StudyDate=20240101-20240229", "1 2"),
        ("StudyDate=20240229-", "2 3"),
        ("StudyDate=-20240228", "1"),
        ("StudyTime=10-11", "1"),
        ("StudyTime=1016-", ""),
        ("StudyTime=-1015", "1"),
        ("AccessionNumber=A*", "1 2"),
        ("StudyID=S1", "1"),
        ("ModalitiesInStudy=MR", "2 3"),
        ("ModalitiesInStudy=MR&PatientID=P2", "2"),
        (f"StudyInstanceUID={ROOT}.1,{ROOT}.3", "1 3"),
        (f"StudyInstanceUID={ROOT}.1%5C{ROOT}.2", "1 2"),
        (f"0020000D={ROOT}.9", ""),
        ("limit=2", "1 2"),
        ("limit=2&offset=2", "3"),
        ("limit=0", ""),
        ("offset=5", ""),
        ("PatientName=M*&limit=1&offset=1", "2"),
        ("includefield=all", "1 2 3"),
        ("includefield=00081030,PatientComments&includefield=00081010", "1 2 3"),
        ("Modality=CT&StudyDate=20240229&SeriesNumber=2", ""),
    ],
)
async def test_studies_are_found_by_what_they_say(web: httpx.AsyncClient, query: str, expected: str) -> None:
    assert uids(await web.get(f"studies?{query}")) == expected.split()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"studies/{ROOT}.2/series", "2.1 2.2"),
        (f"studies/{ROOT}.2/series?Modality=MR", "2.2"),
        (f"studies/{ROOT}.2/series?SeriesNumber=2", "2.2"),
        (f"studies/{ROOT}.2/series?SeriesDescription=T1*", "2.2"),
        (f"studies/{ROOT}.9/series", ""),
        ("series", "1.1 2.1 2.2 3.1"),
        ("series?PatientID=P2", "2.1 2.2"),
        ("series?limit=1&offset=1", "2.1"),
    ],
)
async def test_series(web: httpx.AsyncClient, url: str, expected: str) -> None:
    assert uids(await web.get(url), "0020000E") == expected.split()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"studies/{ROOT}.2/instances", "2.1.1 2.1.2 2.1.3 2.2.1"),
        (f"studies/{ROOT}.2/series/{ROOT}.2.1/instances", "2.1.1 2.1.2 2.1.3"),
        (f"studies/{ROOT}.2/instances?InstanceNumber=1", "2.1.1 2.2.1"),
        (f"studies/{ROOT}.2/instances?SOPClassUID={MR}", "2.2.1"),
        (f"instances?SOPInstanceUID={ROOT}.1.1.7", "1.1.7"),
        ("instances?PatientID=P3", "3.1.1"),
    ],
)
async def test_instances(web: httpx.AsyncClient, url: str, expected: str) -> None:
    assert uids(await web.get(url), "00080018") == expected.split()


async def test_what_is_told_of_each_level(web: httpx.AsyncClient) -> None:
    [study] = (await web.get("studies?PatientID=P2")).json()
    assert study["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jürgen"}]}
    assert study["00080061"]["Value"] == ["CT", "MR"]
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([2], [4])
    assert study["00080056"] == {"vr": "CS", "Value": ["UNAVAILABLE"]}
    assert list(study) == sorted(study)
    [_, series] = (await web.get(f"studies/{ROOT}.2/series")).json()
    assert series["0008103E"]["Value"] == ["T1 ax"]
    assert series["00200011"] == {"vr": "IS", "Value": [2]}
    assert series["00201209"]["Value"] == [1]
    assert "00100010" not in series
    [alone, *_] = (await web.get("series?PatientID=P2")).json()
    assert alone["00100010"]["Value"] == [{"Alphabetic": "Müller^Jürgen"}]
    [one] = (await web.get(f"instances?SOPInstanceUID={ROOT}.2.2.1")).json()
    assert one["00080016"]["Value"] == [MR]
    assert (one["00200013"]["Value"], one["0020000E"]["Value"]) == ([1], [f"{ROOT}.2.2"])


async def test_warnings_tell_what_was_not_done(web: httpx.AsyncClient) -> None:
    assert (await web.get("studies?limit=2")).headers["warning"].startswith("299")
    assert "warning" not in (await web.get("studies?limit=3")).headers
    assert "fuzzy" in (await web.get("studies?fuzzymatching=true")).headers["warning"]
    assert "KVP" in (await web.get("studies?KVP=1")).headers["warning"]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("studies?Nothing=1", 400), ("studies?limit=x", 400), ("studies?offset=-1", 400), ("studies?StudyDate=x", 400),
        ("studies?StudyDate=-", 400), ("studies?StudyDate=2024-2025", 400), ("studies?StudyDate=2023-13-45", 400),
        ("studies?includefield=Nothing", 400), ("studies?InstanceNumber=x", 400), ("studies?fuzzymatching=1", 400),
        ("studies?PatientName=%ff", 400), ("studies?accept=application/dicom%2Bxml", 406),
        (f"studies/{ROOT}.9/metadata", 404), (f"studies/{ROOT}.1/series/1.9/metadata", 404),
    ],
)  # fmt: skip
async def test_bad_questions(web: httpx.AsyncClient, url: str, status: int) -> None:
    answer = await web.get(url)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_only_json_is_produced(web: httpx.AsyncClient) -> None:
    kind = 'multipart/related; type="application/dicom+xml"'
    assert (await web.get("studies", headers={"Accept": kind})).status_code == 406
    for kind in (
        "application/dicom+json",
        "application/json",
        "*/*",
        "multipart/related, application/dicom+json;q=0.5",
    ):
        assert (await web.get("studies", headers={"Accept": kind})).status_code == 200


async def test_metadata_of_a_study_a_series_and_an_instance(web: httpx.AsyncClient) -> None:
    for url, count in (
        (f"studies/{ROOT}.2/metadata", 4),
        (f"studies/{ROOT}.2/series/{ROOT}.2.1/metadata", 3),
        (f"studies/{ROOT}.2/series/{ROOT}.2.2/instances/{ROOT}.2.2.1/metadata", 1),
    ):
        answer = await web.get(url)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/dicom+json"
        assert len(answer.json()) == count
    [one] = answer.json()
    assert one["00080018"]["Value"] == [f"{ROOT}.2.2.1"]
    assert one["00100020"]["Value"] == ["P2"]
    assert one["0008103E"]["Value"] == ["T1 ax"]
    assert "7FE00010" not in one


async def test_a_large_study_is_streamed(web: httpx.AsyncClient) -> None:
    parts = [instance(number, 30, PatientID="P30", StudyDate="20300101") for number in range(1, 1102)]
    assert (await posted(web, body(*parts))).status_code == 200
    found = (await web.get(f"studies/{ROOT}.30/metadata")).json()
    assert [each["00200013"]["Value"][0] for each in found] == list(range(1, 1102))
    assert (await web.delete(f"studies/{ROOT}.30")).status_code == 204


async def test_what_is_deleted_is_gone_everywhere(fhir: httpx.AsyncClient, web: httpx.AsyncClient) -> None:
    parts = [instance(number, 40, PatientID="P40", StudyDate="20300101") for number in range(1, 4)]
    await posted(web, body(*parts))
    assert (await the(fhir, f"{ROOT}.40"))["numberOfInstances"] == 3
    one = f"studies/{ROOT}.40/series/{ROOT}.40.1/instances/{ROOT}.40.1.2"
    assert (await web.delete(one)).status_code == 204
    assert (await web.delete(one)).status_code == 404
    assert (await the(fhir, f"{ROOT}.40"))["numberOfInstances"] == 2
    assert len((await web.get(f"studies/{ROOT}.40/instances")).json()) == 2
    assert (await web.delete(f"studies/{ROOT}.40")).status_code == 204
    assert (await web.get("studies?PatientID=P40")).status_code == 204
    assert (await web.get(f"studies/{ROOT}.40/metadata")).status_code == 404
    assert (await the(fhir, f"{ROOT}.40"))["status"] == "entered-in-error"


async def test_questions_are_in_the_audit_trail(fhir: httpx.AsyncClient, web: httpx.AsyncClient) -> None:
    await web.get("studies?PatientID=P2&AccessionNumber=A2")
    found = (await fhir.get("AuditEvent", params={"type": "110112", "_sort": "-date", "_count": "1"})).json()
    event = found["entry"][0]["resource"]
    [query] = [base64.b64decode(each["query"]).decode() for each in event["entity"] if "query" in each]
    assert query.endswith("/dicomweb/studies?PatientID=P2&AccessionNumber=A2")
    assert query.startswith("GET http://127.0.0.1")
    studies = [each["what"]["identifier"]["value"] for each in event["entity"] if "detail" in each]
    assert studies == [f"urn:oid:{ROOT}.2"]


async def test_dicomweb_client_stores_searches_and_reads(web: httpx.AsyncClient) -> None:
    name = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(name, str)
    dataset = dcmread(name)
    client = DICOMwebClient(str(web.base_url).rstrip("/"))

    def used() -> tuple[Any, list[Json], list[Json], list[Json]]:
        stored = client.store_instances([dataset])
        studies = client.search_for_studies(search_filters={"PatientID": dataset.PatientID})
        series = client.search_for_series(dataset.StudyInstanceUID)
        told = client.retrieve_study_metadata(dataset.StudyInstanceUID)
        return stored, studies, series, told

    stored, studies, series, told = await asyncio.to_thread(used)
    [item] = stored.ReferencedSOPSequence
    assert (item.ReferencedSOPInstanceUID, item.WarningReason) == (dataset.SOPInstanceUID, 0xB006)
    assert [each["0020000D"]["Value"] for each in studies] == [[dataset.StudyInstanceUID]]
    assert [each["00080060"]["Value"] for each in series] == [["CT"]]
    assert [each["00080018"]["Value"] for each in told] == [[dataset.SOPInstanceUID]]
    assert dataset.SOPClassUID == CT
