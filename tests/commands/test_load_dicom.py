"""`fhir-server load` of DICOM as a process: files, folders, DICOMDIR, ZIP."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.commands.loading import Loader
from tests.importers.dicom.making import dataset, file


@pytest.fixture
def loader(mongod_uri: str, database_name: str) -> Loader:
    return Loader(mongod_uri, database_name)


def instance(study: str, number: int, **values: str) -> bytes:
    uids = {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "SOPInstanceUID": f"{study}.1.{number}",
    }
    return file(dataset(**uids, **values))


def test_a_medium_is_loaded_once(loader: Loader, tmp_path: Path) -> None:
    """As a DICOMDIR: files without a suffix in folders, and what is no instance among them."""
    folder = tmp_path / "DICOM" / "ST1"
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"IM{number}").write_bytes(instance("1.2.1", number))
    (folder / "other.dcm").write_bytes(instance("1.2.2", 1))
    (folder / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM")
    (folder / "readme").write_text("see the files")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM and a list")
    done = loader.load(tmp_path / "DICOMDIR")
    assert done.returncode == 1
    assert "broken.dcm: " in done.stderr
    assert "4 instances of 2 studies: 4 stored" in done.stderr
    assert "1 failure" in done.stdout
    assert {each["numberOfInstances"] for each in loader.of("ImagingStudy")} == {1, 3}
    before = loader.counts()
    again = loader.load(tmp_path)
    assert "4 instances of 2 studies: 4 same" in again.stderr
    assert loader.counts() == before


def test_an_archive_is_read_within_limits(loader: Loader, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"../../IM{number}", instance("1.2.3", number))
        archive.writestr("bomb.dcm", b"\0" * 128 + b"DICM" + b"\0" * 20_000_000)
        archive.writestr("DICOMDIR", b"\0" * 128 + b"DICM")
    done = loader.load(tmp_path / "a.zip")
    assert "bomb.dcm: is compressed more than 200-fold" in done.stderr
    [study] = loader.of("ImagingStudy")
    assert study["numberOfInstances"] == 2
    assert not (tmp_path.parent / "IM0").exists()


def test_a_correction_and_another_patient_are_told(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(instance("1.2.4", 1, StudyDescription="first"))
    (tmp_path / "2.dcm").write_bytes(instance("1.2.4", 1, StudyDescription="second"))
    (tmp_path / "3.dcm").write_bytes(instance("1.2.4", 2, PatientID="Hidden"))
    done = loader.load(tmp_path)
    assert "2.dcm: It came before with other content" in done.stderr
    assert "3.dcm: Its study belongs to another patient" in done.stderr
    assert "Hidden" not in done.stderr + done.stdout
    [study] = loader.of("ImagingStudy")
    assert (study["description"], study["numberOfInstances"]) == ("first", 1)
    events = [each for each in loader.of("AuditEvent") if each["type"]["code"] == "110107"]
    [taken, apart] = sorted(events, key=lambda each: str(each["outcome"]))
    assert taken["entity"][0]["detail"][0]["valueString"] == "2"
    assert "urn:oid:1.2.4: 1 quarantined" in apart["outcomeDesc"]


def test_a_dry_run_needs_no_database(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_bytes(instance("1.2.5", 1))
    done = loader.load(tmp_path, "--dry-run", "--mongodb-uri", "mongodb://127.0.0.1:1/")
    assert done.returncode == 0
    assert "Judged 2 resources" in done.stdout


def test_wrong_settings_are_told_with_file_and_key(
    loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dicom.toml").write_text("[default]\nkeep = 'best'\n")
    (tmp_path / "1.dcm").write_bytes(instance("1.2.6", 1))
    monkeypatch.setenv("FHIR_SERVER_DICOM_FILE", str(tmp_path / "dicom.toml"))
    done = loader.load(tmp_path / "1.dcm")
    assert done.returncode == 1
    assert "dicom.toml: default.keep: expected 'first' or 'newest'" in done.stderr
