from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2 import elements
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert
from importers.hl7v2.er7 import Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from resources import codec
from resources.codec import Json
from tests.importers.hl7v2.making import HEADER, conversion, faults, field

LOCAL = "urn:hl7v2:code:HOSP:"


def concept(text: str, table: str = "", config: FeedConfig | None = None) -> Json | None:
    return elements.codeable_concept(conversion(config=config), field(text), table)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240102", "2024-01-02"),
        ("20240102030405", "2024-01-02T03:04:05+01:00"),
        ("20240102030405^D", "2024-01-02"),
        ("20240102030405^L", "2024-01"),
        ("20240102030405^Y", "2024"),
        ("20240102030405^S", "2024-01-02T03:04:05+01:00"),
    ],
)
def test_a_date_says_as_much_as_it_says(text: str, expected: str) -> None:
    made = conversion(config=FeedConfig(zone=ZoneInfo("Europe/Copenhagen")))
    assert elements.date_time(made, field(text)) == expected
    assert made.issues == []


def test_what_is_no_date_is_told_with_its_place_and_without_its_content() -> None:
    made = conversion()
    assert elements.date_time(made, field("tomorrow")) is None
    assert elements.date(made, field("20230229")) is None
    assert elements.instant(made, field("2023")) is None
    assert [(issue.place, issue.code, issue.severity) for issue in made.issues] == [
        ("ZXX-1", DATA_TYPE_ERROR, "warning")
    ] * 3
    assert not any("tomorrow" in issue.text for issue in made.issues)


def test_nobody_is_born_in_the_future_or_two_centuries_ago() -> None:
    made = conversion()
    assert elements.birth_date(made, field("19700102")) == "1970-01-02"
    assert elements.birth_date(made, field("29991231")) is None
    assert elements.birth_date(made, field("18191231")) is None
    assert elements.birth_date(made, field("0212")) is None
    assert elements.birth_date(made, field("never")) is None
    assert [issue.place for issue in made.issues] == ["ZXX-1"] * 4


def test_what_is_empty_or_deleted_is_no_wrong_date() -> None:
    made = conversion()
    for text in ("", '""', "^D"):
        assert elements.date_time(made, field(text)) is None
    assert made.issues == []


def test_what_is_no_date_can_stay_as_text() -> None:
    kept = elements.as_text("birthDate", field("about 1970"))
    assert kept["_birthDate"]["extension"][0]["valueString"] == "about 1970"
    assert faults({"resourceType": "Patient", **kept}) == []
    assert elements.as_text("birthDate", field('""')) == {}


def test_a_period_has_the_ends_that_are_said() -> None:
    made = conversion()
    both = field("20240101^20240201")
    assert elements.period(made, both.component(1), both.component(2)) == {
        "start": "2024-01-01",
        "end": "2024-02-01",
    }
    assert elements.period(made, field(""), field("2024")) == {"end": "2024"}
    assert elements.period(made, field(""), field("")) is None


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        (
            "718-7^Hemoglobin^LN",
            "",
            {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}]},
        ),
        (
            "718-7^Hemoglobin^LN^HB^Hb^L^2.74^1^as written",
            "",
            {
                "coding": [
                    {
                        "system": "http://loinc.org",
                        "code": "718-7",
                        "display": "Hemoglobin",
                        "version": "2.74",
                    },
                    {"system": LOCAL + "L", "code": "HB", "display": "Hb", "version": "1"},
                ],
                "text": "as written",
            },
        ),
        ("HB", "", {"coding": [{"system": LOCAL + "L", "code": "HB"}]}),
        ("HB^Hb^99LAB", "", {"coding": [{"system": LOCAL + "99LAB", "code": "HB", "display": "Hb"}]}),
        ("^Hemoglobin", "", {"text": "Hemoglobin"}),
        ("^^^^Hemoglobin", "", {"text": "Hemoglobin"}),
        ("1^x^1.2.3.4", "", {"coding": [{"system": "urn:oid:1.2.3.4", "code": "1", "display": "x"}]}),
        (
            "1^x^^^^^^^^^^^^1.2.3.4",
            "",
            {"coding": [{"system": "urn:oid:1.2.3.4", "code": "1", "display": "x"}]},
        ),
        (
            "^^^^^^^^^260373001^Detected^SCT",
            "",
            {"coding": [{"system": "http://snomed.info/sct", "code": "260373001", "display": "Detected"}]},
        ),
        (
            "two  words^x^L",
            "",
            {"coding": [{"system": LOCAL + "L", "code": "two words", "display": "x"}]},
        ),
        (
            "M",
            "0002",
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
                        "code": "M",
                        "display": "Married",
                    }
                ]
            },
        ),
        (
            "A^Separated^HL70002",
            "0002",
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
                        "code": "L",
                        "display": "Legally Separated",
                    },
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v2-0002",
                        "code": "A",
                        "display": "Separated",
                    },
                ]
            },
        ),
        ("ZZ^odd", "0002", {"coding": [{"system": LOCAL + "L", "code": "ZZ", "display": "odd"}]}),
        ("M^Married^99X", "0002", {"coding": [{"system": LOCAL + "99X", "code": "M", "display": "Married"}]}),
        (
            "X^y^HL70009",
            "",
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0009", "code": "X", "display": "y"}
                ]
            },
        ),
        ("", "", None),
        ('""', "", None),
    ],
)
def test_a_concept(text: str, table: str, expected: Json | None) -> None:
    found = concept(text, table)
    assert found == expected
    assert found is None or faults({"resourceType": "Basic", "code": found}) == []


def test_a_feed_says_what_its_codes_mean() -> None:
    loinc = {"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}
    config = FeedConfig(
        code_maps={"99LAB": {"HB": loinc}, "0002": {"Q": {"system": "http://x", "code": "q"}}},
        code_systems={"99LAB": "https://lab.example.org/codes"},
    )
    assert concept("HB^Hb^99LAB", config=config) == {
        "coding": [loinc, {"system": "https://lab.example.org/codes", "code": "HB", "display": "Hb"}]
    }
    assert concept("WBC^^99LAB", config=config) == {
        "coding": [{"system": "https://lab.example.org/codes", "code": "WBC"}]
    }
    found = concept("Q", "0002", config)
    assert found is not None
    assert found["coding"][0] == {"system": "http://x", "code": "q"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6.30", "6.30"), ("+6.30", "6.30"), ("-0.5", "-0.5"), (".2", "0.2"), ("5.", "5"), ("007", "7"), ("0", "0"),
        ("00.50", "0.50"), ("-0", "-0"), ("1" * 34, "1" * 34), ("0." + "1" * 33, "0." + "1" * 33), (" 7 ", "7"),
    ],
)  # fmt: skip
def test_a_number_keeps_its_digits(text: str, expected: str) -> None:
    found = elements.decimal(text)
    assert found is not None
    assert codec.encode(found).decode() == expected


@pytest.mark.parametrize(
    "text", ["", ".", "+", "-", "1,5", "1e5", "1 000", "<5", "*", "NaN", "0x1", "1" * 35, "\u0667"]
)
def test_what_is_no_number(text: str) -> None:
    assert elements.decimal(text) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_every_number_is_read(number: Decimal) -> None:
    assert elements.decimal(f"{number:f}") == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mg/dL", {"unit": "mg/dL"}),
        ("mg/dL^^UCUM", {"unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}),
        (
            "mg/dL^milligrams^UCUM",
            {"unit": "milligrams", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
        ),
        ("^milligrams", {"unit": "milligrams"}),
        ("", {}),
    ],
)
def test_units(text: str, expected: Json) -> None:
    assert elements.unit(conversion(), field(text)) == expected


@pytest.mark.parametrize(
    ("table", "code", "expected"),
    [
        ("0200", "L", {"use": "official"}),
        ("0200", "", {}),
        (
            "0200",
            "S",
            {
                "_use": {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/alternate-codes",
                            "valueCodeableConcept": {
                                "coding": [
                                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0200", "code": "S"}
                                ]
                            },
                        }
                    ]
                }
            },
        ),
    ],
)
def test_a_code_without_target_stays_beside_its_element(table: str, code: str, expected: Json) -> None:
    found = elements.coded(conversion(), "use", table, code)
    assert found == expected
    assert faults({"resourceType": "Patient", "name": [{"family": "X", **found}]}) == []


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_whatever_is_sent_is_a_valid_concept(text: str) -> None:
    made = conversion(f"ZXX|{text}\\S\\x^{text}^{text}^{text}^{text}^{text}^{text}^^{text}")
    value: Value = made.message.segments[1].value(1)
    found = elements.codeable_concept(made, value, "0002")
    assert found is None or faults({"resourceType": "Basic", "code": found}) == []


def test_a_date_that_is_none_stays_where_it_was_meant_to_be() -> None:
    lines = (
        "PID|1||7^^^HOSP^MR||Doe^John||19801399",
        "OBR|1|||1^x^L",
        "OBX|1|ST|2^y^L||z||||||F|||yesterday",
    )
    header = HEADER.replace("ADT^A01", "ORU^R01")
    made = convert(conversion(*lines, header=header).message, FeedConfig())
    found = {draft.resource["resourceType"]: draft.resource for draft in made.drafts}
    for kind, element, text in (
        ("Patient", "birthDate", "19801399"),
        ("Observation", "effectiveDateTime", "yesterday"),
    ):
        assert element not in found[kind]
        assert found[kind][f"_{element}"]["extension"][0]["valueString"] == text
    assert [issue.place for issue in made.issues if issue.code == DATA_TYPE_ERROR] == ["PID-7", "OBX-14"]
