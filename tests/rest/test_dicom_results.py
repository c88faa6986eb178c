"""Reports, waveforms and documents that are sent become resources that can be found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.importers.dicom.making import corpus, dataset, file
from tests.importers.dicom.reports import COMPREHENSIVE, code, coded, container, num
from tests.importers.dicom.test_content import ECG, waveform
from tests.rest.conftest import running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    """Nothing is folded but what is asked for."""
    slow = {"dicom_first_seconds": 3600, "dicom_quiet_seconds": 3600, "dicom_most_seconds": 3600}
    async with running(mongod_uri, module_database_name, **slow) as client:
        yield client


async def send(client: httpx.AsyncClient, body: bytes) -> Counter[str]:
    """Types of what was written, with how."""
    answer = await client.post("$process-dicom", content=body, headers={"Content-Type": "application/dicom"})
    assert answer.status_code == 200, answer.text
    told = [entry["response"] for entry in answer.json().get("entry", ())]
    return Counter(each["location"].split("/")[0] for each in told if each["status"].startswith("201"))


async def found(client: httpx.AsyncClient, search: str) -> list[dict[str, Any]]:
    answer = await client.get(search)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in json.loads(answer.text, parse_float=str).get("entry", ())]


def report(study: str, value: str = "12.50", number: int = 1) -> bytes:
    group = container(
        code("125007"),
        coded(code("121071"), code("4147007", "SCT", "Mass")),
        num(code("103339001", "SCT", "Long axis"), value, code("mm", "UCUM", "millimeter")),
    )
    made = dataset(
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.9",
        SOPInstanceUID=f"{study}.9.{number}",
        SOPClassUID=COMPREHENSIVE,
        Modality="SR",
        PatientID=f"p{study}",
        ContentSequence=[container(code("126010"), group)],
    )
    return file(made, pixels=False)


async def test_a_measurement_is_found_by_patient_and_code(client: httpx.AsyncClient) -> None:
    told = await send(client, report("1.2.700"))
    assert told["Observation"] == 2
    search = "Observation?code=http://snomed.info/sct|103339001&patient.identifier=p1.2.700"
    [measured] = await found(client, search)
    assert measured["valueQuantity"]["value"] == "12.50"
    [study] = await found(client, "ImagingStudy?identifier=urn:dicom:uid|urn:oid:1.2.700")
    assert measured["partOf"][0]["reference"] == f"ImagingStudy/{study['id']}"
    assert study["series"][0]["modality"]["code"] == "SR"
    [group] = await found(client, f"Observation?has-member=Observation/{measured['id']}")
    assert group["valueCodeableConcept"]["text"] == "Mass"
    [provenance] = await found(client, f"Provenance?target=Observation/{measured['id']}")
    assert provenance["entity"][0]["what"]["identifier"]["value"] == "urn:oid:1.2.700"


async def test_sent_again_nothing_is_written(client: httpx.AsyncClient) -> None:
    await send(client, report("1.2.701"))
    assert await send(client, report("1.2.701")) == Counter()


async def test_a_waveform(client: httpx.AsyncClient) -> None:
    made = dataset(
        SOPClassUID=ECG,
        StudyInstanceUID="1.2.702",
        Modality="ECG",
        WaveformSequence=[waveform([[1, -2], [3, -4]])],
    )
    assert (await send(client, file(made, pixels=False)))["Observation"] == 1
    [group] = await found(client, "Observation?code=http://loinc.org|11524-6")
    assert group["component"][1]["valueSampledData"]["data"] == "-2 -4"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dcmqi_sr-example__sr", {"Observation": 23}),
        ("openrem_CT-RDSR-Siemens_Flash-TAP-SS", {"Observation": 1}),
        ("waveform_ecg", {"Observation": 11}),
        ("orthanc_sample-pdf", {"DocumentReference": 1}),
    ],
)
async def test_files_of_others(client: httpx.AsyncClient, name: str, expected: dict[str, int]) -> None:
    told = await send(client, corpus(f"files/{name}.dcm").read_bytes())
    assert {kind: told[kind] for kind in expected} == expected
    assert told["ImagingStudy"] == 1


async def test_what_a_corrected_report_says_no_longer_is_taken_back(
    mongod_uri: str, database_name: str, tmp_path: Path
) -> None:
    settings = tmp_path / "dicom.toml"
    settings.write_text('[default]\nkeep = "newest"\n')
    slow = {"dicom_first_seconds": 3600, "dicom_quiet_seconds": 3600, "dicom_most_seconds": 3600}
    async with running(mongod_uri, database_name, dicom_file=str(settings), **slow) as client:
        await send(client, report("1.2.703"))
        await client.post("Observation", json=_of_somebody_else(await found(client, "ImagingStudy")))
        empty = dataset(
            StudyInstanceUID="1.2.703",
            SeriesInstanceUID="1.2.703.9",
            SOPInstanceUID="1.2.703.9.1",
            SOPClassUID=COMPREHENSIVE,
            Modality="SR",
            PatientID="p1.2.703",
        )
        await send(client, file(empty, pixels=False))
        told = await found(client, "Observation")
        assert sorted(each["status"] for each in told) == ["entered-in-error", "entered-in-error", "final"]
        await send(client, report("1.2.703"))
        told = await found(client, "Observation")
        assert sorted(each["status"] for each in told) == ["final", "preliminary", "preliminary"]
        versions = sorted(each["meta"]["versionId"] for each in told)
        assert versions == ["1", "3", "3"]


async def test_nobody_finds_a_study_by_a_corrected_accession_number(
    mongod_uri: str, database_name: str, tmp_path: Path
) -> None:
    settings = tmp_path / "dicom.toml"
    settings.write_text('[default]\nkeep = "newest"\n')
    slow = {"dicom_first_seconds": 3600, "dicom_quiet_seconds": 3600, "dicom_most_seconds": 3600}
    async with running(mongod_uri, database_name, dicom_file=str(settings), **slow) as client:
        await send(client, file(dataset(AccessionNumber="A1")))
        [study] = await found(client, "ImagingStudy?identifier=A1")
        study["identifier"].append({"system": "urn:x:ris", "value": "R1"})
        answer = await client.put(f"ImagingStudy/{study['id']}", json=study)
        assert answer.status_code == 200, answer.text
        await send(client, file(dataset(AccessionNumber="A2")))
        assert await found(client, "ImagingStudy?identifier=A1") == []
        assert len(await found(client, "ImagingStudy?identifier=A2")) == 1
        assert len(await found(client, "ImagingStudy?identifier=R1")) == 1


def _of_somebody_else(studies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{"system": "urn:x:reader", "value": "1"}],
        "code": {"text": "Impression"},
        "partOf": [{"reference": f"ImagingStudy/{studies[0]['id']}"}],
    }
