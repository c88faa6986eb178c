"""http://hl7.org/fhir/R4/search.html#token"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_server.search.token import terms
from resources.outcome import FHIRError
from tests.search.conftest import Shelf

LOINC = "http://loinc.org"


def coded(*codings: tuple[str | None, str | None]) -> dict[str, Any]:
    pairs = [{"system": system, "code": code} for system, code in codings]
    return {"code": {"coding": [{k: v for k, v in pair.items() if v is not None} for pair in pairs]}}


@pytest.fixture(scope="module")
def observations(shelves: Mapping[str, Shelf]) -> Shelf:
    shelf = shelves["Observation"]
    shelf.put(
        {"id": "loinc", **coded((LOINC, "718-7"))},
        {"id": "both", **coded((LOINC, "718-7"), ("http://local", "hb"))},
        {"id": "bare", **coded((None, "718-7"))},
        {"id": "other", **coded((f"{LOINC}2", "718-7"))},
        {"id": "system", **coded((LOINC, None))},
        {"id": "bars", **coded(("http://a|b", "c|d\\e"))},
        {"id": "text", "code": {"text": "Hb"}},
        {"id": "absent", "status": "final"},
    )
    return shelf


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("718-7", ["bare", "both", "loinc", "other"]),
        (f"{LOINC}|718-7", ["both", "loinc"]),
        ("|718-7", ["bare"]),
        (f"{LOINC}|", ["both", "loinc", "system"]),
        ("http://local|hb", ["both"]),
        (f"http://local|hb,{LOINC}2|718-7", ["both", "other"]),
        (f"{LOINC}2|,|718-7", ["bare", "other"]),
        ("http://a\\|b|c\\|d\\\\e", ["bars"]),
        ("c\\|d\\\\e", ["bars"]),
        ("c|d\\\\e", []),
        ("http://a\\|b|", ["bars"]),
        ("718", []),
        (".*", []),
        ("http://.*|", []),
        ("$ne", []),
        ("HB", []),
    ],
)
def test_forms_of_a_token(observations: Shelf, value: str, expected: list[str]) -> None:
    assert observations.find(("code", value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("718-7", ["absent", "bars", "system", "text"]),
        (f"{LOINC}|718-7", ["absent", "bare", "bars", "other", "system", "text"]),
        (f"{LOINC}|,http://a\\|b|", ["absent", "bare", "other", "text"]),
    ],
)
def test_not_finds_all_that_have_none_of_the_codes(
    observations: Shelf, value: str, expected: list[str]
) -> None:
    assert observations.find(("code:not", value)) == expected


def test_missing_is_what_has_no_element_not_what_has_no_code(observations: Shelf) -> None:
    assert observations.find(("code:missing", "true")) == ["absent"]
    assert observations.find(("code:missing", "false"), ("code:not", "718-7")) == ["bars", "system", "text"]


@pytest.mark.parametrize("value", ["718-7", f"{LOINC}|718-7", f"{LOINC}|", f"{LOINC}|,http://local|"])
def test_tokens_are_found_in_the_index(observations: Shelf, value: str) -> None:
    stages = observations.stages(("code", value))
    assert "IXSCAN" in stages
    assert "COLLSCAN" not in stages


def test_a_system_alone_is_a_range_of_the_index(observations: Shelf) -> None:
    assert '["http://loinc.org|", "http://loinc.org}")' in observations.stages(("code", f"{LOINC}|"))


@pytest.mark.parametrize("system", ["a" * 8191, "(" * 8191, "\\a" * 4095, "é" * 4095])
def test_the_longest_systems_are_found(shelves: Mapping[str, Shelf], system: str) -> None:
    assert shelves["Observation"].finds(coded((system, "c")), ("code", f"{system}|"))


@pytest.mark.parametrize("value", ["|", "a|b|c", "a,|"])
def test_malformed_tokens_are_refused(observations: Shelf, value: str) -> None:
    with pytest.raises(FHIRError, match="'code'") as refused:
        observations.find(("code", value))
    assert refused.value.status == 400


@pytest.mark.parametrize("modifier", ["exact", "contains", "Patient", "$where"])
def test_modifiers_that_are_not_supported_are_refused(observations: Shelf, modifier: str) -> None:
    with pytest.raises(FHIRError, match=r"is not supported here\. Possible: :not, :text, ") as refused:
        observations.find((f"code:{modifier}", "718-7"))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("resource_type", "resource", "query"),
    [
        ("Patient", {"active": True}, ("active", "true")),
        ("Patient", {"active": False}, ("active", "false")),
        ("Patient", {"gender": "female"}, ("gender", "female")),
        ("Patient", {"gender": "female"}, ("gender", "http://hl7.org/fhir/administrative-gender|female")),
        ("Patient", {"identifier": [{"system": "urn:mrn", "value": "1"}]}, ("identifier", "urn:mrn|1")),
        ("Patient", {"telecom": [{"system": "phone", "value": "+1 555"}]}, ("phone", "+1 555")),
        ("Patient", {"telecom": [{"system": "phone", "value": "+1 555"}]}, ("telecom", "+1 555")),
        ("Patient", {"deceasedDateTime": "2020"}, ("deceased", "true")),
        ("Patient", {"deceasedBoolean": False}, ("deceased", "false")),
        ("Patient", {}, ("deceased", "false")),
        ("Patient", {"meta": {"tag": [{"system": "urn:t", "code": "x"}]}}, ("_tag", "urn:t|x")),
        ("Binary", {"contentType": "text/plain", "meta": {"security": [{"code": "R"}]}}, ("_security", "R")),
        ("Encounter", {"class": {"system": "urn:act", "code": "AMB"}}, ("class", "urn:act|AMB")),
        (
            "ValueSet",
            {"compose": {"include": [{"concept": [{"code": "a"}]}]}, "version": "1"},
            ("version", "1"),
        ),
        ("Device", {"extension": []}, ("din:missing", "true")),
    ],
)
def test_every_type_that_is_a_token(
    shelves: Mapping[str, Shelf], resource_type: str, resource: dict[str, Any], query: tuple[str, str]
) -> None:
    assert shelves[resource_type].finds(resource, query)


@pytest.mark.parametrize(
    ("resource_type", "resource", "query", "expected"),
    [
        ("Patient", {"telecom": [{"system": "email", "value": "Ann@Example.org"}]}, ("email", "ann@example.ORG"), True),
        ("Patient", {"telecom": [{"system": "email", "value": "Ann@Example.org"}]}, ("telecom", "ann@example.org"), True),
        ("Patient", {"telecom": [{"system": "email", "value": "ann@example.org"}]}, ("email:not", "ANN@example.org"), False),
        ("ValueSet", {"version": "1.0-Draft"}, ("version", "1.0-draft"), True),
        ("ValueSet", {"version": "1.0-draft"}, ("version", "|1.0-DRAFT"), True),
        ("Medication", {"batch": {"lotNumber": "ab12"}}, ("lot-number", "AB12"), True),
        ("Patient", {"identifier": [{"system": "urn:mrn", "value": "Ab1"}]}, ("identifier", "ab1"), False),
        ("Patient", {"gender": "male"}, ("gender", "MALE"), False),
        ("Observation", {"code": {"coding": [{"system": "http://unitsofmeasure.org", "code": "mS"}]}}, ("code", "ms"), False),
        ("Observation", {"code": {"coding": [{"code": "A1"}]}}, ("code", "a1"), False),
    ],
)  # fmt: skip
def test_case_counts_but_in_texts_and_addresses(
    shelves: Mapping[str, Shelf],
    resource_type: str,
    resource: dict[str, Any],
    query: tuple[str, str],
    expected: bool,
) -> None:
    """http://hl7.org/fhir/R4/search.html#token: case-sensitive, unless what is meant says otherwise or is a string"""
    assert shelves[resource_type].finds(resource, query) is expected


@pytest.mark.parametrize(
    ("resource", "query"),
    [
        ({"active": True}, ("active", "false")),
        ({"telecom": [{"system": "email", "value": "+1 555"}]}, ("phone", "+1 555")),
        ({"gender": "female"}, ("gender", "male")),
        ({"gender": "female"}, ("gender", "|female")),
        ({"deceasedDateTime": "2020"}, ("deceased", "false")),
    ],
)
def test_what_is_something_else(
    shelves: Mapping[str, Shelf], resource: dict[str, Any], query: tuple[str, str]
) -> None:
    assert not shelves["Patient"].finds(resource, query)


signs = st.text(
    alphabet=st.one_of(st.sampled_from("ab|\\,$.*^"), st.characters(codec="utf-8", exclude_characters="\0"))
)
texts = signs.filter(bool)


def escape(text: str) -> str:
    for sign in "\\,|$":
        text = text.replace(sign, "\\" + sign)
    return text


@settings(max_examples=60, deadline=None)
@given(system=st.none() | texts, code=texts)
def test_what_is_indexed_is_found(shelves: Mapping[str, Shelf], system: str | None, code: str) -> None:
    shelf = shelves["Observation"]
    resource = coded((system, code))
    assert shelf.finds(resource, ("code", escape(code)))
    assert shelf.finds(resource, ("code", f"{escape(system or '')}|{escape(code)}"))
    assert not shelf.finds(resource, ("code:not", escape(code)))
    assert not shelf.finds(resource, ("code", f"other{escape(system or '')}|{escape(code)}"))
    if system:
        assert shelf.finds(resource, ("code", f"{escape(system)}|"))
        assert not shelf.finds(resource, ("code", f"|{escape(code)}"))


@given(st.tuples(st.none() | texts, st.none() | texts), st.tuples(st.none() | texts, st.none() | texts))
def test_two_tokens_that_share_a_term_share_its_meaning(
    one: tuple[str | None, str | None], two: tuple[str | None, str | None]
) -> None:
    shared = set(terms(*one)) & set(terms(*two))
    if one != two and shared:
        assert one[1] == two[1]
        assert len(shared) == 1
