"""http://hl7.org/fhir/R4/references.html"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.reference import Reference, parse, parse_canonical

HOME = "https://home.example.org/fhir"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Patient/1", {"type": "Patient", "id": "1"}),
        ("Patient/1/_history/2", {"type": "Patient", "id": "1", "version": "2"}),
        ("Patient/1#part", {"type": "Patient", "id": "1"}),
        (f"{HOME}/Patient/a-B.9", {"type": "Patient", "id": "a-B.9", "base": HOME}),
        (
            "http://a.org/x/y/Patient/1/_history/2",
            {"type": "Patient", "id": "1", "version": "2", "base": "http://a.org/x/y"},
        ),
        (
            "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
            {"other": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"},
        ),
        ("urn:oid:1.2.3", {"other": "urn:oid:1.2.3"}),
        ("#p1", {"contained": "p1"}),
        ("#", {"contained": ""}),
        (
            "Patient?identifier=http://a.org|1&x=%2C",
            {"type": "Patient", "criteria": "identifier=http://a.org|1&x=%2C"},
        ),
        ("Patience?identifier=1", {"other": "Patience?identifier=1"}),
        ("Patience/1", {"other": "Patience/1"}),
        ("patient/1", {"other": "patient/1"}),
        ("Patient/", {"other": "Patient/"}),
        ("Patient/a b", {"other": "Patient/a b"}),
        ("Patient/" + "x" * 65, {"other": "Patient/" + "x" * 65}),
        ("/Patient/1", {"other": "/Patient/1"}),
        ("http://a.org/page.html", {"other": "http://a.org/page.html"}),
        ("http://a.org/fhir?x=/Patient/1", {"other": "http://a.org/fhir?x=/Patient/1"}),
        ("", {"other": ""}),
    ],
)
def test_every_form_is_taken_apart(text: str, expected: Any) -> None:
    assert parse(text) == Reference(text, **expected)


def test_an_address_leaves_the_version_out() -> None:
    assert parse("Patient/1/_history/2").address == "Patient/1"
    assert parse("http://a.org/fhir/Patient/1/_history/2").address == "http://a.org/fhir/Patient/1"
    assert parse("urn:uuid:1").address is None


def test_urls_of_this_server_become_relative_and_others_do_not() -> None:
    assert parse(f"{HOME}/Patient/1").relative_to(HOME + "/").address == "Patient/1"
    assert parse(f"{HOME}/Patient/1").relative_to(HOME).is_local
    assert parse(f"{HOME}2/Patient/1").relative_to(HOME).address == f"{HOME}2/Patient/1"
    assert not parse(f"{HOME}/sub/Patient/1").relative_to(HOME).is_local


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a.org/vs", ("http://a.org/vs", None)),
        ("http://a.org/vs|1.0", ("http://a.org/vs", "1.0")),
        ("http://a.org/vs|1.0#part", ("http://a.org/vs#part", "1.0")),
        ("http://a.org/vs#part", ("http://a.org/vs#part", None)),
        ("http://a.org/vs|", ("http://a.org/vs", None)),
    ],
)
def test_a_canonical_has_a_url_and_perhaps_a_version(text: str, expected: Any) -> None:
    assert parse_canonical(text) == expected


@given(st.text())
def test_any_text_is_some_reference(text: str) -> None:
    found = parse(text)
    assert [found.id, found.criteria, found.contained, found.other].count(None) == 3
