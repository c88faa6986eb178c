from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from importers.dicom import identifiers
from importers.dicom.sources import SourceConfig
from importers.hl7v2.config import FeedConfig

CONFIG = SourceConfig(
    name="CT 1",
    issuers=MappingProxyType({"HOSP": "https://hosp.example/mrn", "9.9.9": "https://nine.example"}),
)


@pytest.mark.parametrize(
    ("item", "namespace", "expected"),
    [
        ({}, "", (None, "")),
        ({"UniversalEntityID": "1.2.3", "UniversalEntityIDType": "ISO"}, "", ("urn:oid:1.2.3", "")),
        (
            {"UniversalEntityID": "1.2.3", "UniversalEntityIDType": "ISO", "LocalNamespaceEntityID": "RIS"},
            "",
            ("urn:oid:1.2.3", "RIS"),
        ),
        (
            {"UniversalEntityID": "https://x.example/a", "UniversalEntityIDType": "URI"},
            "",
            ("https://x.example/a", ""),
        ),
        ({}, "HOSP", ("https://hosp.example/mrn", "HOSP")),
        ({"UniversalEntityID": "9.9.9", "UniversalEntityIDType": "ISO"}, "", ("https://nine.example", "")),
        (
            {"UniversalEntityID": "1.2.3", "UniversalEntityIDType": "ISO"},
            "HOSP",
            ("https://hosp.example/mrn", "HOSP"),
        ),
        ({}, "RIS&1.2.3&ISO", ("urn:oid:1.2.3", "RIS")),
        ({}, "RIS&", ("urn:hl7v2:id:RIS", "RIS")),
        ({}, "1.2.3.4", ("urn:oid:1.2.3.4", "1.2.3.4")),
    ],
)
def test_issuers(item: dict[str, Any], namespace: str, expected: tuple[str | None, str]) -> None:
    assert identifiers.issuer(CONFIG, item, namespace) == expected


def test_a_namespace_is_the_one_that_feeds_of_hl7_name() -> None:
    system, _ = identifiers.issuer(CONFIG, {}, "ADT_A")
    assert system == FeedConfig().derived_uri("id", "ADT_A")


def test_a_number_without_issuer_is_of_its_source() -> None:
    one = identifiers.patient_identifier(SourceConfig(name="a"), {"PatientID": " 12345 "})
    other = identifiers.patient_identifier(SourceConfig(name="b"), {"PatientID": "12345"})
    assert one is not None
    assert other is not None
    assert one["value"] == other["value"] == "12345"
    assert one["system"] != other["system"]
    told = SourceConfig(patient_system="urn:oid:1.2")
    assert (identifiers.patient_identifier(told, {"PatientID": "1"}) or {})["system"] == "urn:oid:1.2"


@pytest.mark.parametrize("told", ["", "NOID", "anon", "Anonymous", "UNKNOWN", "0"])
def test_numbers_of_nobody(told: str) -> None:
    assert identifiers.patient_identifier(CONFIG, {"PatientID": told}) is None


def test_who_is_de_identified_is_in_a_system_of_his_own() -> None:
    told = {"PatientID": "4711", "IssuerOfPatientID": "HOSP", "PatientIdentityRemoved": "YES"}
    found = identifiers.patient_identifier(CONFIG, told)
    assert found is not None
    assert found["system"] == "urn:fhir-server:dicom:de-identified"


def test_type_and_assigner() -> None:
    found = identifiers.identifier(CONFIG, " A  1 ", "ACSN", ("urn:oid:1.2", "RIS"), "accession")
    assert found == {
        "type": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                    "code": "ACSN",
                    "display": "Accession ID",
                }
            ]
        },
        "system": "urn:oid:1.2",
        "value": "A 1",
        "assigner": {"display": "RIS"},
    }
    assert identifiers.identifier(CONFIG, "", "ACSN", (None, ""), "accession") is None
