"""Settings of sources: what fits whom, and what is wrong is told with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from importers.dicom.sources import SourceConfig, Sources, SourcesError, load

WHOLE = """
[default]
zone = "Europe/Copenhagen"
patient_system = "https://hospital.example.org/mrn"
issuers = { HOSP = "urn:oid:1.2.3" }

[[source]]
name = "pacs"
ae = "PACS*"
address = "10.1.2.0/24,10.9.9.9"
keep = "newest"
index_only = true
endpoint = "https://pacs.example.org/dicomweb/"
issuers = { OTHER = "urn:oid:1.2.4" }

[[source]]
name = "web"
address = "192.0.2.0/24"
"""


def loaded(folder: Path, text: str) -> Sources:
    path = folder / "dicom.toml"
    path.write_text(text)
    return load(path)


def test_the_first_that_fits_is_meant(tmp_path: Path) -> None:
    sources = loaded(tmp_path, WHOLE)
    pacs = sources.of("PACS1", "10.1.2.77")
    assert (pacs.name, pacs.keep, pacs.index_only) == ("pacs", "newest", True)
    assert pacs.endpoint == "https://pacs.example.org/dicomweb"
    assert pacs.issuers == {"HOSP": "urn:oid:1.2.3", "OTHER": "urn:oid:1.2.4"}
    assert pacs.system("patient") == "https://hospital.example.org/mrn"
    assert sources.of("PACS1", "10.1.3.77").name == "default"
    assert sources.of("PACS1", None).name == "default"
    assert sources.of("", "192.0.2.1").name == "web"
    assert sources.named("pacs") is pacs
    assert sources.named("who is there no longer") is sources.default


def test_numbers_of_two_sources_are_in_two_systems() -> None:
    one, two = SourceConfig("a b").system("patient"), SourceConfig("c").system("patient")
    assert (one, two) == ("urn:fhir-server:dicom:a-b:patient", "urn:fhir-server:dicom:c:patient")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "x: is not known here"),
        ("[default]\nkeep = 1", "default.keep: expected 'first' or 'newest'"),
        ("[default]\nzone = 'Mars'", "default.zone: 'Mars' is no zone"),
        ("[default]\npatient_system = 'mrn'", "default.patient_system: 'mrn' is no URI"),
        ("[default]\nendpoint = 'ftp://x'", "default.endpoint"),
        ("[default]\naddress = '10.1'", "default.address: '10.1' is no address"),
        ("[default]\nindex_only = 'yes'", "default.index_only: expected true or false"),
        ("[default]\nissuers = 'x'", "default.issuers: expected a table"),
        ("[default]\nissuers = { A = 'x' }", "default.issuers.\"A\": 'x' is no URI"),
        ("[default]\nae = 1", "default.ae: expected text"),
        ("default = 1", "default: expected a table"),
        ("source = 1", "source: expected [[source]]"),
        ("[[source]]\nae = 'X'", "source[1].name: expected a name"),
        ("[[source]]\nname = 'X'", "X: expected ae"),
        ("[[source]]\nname='X'\nae='X'\n[[source]]\nname='X'\nae='Y'", "source[2].name: two sources"),
        ("[[source]]\nname='X'\nae='X'\ncolour='red'", "X.colour: is not known; expected one of"),
        ("[default", "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SourcesError) as told:
        loaded(tmp_path, text)
    assert says in str(told.value)
    assert "dicom.toml" in str(told.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="cannot be read"):
        load(tmp_path / "none.toml")
