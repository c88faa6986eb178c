"""http://hl7.org/fhir/R4/search.html#string"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.search.string import normalize
from resources.outcome import FHIRError
from tests.search.conftest import Shelf


@pytest.fixture(scope="module")
def patients(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Patient"]
    shelf.put(
        {
            "id": "carreno",
            "name": [{"family": "Carreño Quiñones", "given": ["Miguel", "Ángel"], "prefix": ["Dr."]}],
        },
        {"id": "muller", "name": [{"family": "Müller"}, {"family": "Straße", "text": "Old Müller"}]},
        {"id": "nfd", "name": [{"family": unicodedata.normalize("NFD", "Müller")}]},
        {
            "id": "son",
            "name": [{"family": "Son"}],
            "address": [{"line": ["1 High St", "Flat 2"], "city": "Bath"}],
        },
        {"id": "sonne", "name": [{"family": "sonne", "given": ["Eve"]}]},
        {
            "id": "anderson",
            "name": [{"family": "Anderson", "suffix": ["Jr"]}],
            "address": [{"postalCode": "12345"}],
        },
        {"id": "regex", "name": [{"family": "a.*b(c"}]},
        {"id": "absent"},
    )
    return shelf


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("family", "son", ["son", "sonne"]),
        ("family", "Son", ["son", "sonne"]),
        ("family", "SONNE", ["sonne"]),
        ("family", "carreno", ["carreno"]),
        ("family", "CARREÑO  QUI", ["carreno"]),
        ("family", "quinones", []),
        ("family", "muller", ["muller", "nfd"]),
        ("family", "MÜLL", ["muller", "nfd"]),
        ("family", "strasse", ["muller"]),
        ("family", "son,muller", ["muller", "nfd", "son", "sonne"]),
        ("family", ".*", []),
        ("family", "a.*b(", ["regex"]),
        ("family", "^a", []),
        ("family:exact", "Son", ["son"]),
        ("family:exact", "son", []),
        ("family:exact", "Sonne", []),
        ("family:exact", "Müller", ["muller"]),
        ("family:exact", "Carreño", []),
        ("family:contains", "son", ["anderson", "son", "sonne"]),
        ("family:contains", "QUIÑ", ["carreno"]),
        ("family:contains", ".*", ["regex"]),
        ("family:contains", "ON", ["anderson", "carreno", "son", "sonne"]),
        ("given", "angel", ["carreno"]),
        ("name", "mig", ["carreno"]),
        ("name", "dr.", ["carreno"]),
        ("name", "old m", ["muller"]),
        ("name", "jr", ["anderson"]),
        ("name", "eve", ["sonne"]),
        ("address", "flat", ["son"]),
        ("address", "bath", ["son"]),
        ("address", "123", ["anderson"]),
        ("address-city", "bath", ["son"]),
        ("family:missing", "true", ["absent"]),
    ],
)
def test_strings(patients: Shelf, name: str, value: str, expected: list[str]) -> None:
    assert patients.find((name, value)) == sorted(expected)


def test_what_a_string_begins_with_is_a_range_of_the_index(patients: Shelf) -> None:
    stages = patients.stages(("family", "a.*b(c"))
    assert "COLLSCAN" not in stages
    assert "a.*b(c" in stages.split("indexBounds")[1]


@pytest.mark.parametrize("value", [" ", "\t", "\u0301", "\u00a0"])
@pytest.mark.parametrize("name", ["family", "family:contains"])
def test_a_string_of_nothing_is_refused_for_it_would_find_all(patients: Shelf, name: str, value: str) -> None:
    with pytest.raises(FHIRError, match="nothing to look for") as refused:
        patients.find((name, value))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "text", ["a" * 8192, "." * 8192, "é" * 4096, "\U0001f600" * 2048, "(" * 8192, "\\E\\Q" * 2048]
)
@pytest.mark.parametrize("name", ["family", "family:contains", "family:exact"])
def test_the_longest_strings_are_found(shelves: Mapping[str, Shelf], name: str, text: str) -> None:
    assert shelves["Patient"].finds({"name": [{"family": text}]}, (name, text))


def test_a_string_that_grows_too_long_is_refused(patients: Shelf) -> None:
    with pytest.raises(FHIRError, match="'family': is longer than 8192 bytes") as refused:
        patients.find(("family", "\ufdfa" * 2730))
    assert refused.value.status == 400


@pytest.mark.parametrize("modifier", ["text", "not", "above", "$regex"])
def test_modifiers_that_are_not_supported_are_refused(patients: Shelf, modifier: str) -> None:
    with pytest.raises(FHIRError, match="Possible: :exact, :contains, :missing"):
        patients.find((f"family:{modifier}", "x"))


def test_the_value_of_an_extension(shelves: Mapping[str, Shelf]) -> None:
    url = "http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName"
    resource = {
        "extension": [{"url": url, "valueString": "Everywoman"}, {"url": "urn:x", "valueString": "Nobody"}]
    }
    assert shelves["Patient"].finds(resource, ("mothersMaidenName", "every"))
    assert not shelves["Patient"].finds(resource, ("mothersMaidenName", "nobody"))


def test_text_of_a_concept(shelves: Mapping[str, Shelf]) -> None:
    resource: dict[str, Any] = {"valueCodeableConcept": {"text": "Positive"}}
    assert shelves["Observation"].finds(resource, ("value-string", "pos"))
    assert shelves["Observation"].finds({"valueString": "Positive"}, ("value-string", "pos"))


anything = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def escape(text: str) -> str:
    for sign in "\\,|$":
        text = text.replace(sign, "\\" + sign)
    return text


@settings(max_examples=80, deadline=None)
@given(text=anything.filter(bool), data=st.data())
def test_what_is_indexed_is_found(shelves: Mapping[str, Shelf], text: str, data: st.DataObject) -> None:
    shelf = shelves["Patient"]
    resource = {"name": [{"family": text}]}
    start, end = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
    assert shelf.finds(resource, ("family:exact", escape(text)))
    if normalize(text[:end]):
        assert shelf.finds(resource, ("family", escape(text[:end])))
        assert shelf.finds(resource, ("name", escape(text[:end])))
    if normalize(text[start:end]):
        assert shelf.finds(resource, ("family:contains", escape(text[start:end])))


@given(anything, st.integers(0, 20))
def test_normalized_beginnings_begin_the_normalized_text(text: str, length: int) -> None:
    assert normalize(text).startswith(normalize(text[:length]))


@given(anything.filter(lambda text: "\u0345" not in text))  # an accent whose capital is a letter
def test_case_and_accents_make_no_difference(text: str) -> None:
    assert normalize(unicodedata.normalize("NFD", text)) == normalize(unicodedata.normalize("NFC", text))
    assert normalize(normalize(text)) == normalize(text)
    assert normalize(text.casefold()) == normalize(text)
