from __future__ import annotations

import pytest

from importers.hl7v2 import identifiers
from importers.hl7v2.config import FeedConfig
from resources.codec import Json
from tests.importers.hl7v2.making import conversion, faults, field

OTHER_SENDER = "MSH|^~\\&|LAB|LABFAC|REC|RFAC|20240102030405||ORU^R01|1|P|2.5.1"
NOBODY = "MSH|^~\\&|||||20240102030405||ORU^R01|1|P|2.5.1"


def system(
    text: str, config: FeedConfig | None = None, header: str | None = None, scope: str | None = None
) -> str:
    made = conversion(config=config) if header is None else conversion(config=config, header=header)
    found = identifiers.identifier(made, field(text), scope)
    assert found is not None
    return str(found["system"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7^^^HOSP&1.2.840.1&ISO^MR", "urn:oid:1.2.840.1"),
        ("7^^^&1.2.840.1&ISO^MR", "urn:oid:1.2.840.1"),
        ("7^^^&1.2.840.1^MR", "urn:oid:1.2.840.1"),
        ("7^^^1.2.840.1^MR", "urn:oid:1.2.840.1"),
        ("7^^^&urn:oid:1.2.840.1&ISO^MR", "urn:oid:1.2.840.1"),
        ("7^^^H&6BA7B810-9DAD-11D1-80B4-00C04FD430C8&UUID", "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("7^^^H&https://hosp.example.org/mrn&URI", "https://hosp.example.org/mrn"),
        ("7^^^H&hosp.example.org&DNS", "urn:hl7v2:id:hosp.example.org"),
        ("7^^^H", "urn:hl7v2:id:HOSP:H"),
        ("7^^^NPI^NPI", "http://hl7.org/fhir/sid/us-npi"),
        ("7^^^^NPI", "http://hl7.org/fhir/sid/us-npi"),
        ("7^^^USSSA^SS", "http://hl7.org/fhir/sid/us-ssn"),
        ("7^^^&hosp.example.org&DNS", "urn:hl7v2:id:hosp.example.org"),
        ("7^^^HOSP^MR", "urn:hl7v2:id:HOSP"),
        ("7^^^MY HOSP^MR", "urn:hl7v2:id:MY%20HOSP"),
        ("7^^^1^MR", "urn:hl7v2:id:HOSP:1"),
        ("7^^^MR^MR", "urn:hl7v2:id:HOSP:MR"),
        ("7", "urn:hl7v2:id:HOSP"),
        ("7^^^^MR", "urn:hl7v2:id:HOSP"),
        ("7^^^^VN", "urn:hl7v2:id:HOSP:VN"),
        ("7^^^^SS", "http://hl7.org/fhir/sid/us-ssn"),
        ("7^^^^SSN", "http://hl7.org/fhir/sid/us-ssn"),
        ("7^^^^NNDNK", "urn:hl7v2:id:NNDNK"),
    ],
)  # fmt: skip
def test_whose_number_it_is(text: str, expected: str) -> None:
    assert system(text) == expected


def test_a_type_that_was_sent_otherwise_stays_beside_that_of_the_table() -> None:
    for sent, known in (("MRN", "MR"), ("SSN", "SS"), ("mr", "MR")):
        found = identifiers.identifier(conversion(), field(f"7^^^HOSP^{sent}"))
        assert found is not None
        assert [each["code"] for each in found["type"]["coding"]] == [known, sent]
    found = identifiers.identifier(conversion(), field("7^^^HOSP^MR"))
    assert found is not None
    assert [each["code"] for each in found["type"]["coding"]] == ["MR"]


def test_the_same_authority_is_the_same_whoever_sends_it() -> None:
    assert system("7^^^CPR^NNDN") == system("7^^^CPR^NNDN", header=OTHER_SENDER)
    apart = FeedConfig(namespaces="facility")
    assert system("7^^^CPR^MR", apart) == "urn:hl7v2:id:HOSP:CPR"
    assert system("7^^^CPR^MR", apart, OTHER_SENDER) == "urn:hl7v2:id:LABFAC:CPR"


def test_without_authority_numbers_of_two_senders_are_two() -> None:
    assert system("7^^^^MR") != system("7^^^^MR", header=OTHER_SENDER)
    assert system("7", header=NOBODY) == "urn:hl7v2:id:-"
    assert system("7", header=OTHER_SENDER, scope="HOSP") == system("7")


def test_a_feed_names_its_systems() -> None:
    config = FeedConfig(
        base_uri="https://hosp.example.org/v2/",
        identifier_systems={
            "HOSP": "https://hosp.example.org/mrn",
            "HOSP^VN": "https://hosp.example.org/visits",
            "1.2.3": "https://elsewhere.example.org",
            "^MR": "https://hosp.example.org/unnamed",
        },
    )
    assert system("7^^^HOSP^MR", config) == "https://hosp.example.org/mrn"
    assert system("7^^^HOSP^VN", config) == "https://hosp.example.org/visits"
    assert system("7^^^X&1.2.3&ISO^MR", config) == "https://elsewhere.example.org"
    assert system("7^^^^MR", config) == "https://hosp.example.org/unnamed"
    assert system("7^^^OTHER^MR", config) == "https://hosp.example.org/v2/id/OTHER"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("^^^HOSP^MR", None),
        (
            "0007^9^M11^HOSP^MR^^20200101^20301231",
            {
                "type": {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                            "code": "MR",
                            "display": "Medical record number",
                        }
                    ]
                },
                "system": "urn:hl7v2:id:HOSP",
                "value": "0007",
                "assigner": {"display": "HOSP"},
                "period": {"start": "2020-01-01", "end": "2030-12-31"},
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit",
                        "valueString": "9",
                    }
                ],
            },
        ),
        (
            "7^^^HOSP^EPI",
            {
                "type": {"coding": [{"code": "EPI"}], "text": "EPI"},
                "system": "urn:hl7v2:id:HOSP",
                "value": "7",
                "assigner": {"display": "HOSP"},
            },
        ),
    ],
)
def test_an_identifier(text: str, expected: Json | None) -> None:
    found = identifiers.identifier(conversion(), field(text))
    assert found == expected
    assert found is None or faults({"resourceType": "Patient", "identifier": [found]}) == []


def test_mrn_is_mr() -> None:
    found = identifiers.identifier(conversion(), field("7^^^HOSP^mrn"))
    assert found is not None
    assert found["type"]["coding"][0]["code"] == "MR"


def test_an_authority_in_another_component() -> None:
    made = conversion()
    found = identifiers.identifier(made, field("7^^^^MR^^^^STATE"))
    assert found is not None
    assert found["system"] == "urn:hl7v2:id:STATE"
    assert made.issues == []
    found = identifiers.identifier(made, field("7^^^HOSP^VN^^^^STATE"))
    assert found is not None
    assert found["system"] == "urn:hl7v2:id:HOSP"
    assert [issue.place for issue in made.issues] == ["ZXX-1.9"]


def test_an_entity() -> None:
    made = conversion()
    assert identifiers.entity(made, field("")) is None
    assert identifiers.entity(made, field("P1^EHR^1.2.3^ISO")) == {"system": "urn:oid:1.2.3", "value": "P1"}
    found = identifiers.entity(made, field("P1^EHR"), "PLAC")
    assert found is not None
    assert (found["system"], found["value"]) == ("urn:hl7v2:id:EHR", "P1")
    assert found["type"]["coding"][0]["code"] == "PLAC"
    assert identifiers.entity(made, field("P1"), scope="REC") == {"system": "urn:hl7v2:id:REC", "value": "P1"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", "identifier=urn:x|7"),
        ("a b", "identifier=urn:x|a%20b"),
        ("a|b,c$d\\e", "identifier=urn:x|a\\|b\\,c\\$d\\\\e"),
        ("a&b=c+d%", "identifier=urn:x|a%26b%3Dc%2Bd%25"),
        ("ø#?", "identifier=urn:x|%C3%B8%23%3F"),
    ],
)
def test_a_search_for_an_identifier(value: str, expected: str) -> None:
    assert identifiers.token({"system": "urn:x", "value": value}) == expected
    assert identifiers.token({"value": "7"}, "order") == "order=|7"
