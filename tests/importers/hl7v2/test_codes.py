from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from importers.hl7v2.tables import build, codes
from importers.hl7v2.tables.segments import SEGMENTS
from resources import terminology
from tests.importers.hl7v2 import corpus

SOURCE = corpus.FOLDER.parents[1] / "v2-to-fhir" / "codes.csv"
TABLES = json.loads((Path(codes.__file__).with_name("codes.json")).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("table", "code", "expected"),
    [
        ("0001", "F", "female"), ("0001", "f", "female"), ("0001", "FEMALE", "female"), ("0001", "Female", "female"),
        ("0001", "M", "male"), ("0001", "A", "other"), ("0002", "A", "L"),
        ("0004", "I", "IMP"), ("0004", "E", "EMER"), ("0004", "O", "AMB"), ("0004", "INPATIENT", "IMP"),
        ("0004/status", "I", "in-progress"), ("0004/status", "P", "planned"), ("0003/status", "A03", "finished"),
        ("0063", "Father", "FTH"), ("0085", "F", "final"), ("0085", "C", "corrected"), ("0123", "F", "final"),
        ("0127/category", "FA", "food"), ("0128/severity", "SV", "severe"), ("0190", "H", "home"),
        ("0190/type", "M", "postal"), ("0200", "L", "official"), ("0201", "PRN", "home"), ("0202", "CP", "mobile"),
        ("0203", "MR", "MR"), ("0278", "Booked", "booked"), ("0278", "BOOKED", "booked"), ("0322", "CP", "completed"),
    ],
)  # fmt: skip
def test_a_code(table: str, code: str, expected: str) -> None:
    found = codes.lookup(table, code)
    assert found is not None
    assert found["code"] == expected


@pytest.mark.parametrize(
    ("table", "code"), [("0001", "X"), ("0001", ""), ("9999", "F"), ("0085", "I"), ("0119", "RE")]
)
def test_a_code_without_target(table: str, code: str) -> None:
    assert codes.lookup(table, code) is None


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("LN", "http://loinc.org"), ("ln", "http://loinc.org"), ("SCT", "http://snomed.info/sct"),
        ("I9", "http://hl7.org/fhir/sid/icd-9-cm"), ("I10", "http://hl7.org/fhir/sid/icd-10"),
        ("CVX", "http://hl7.org/fhir/sid/cvx"), ("NDC", "http://hl7.org/fhir/sid/ndc"),
        ("RxNorm", "http://www.nlm.nih.gov/research/umls/rxnorm"), ("UCUM", "http://unitsofmeasure.org"),
        ("HL70078", "http://terminology.hl7.org/CodeSystem/v2-0078"),
        ("WC", "http://www.whocc.no/atc"), ("ATC", None), ("SNM", None), ("ISO+", None),
        ("L", None), ("99LAB", None), ("", None), ("HL7", None), ("HL79901 literal", None),
    ],
)  # fmt: skip
def test_a_coding_system(name: str, uri: str | None) -> None:
    assert codes.system_uri(name) == uri


def test_every_target_is_a_code_that_r4_has() -> None:
    """Those of systems whose codes R4 lists; the implementation guide has an "entered-in-errror" among them."""
    own = "http://hl7.org/fhir/"
    seen = set()
    for table, mapped in TABLES.items():
        for coding in mapped.values():
            system = coding["system"]
            if not system.startswith(own) or system.startswith(own + "sid/"):
                continue
            listed = terminology.expansion(f"{own}ValueSet/{system.removeprefix(own)}")
            known = (listed or {}).get(system)
            assert known is not None, system
            assert coding["code"] in known, (table, coding)
            seen.add(system)
    assert len(seen) >= 10


def test_no_code_is_one_that_fhir_would_refuse() -> None:
    for mapped in TABLES.values():
        for coding in mapped.values():
            assert coding["code"] == " ".join(coding["code"].split())
            assert coding["system"].startswith(("http://", "https://", "urn:"))
            assert coding.get("display", "x").strip()


def test_the_tables_are_those_of_the_implementation_guide() -> None:
    if not SOURCE.is_file():
        pytest.skip(f"The maps of the implementation guide are not in {SOURCE}")
    with SOURCE.open(encoding="utf-8", newline="") as file:
        assert build.tables(csv.DictReader(file)) == TABLES


def test_what_is_wrong_in_the_guide_is_corrected() -> None:
    row = {
        "map": "ResultStatus[Non-Queries]",
        "v2_code": "W",
        "v2_text": "",
        "fhir_code": "entered-in-errror",
        "fhir_display": " ",
        "fhir_system": "http://unitsofmeasure.org/",
    }
    assert build.tables([row]) == {
        "0123": {"W": {"system": "http://unitsofmeasure.org", "code": "entered-in-error"}}
    }
    for missing in ("map", "v2_code", "fhir_code", "fhir_system"):
        assert build.tables([{**row, missing: ""}]) == {}


def test_segments_of_all_versions_are_known() -> None:
    assert {"MSH", "PID", "ARV", "PRT", "UAC", "RX1", "Z01"} - SEGMENTS == {"Z01"}
    assert all(len(name) == 3 and name.isupper() for name in SEGMENTS)
