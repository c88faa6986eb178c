"""STOW-RS: what the corpus and clients send, well-formed or not, and what is in the studies afterwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tests.rest.conftest import running
from tests.rest.dicom import CT, ROOT

Json = dict[str, Any]
CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[3] / "shared" / "corpus")) / "dicom"
DICOM, DICOM_JSON = "application/dicom", "application/dicom+json"


def related(kind: str = DICOM, boundary: str = "BOUND") -> str:
    return f'multipart/related; type="{kind}"; boundary={boundary}'


def instance(number: int, study: int = 1, **told: Any) -> bytes:
    """A file of a CT image."""
    dataset: Any = Dataset()
    dataset.SOPClassUID = CT
    dataset.StudyInstanceUID = f"{ROOT}.{study}"
    dataset.SeriesInstanceUID = f"{ROOT}.{study}.1"
    dataset.SOPInstanceUID = f"{ROOT}.{study}.1.{number}"
    dataset.Modality = "CT"
    dataset.PatientID = "4711"
    dataset.PatientName = "Muster^Erika"
    dataset.InstanceNumber = number
    dataset.add_new(0x7FE00010, "OW", b"\0" * 64)
    for name, value in told.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CT
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2")
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def body(*parts: bytes, kind: str = DICOM) -> bytes:
    made = b"".join(b"--BOUND\r\nContent-Type: %b\r\n\r\n%b\r\n" % (kind.encode(), part) for part in parts)
    return made + b"--BOUND--\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fhir(mongod_uri: str, module_database_name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(mongod_uri, module_database_name) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def web(fhir: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    base = str(fhir.base_url).removesuffix("/fhir/") + "/dicomweb/"
    async with httpx.AsyncClient(base_url=base, timeout=60) as client:
        yield client


async def posted(
    web: httpx.AsyncClient, content: bytes, kind: str | None = None, url: str = "studies"
) -> httpx.Response:
    return await web.post(url, content=content, headers={"Content-Type": kind or related()})


def stored(answer: httpx.Response) -> list[str]:
    return [each["00081155"]["Value"][0] for each in answer.json().get("00081199", {}).get("Value", ())]


def reasons(answer: httpx.Response, name: str = "00081198") -> list[int]:
    return [each["00081197"]["Value"][0] for each in answer.json().get(name, {}).get("Value", ())]


async def the(fhir: httpx.AsyncClient, uid: str) -> Json:
    found = await fhir.get("ImagingStudy", params={"identifier": f"urn:dicom:uid|urn:oid:{uid}"})
    [entry] = found.json()["entry"]
    study: Json = entry["resource"]
    return study


async def test_instances_are_in_their_study_when_they_are_answered(
    fhir: httpx.AsyncClient, web: httpx.AsyncClient
) -> None:
    answer = await posted(web, body(*[instance(number) for number in range(1, 251)]))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == DICOM_JSON
    assert len(stored(answer)) == 250
    assert {each["00081196"]["Value"][0] for each in answer.json()["00081199"]["Value"]} == {0xB006}
    study = await the(fhir, f"{ROOT}.1")
    assert study["numberOfInstances"] == 250


async def test_the_same_again_changes_nothing(fhir: httpx.AsyncClient, web: httpx.AsyncClient) -> None:
    parts = [instance(number, 2) for number in range(3)]
    assert (await posted(web, body(*parts))).status_code == 200
    before = await the(fhir, f"{ROOT}.2")
    assert (await posted(web, body(*parts))).status_code == 200
    assert await the(fhir, f"{ROOT}.2") == before


CORPUS_STOW = {
    "three_good": 200,
    "mixed_good_bad": 202,
    "all_bad": 409,
    "no_final_boundary": 400,
    "lf_only": 400,
}
STUDIES = {"three_good": 1, "mixed_good_bad": 1}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here (FHIR_CORPUS)")
@pytest.mark.parametrize(("name", "status"), CORPUS_STOW.items())
async def test_bodies_of_the_corpus(mongod_uri: str, database_name: str, name: str, status: int) -> None:
    content = (CORPUS / "stow" / f"{name}.multipart").read_bytes()
    async with running(mongod_uri, database_name) as fhir:
        base = str(fhir.base_url).removesuffix("/fhir/") + "/dicomweb/"
        async with httpx.AsyncClient(base_url=base, timeout=60) as web:
            answer = await posted(web, content)
            assert answer.status_code == status, answer.text
            if name == "mixed_good_bad":
                assert len(stored(answer)) == 1
                assert reasons(answer) == [0xA900]
                assert reasons(answer, "0008119A") == [0xC000]
            elif name == "all_bad":
                assert stored(answer) == []
            elif name == "three_good":
                assert len(stored(answer)) == 3
        studies = (await fhir.get("ImagingStudy")).json().get("entry", [])
        assert len(studies) == STUDIES.get(name, 0)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here (FHIR_CORPUS)")
async def test_metadata_of_the_corpus(web: httpx.AsyncClient) -> None:
    content = (CORPUS / "stow" / "metadata_json.multipart").read_bytes()
    answer = await posted(web, content, related(DICOM_JSON))
    assert answer.status_code == 200, answer.text
    assert len(stored(answer)) == 1


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/related; type="application/dicom"; boundary="BOUND"',
        "multipart/related; type=application/dicom; boundary=BOUND",
        'Multipart/Related; boundary=BOUND; type="application/dicom"; start="<1>"',
        "multipart/related; boundary=BOUND",
    ],
)
async def test_content_types_of_the_field(web: httpx.AsyncClient, kind: str) -> None:
    assert (await posted(web, body(instance(1, 3)), kind)).status_code == 200


async def test_one_instance_without_multipart(web: httpx.AsyncClient) -> None:
    answer = await posted(web, instance(1, 4), DICOM)
    assert (answer.status_code, len(stored(answer))) == (200, 1)


async def test_metadata_alone_with_pixels_beside_it(web: httpx.AsyncClient) -> None:
    dataset = (
        b'[{"00080016":{"vr":"UI","Value":["%b"]},"00080018":{"vr":"UI","Value":["%b.5.1.1"]},'
        b'"0020000D":{"vr":"UI","Value":["%b.5"]},"0020000E":{"vr":"UI","Value":["%b.5.1"]}}]'
    ) % (CT.encode(), *[ROOT.encode()] * 3)
    assert (await posted(web, dataset, DICOM_JSON)).status_code == 200
    bulk = b"--BOUND\r\nContent-Type: application/octet-stream\r\nContent-Location: x\r\n\r\n\0\0\r\n"
    both = body(dataset, kind=DICOM_JSON).replace(b"--BOUND--\r\n", bulk + b"--BOUND--\r\n")
    answer = await posted(web, both, related(DICOM_JSON))
    assert (answer.status_code, stored(answer)) == (200, [f"{ROOT}.5.1.1"])


async def test_a_study_that_is_not_that_of_the_url(web: httpx.AsyncClient) -> None:
    parts = body(instance(1, 6), instance(1, 7))
    answer = await posted(web, parts, url=f"studies/{ROOT}.6")
    assert (answer.status_code, stored(answer), reasons(answer)) == (202, [f"{ROOT}.6.1.1"], [0xA901])
    answer = await posted(web, body(instance(2, 7)), url=f"studies/{ROOT}.6")
    assert (answer.status_code, reasons(answer)) == (409, [0xA901])


async def test_a_correction_is_kept_out_with_a_warning(web: httpx.AsyncClient) -> None:
    assert (await posted(web, body(instance(1, 8)))).status_code == 200
    answer = await posted(web, body(instance(1, 8, SeriesDescription="Other")))
    assert answer.status_code == 202
    [item] = answer.json()["00081199"]["Value"]
    assert item["00081196"]["Value"] == [0x0111]


async def test_a_study_under_another_patient_is_not_taken(
    fhir: httpx.AsyncClient, web: httpx.AsyncClient
) -> None:
    assert (await posted(web, body(instance(1, 9)))).status_code == 200
    answer = await posted(web, body(instance(2, 9, PatientID="other")))
    assert (answer.status_code, reasons(answer)) == (409, [0x0110])
    assert (await the(fhir, f"{ROOT}.9"))["numberOfInstances"] == 1


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (body(b"x"), "text/plain", 415),
        (body(b"x"), "multipart/form-data; boundary=BOUND", 415),
        (body(b"x"), 'multipart/related; type="image/png"; boundary=BOUND', 415),
        (body(b"x"), None, 409),
        (b"", None, 400),
        (b"--BOUND--\r\n", None, 400),
        (b"", DICOM, 409),
        (b"[]", DICOM_JSON, 400),
        (b"{", DICOM_JSON, 409),
        (b"[" * 100_000, DICOM_JSON, 409),
        (body(b"x"), 'multipart/related; type="application/dicom"', 400),
        (body(b"x").replace(b"BOUND", b"OTHER"), None, 400),
        (body(*[b"x"] * 21_000), None, 400),
        (body(b"x", kind="text/plain"), None, 409),
        (body(instance(1, 10, StudyInstanceUID=None)), None, 409),
        (body(instance(1, 10, SOPInstanceUID=None)), None, 409),
        (body(instance(1, 10)[:400]), None, 409),
    ],
)  # fmt: skip
async def test_bad_bodies(web: httpx.AsyncClient, content: bytes, kind: str | None, status: int) -> None:
    answer = await posted(web, content, kind)
    assert answer.status_code == status, answer.text
    if status in {400, 415}:
        assert answer.json()["resourceType"] == "OperationOutcome"
    else:
        assert answer.headers["content-type"] == DICOM_JSON


async def test_no_content_type_at_all(web: httpx.AsyncClient) -> None:
    assert (await web.post("studies", content=body(b"x"))).status_code == 415


async def test_compressed_bodies_are_not_taken(web: httpx.AsyncClient) -> None:
    headers = {"Content-Type": related(), "Content-Encoding": "gzip"}
    assert (await web.post("studies", content=b"\x1f\x8b", headers=headers)).status_code == 415


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("POST", "studies/not-a-uid", 400),
        ("POST", "studies/" + "1" * 65, 400),
        ("POST", f"studies/{ROOT}.1/series", 405),
        ("PUT", "studies", 405),
        ("GET", f"studies/{ROOT}.1", 406),
        ("GET", "nothing", 404),
        ("GET", "", 404),
        ("GET", "series/1.2/studies/1.3", 404),
        ("GET", "studies/1.2/instances/1.3/metadata", 404),
    ],
)
async def test_urls_that_mean_nothing_here(
    web: httpx.AsyncClient, method: str, url: str, status: int
) -> None:
    answer = await web.request(method, url)
    assert answer.status_code == status, answer.text


async def test_a_body_that_is_too_large_or_stops(mongod_uri: str, database_name: str) -> None:
    settings: dict[str, Any] = {"dicom_max_body_bytes": 10_000, "dicom_idle_seconds": 0.5}
    async with running(mongod_uri, database_name, **settings) as fhir:
        base = str(fhir.base_url).removesuffix("/fhir/") + "/dicomweb/"
        async with httpx.AsyncClient(base_url=base, timeout=60) as web:
            answer = await posted(web, body(*[instance(number) for number in range(30)]))
            assert answer.status_code == 413

        reader, writer = await asyncio.open_connection("127.0.0.1", fhir.base_url.port)
        head = f"POST /dicomweb/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {related()}\r\nContent-Length: 9999\r\n\r\n"
        writer.write(head.encode() + body(instance(1))[:-4] + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()
        await writer.wait_closed()
        assert (await the(fhir, f"{ROOT}.1"))["numberOfInstances"] == 1


async def test_each_request_leaves_an_event_for_each_study(
    fhir: httpx.AsyncClient, web: httpx.AsyncClient
) -> None:
    await posted(web, body(instance(1, 20), instance(2, 20), instance(1, 21), b"x"))
    for study, count in ((20, "2"), (21, "1")):
        found = await fhir.get(
            "AuditEvent", params={"type": "110104", "entity:identifier": f"urn:oid:{ROOT}.{study}"}
        )
        [entry] = found.json()["entry"]
        [entity] = [each for each in entry["resource"]["entity"] if "detail" in each]
        assert entity["detail"] == [{"type": "instances", "valueString": count}]
    refused = await fhir.get("AuditEvent", params={"type": "110104", "outcome": "4", "_sort": "-date"})
    assert any("1 of 4" in each["resource"].get("outcomeDesc", "") for each in refused.json()["entry"])


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here (FHIR_CORPUS)")
async def test_all_files_of_the_corpus_are_answered(
    web: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answered: dict[int, int] = {}
    files = [
        path
        for name in ("files", "generated")
        for path in sorted((CORPUS / name).iterdir())
        if path.is_file()
    ]
    for path in files:
        answer = await posted(web, body(path.read_bytes()))
        assert answer.status_code in {200, 202, 409}, (path.name, answer.text)
        told = answer.json()
        items = [
            each
            for tag in ("00081198", "00081199", "0008119A")
            for each in told.get(tag, {}).get("Value", ())
        ]
        assert len(items) == 1, path.name
        answered[answer.status_code] = answered.get(answer.status_code, 0) + 1
    assert answered[200] > len(files) / 2
    log = capsys.readouterr().err
    assert "Traceback" not in log
    assert "Muster" not in log
