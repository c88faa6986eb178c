from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import parse
from resources.codec import Json
from tests.importers.hl7v2.making import HEADER, conversion, field


def person(number: str, **elements: object) -> Json:
    return {"resourceType": "Practitioner", "identifier": [{"value": number}], **elements}


def test_the_same_row_gives_the_same_urls() -> None:
    first, second, other = conversion(), conversion(), Conversion(parse(HEADER), FeedConfig(), "other row")
    urls = [[made.add(person(each)).url for each in "ab"] for made in (first, second, other)]
    assert urls[0] == urls[1]
    assert len({*urls[0], *urls[2]}) == 4
    assert all(url.startswith("urn:uuid:") for url in urls[0])


def test_a_draft_is_referred_to_by_its_url() -> None:
    made = conversion()
    draft = made.add(person("1"))
    assert made.reference(draft) == {"reference": draft.url}
    assert made.drafts == [draft]


def test_what_matches_alike_is_one_draft() -> None:
    made = conversion()
    first = made.add(person("1", active=True), match=("identifier=1",), role="reference")
    again = made.add(
        person("1", active=False, gender="male"), match=("identifier=2", "identifier=1"), role="reference"
    )
    assert again is first
    assert first.resource == person("1", active=True, gender="male")
    assert first.match == ("identifier=1", "identifier=2")
    assert made.add(person("2"), match=("identifier=2",), role="reference") is first
    assert made.drafts == [first]


def test_a_fact_says_more_than_a_mention() -> None:
    made = conversion()
    mention = made.add(person("1", active=True), match=("identifier=1",), role="reference")
    fact = made.add(person("1", active=False), match=("identifier=1",))
    assert fact is mention
    assert fact.role == "fact"
    assert fact.resource["active"] is False
    made.add(person("1", active=True, gender="male"), match=("identifier=1",), role="reference")
    assert fact.resource["active"] is False
    assert fact.resource["gender"] == "male"
    assert fact.role == "fact"


def test_what_matches_nothing_is_always_new() -> None:
    made = conversion()
    assert made.add(person("1")) is not made.add(person("1"))
    made.add(person("1"), match=("identifier=1",))
    other_type = {"resourceType": "Patient"}
    assert made.add(other_type, match=("identifier=1",)).resource is other_type


@pytest.mark.parametrize(
    ("lines", "header", "expected"),
    [
        (("EVN|A01|20240101120000",), HEADER, "2024-01-01T12:00:00+01:00"),
        (("EVN|A01",), HEADER, "2024-01-02T03:04:05+01:00"),
        (("EVN|A01|yesterday",), HEADER, "2024-01-02T03:04:05+01:00"),
        ((), HEADER, "2024-01-02T03:04:05+01:00"),
        ((), "MSH|^~\\&|APP|HOSP|||now||ADT^A01|1|P|2.5.1", None),
    ],
)
def test_when_the_facts_held(lines: tuple[str, ...], header: str, expected: str | None) -> None:
    made = conversion(*lines, header=header, config=FeedConfig(zone=ZoneInfo("Europe/Copenhagen")))
    assert made.moment == expected
    assert made.add(person("1")).moment == expected
    assert made.add(person("1"), moment="2020").moment == "2020"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER, "HOSP"),
        ("MSH|^~\\&|APP|^1.2.3^ISO|||||ADT^A01", "1.2.3"),
        ("MSH|^~\\&|APP||||||ADT^A01", "APP"),
        ("MSH|^~\\&|||||||ADT^A01", ""),
    ],
)
def test_who_sent_it(header: str, expected: str) -> None:
    assert conversion(header=header).facility == expected


def test_codes_and_systems_of_the_feed_come_first() -> None:
    own = {"system": "urn:x", "code": "y"}
    made = conversion(config=FeedConfig(code_maps={"0001": {"F": own}}, code_systems={"LN": "urn:loinc"}))
    assert made.code("0001", "F") == own
    assert made.code("0001", "M") == {
        "system": "http://hl7.org/fhir/administrative-gender",
        "code": "male",
    } | ({"display": "Male"} if "display" in (made.code("0001", "M") or {}) else {})
    assert made.code("0001", "") is None
    assert made.coding_system("LN") == made.coding_system("LN") == "urn:loinc"
    assert made.coding_system("SCT") == "http://snomed.info/sct"
    assert made.coding_system("") == made.coding_system("L") == "urn:hl7v2:code:HOSP:L"


def test_issues_are_told_with_their_place() -> None:
    made = conversion()
    made.issue("PID-3", "odd", "102", "error")
    assert [(each.place, each.text, each.code, each.severity) for each in made.issues] == [
        ("PID-3", "odd", "102", "error")
    ]


def test_an_identifier_is_made_of_a_field() -> None:
    assert conversion().identifier(field("7"), "ELSE") == {"system": "urn:hl7v2:id:ELSE", "value": "7"}
