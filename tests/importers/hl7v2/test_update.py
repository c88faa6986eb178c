"""What a message changes in what is stored: replaces, keeps, removes, fills gaps; and says nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.update import CLEARED, is_older, moment, same, updated, with_moment
from resources import validation

Json = dict[str, Any]

PATIENT: Json = {
    "resourceType": "Patient",
    "id": "p",
    "meta": {"versionId": "3", "lastUpdated": "2026-01-01T00:00:00Z"},
    "identifier": [{"system": "urn:a", "value": "1"}, {"system": "urn:b", "value": "9", "use": "old"}],
    "name": [{"use": "official", "family": "Berg"}, {"use": "maiden", "family": "Holm"}],
    "telecom": [
        {"system": "phone", "use": "home", "value": "1"},
        {"system": "phone", "use": "work", "value": "2"},
    ],
    "gender": "female",
    "birthDate": "1980-01-01",
    "_birthDate": {"extension": [{"url": "http://a.example/time", "valueString": "noon"}]},
    "deceasedBoolean": False,
    "maritalStatus": {"text": "single"},
}


def told(**elements: Any) -> Json:
    return {"resourceType": "Patient", **elements}


def test_what_is_sent_replaces_and_what_is_absent_is_kept() -> None:
    result = updated(PATIENT, told(gender="male"))
    assert result["gender"] == "male"
    assert result["maritalStatus"] == {"text": "single"}


def test_names_are_replaced_by_their_use() -> None:
    result = updated(PATIENT, told(name=[{"family": "Lund"}]))
    assert result["name"] == [{"family": "Lund"}, {"use": "maiden", "family": "Holm"}]


def test_telephone_numbers_are_replaced_by_system_and_use() -> None:
    result = updated(PATIENT, told(telecom=[{"system": "phone", "use": "work", "value": "3"}]))
    assert [point["value"] for point in result["telecom"]] == ["1", "3"]


def test_identifiers_are_joined_and_an_old_one_stays_old() -> None:
    sent = [{"system": "urn:b", "value": "9"}, {"system": "urn:c", "value": "5"}]
    result = updated(PATIENT, told(identifier=sent))
    assert [(each["value"], each.get("use")) for each in result["identifier"]] == [
        ("1", None),
        ("9", "old"),
        ("5", None),
    ]


def test_another_type_of_a_choice_replaces_it() -> None:
    result = updated(PATIENT, told(deceasedDateTime="2026-01-01"))
    assert "deceasedBoolean" not in result


def test_a_mere_yes_does_not_replace_what_says_more() -> None:
    dead = updated(PATIENT, told(deceasedDateTime="2026-01-01"))
    assert updated(dead, told(deceasedBoolean=True))["deceasedDateTime"] == "2026-01-01"
    assert updated(dead, told(deceasedBoolean=False))["deceasedBoolean"] is False


def test_a_code_that_fhir_lacks_replaces_one_that_it_has() -> None:
    result = updated(
        PATIENT, told(_gender={"extension": [{"url": "http://a.example/x", "valueString": "X"}]})
    )
    assert "gender" not in result
    assert "_gender" in result
    assert "_gender" not in updated(result, told(gender="male"))


def test_what_stood_beside_a_value_goes_with_it() -> None:
    assert "_birthDate" not in updated(PATIENT, told(birthDate="1981-01-01"))
    assert "_birthDate" in updated(PATIENT, told(birthDate="1980-01-01"))


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("maritalStatus", lambda patient: "maritalStatus" not in patient),
        ("deceasedDateTime", lambda patient: "deceasedBoolean" not in patient),
        ("telecom.home", lambda patient: [each["value"] for each in patient["telecom"]] == ["2"]),
        ("birthDate", lambda patient: "birthDate" not in patient and "_birthDate" not in patient),
    ],
)
def test_null_removes(path: str, gone: Any) -> None:
    assert gone(updated(PATIENT, told(), clear=[path]))


def test_null_inside_an_element_that_is_sent_too() -> None:
    stored = {"resourceType": "Encounter", "period": {"start": "2026-01-01", "end": "2026-01-02"}}
    result = updated(
        stored, {"resourceType": "Encounter", "period": {"start": "2026-01-01"}}, clear=["period.end"]
    )
    assert result["period"] == {"start": "2026-01-01"}


def test_older_facts_fill_gaps_only() -> None:
    result = updated(
        PATIENT, told(gender="male", address=[{"city": "Oslo"}]), newer=False, clear=["maritalStatus"]
    )
    assert result["gender"] == "female"
    assert result["address"] == [{"city": "Oslo"}]
    assert "maritalStatus" in result


def test_older_facts_do_not_bring_back_what_was_deleted() -> None:
    deleted = updated(PATIENT, told(), clear=["maritalStatus"])
    assert "maritalStatus" not in updated(deleted, told(maritalStatus={"text": "single"}), newer=False)
    again = updated(deleted, told(maritalStatus={"text": "married"}))
    assert again["maritalStatus"] == {"text": "married"}
    assert not any(each["url"] == CLEARED for each in again["meta"].get("extension", []))


def test_the_moment_is_kept_in_meta_and_is_no_change_by_itself() -> None:
    one = with_moment(PATIENT, "2026-02-01T10:00:00Z")
    assert moment(one) == "2026-02-01T10:00:00Z"
    assert same(one, PATIENT)
    assert moment(with_moment(one, "2026-02-02")) == "2026-02-02"
    assert not [issue for issue in validation.validate(one) if issue.severity == "error"]


@pytest.mark.parametrize(
    ("sent", "stored", "older"),
    [
        ("2026-02-01T10:00:00Z", "2026-02-01T10:00:01Z", True),
        ("2026-02-01T10:00:01Z", "2026-02-01T10:00:00Z", False),
        ("2026-02-01T12:00:00+02:00", "2026-02-01T10:00:00Z", False),
        ("2026-02-01T12:00:00+02:00", "2026-02-01T11:00:00Z", True),
        ("2026-02-01", "2026-02-01T11:00:00Z", False),
        ("2026-01-31", "2026-02-01T11:00:00Z", True),
        (None, "2026-02-01", False),
        ("2026-02-01", None, False),
    ],
)
def test_which_moment_is_older(sent: str | None, stored: str | None, older: bool) -> None:
    assert is_older(sent, stored) is older


_VALUES = st.sampled_from(["1", "2", "3"])
_POINTS = st.lists(
    st.fixed_dictionaries(
        {"system": st.sampled_from(["phone", "email"]), "value": _VALUES},
        optional={"use": st.sampled_from(["home", "work"])},
    ),
    min_size=1,
    max_size=4,
    unique_by=repr,
)
_TOLD = st.fixed_dictionaries(
    {},
    optional={
        "telecom": _POINTS,
        "identifier": st.lists(st.fixed_dictionaries({"system": st.just("urn:a"), "value": _VALUES}), min_size=1, max_size=3, unique_by=repr),
        "gender": st.sampled_from(["male", "female"]),
        "deceasedDateTime": st.just("2026-01-01"),
    },
)  # fmt: skip


@given(
    sent=_TOLD, newer=st.booleans(), clear=st.sets(st.sampled_from(["gender", "telecom.home", "birthDate"]))
)
def test_said_twice_changes_nothing_more(sent: Json, newer: bool, clear: set[str]) -> None:
    once = updated(PATIENT, told(**sent), newer=newer, clear=clear)
    assert same(updated(once, told(**sent), newer=newer, clear=clear), once)
    assert once["id"] == "p"
    assert PATIENT["gender"] == "female"


def test_an_end_before_the_beginning_leaves_what_is_newer() -> None:
    stored = {"resourceType": "Encounter", "period": {"start": "2024-03-02"}}
    sent = {"resourceType": "Encounter", "period": {"end": "2024-03-01"}}
    assert updated(stored, sent)["period"] == {"end": "2024-03-01"}
    assert updated(stored, sent, newer=False)["period"] == {"start": "2024-03-02"}


def test_a_number_sent_twice_is_one() -> None:
    sent = [{"system": "urn:a", "value": "7"}, {"system": "urn:a", "value": "7", "use": "usual"}]
    result = updated({"resourceType": "Patient"}, told(identifier=sent))
    assert result["identifier"] == [{"system": "urn:a", "value": "7", "use": "usual"}]


def test_a_group_is_replaced_item_by_item_where_it_stands() -> None:
    points = [
        {"system": "phone", "value": "1"},
        {"system": "email", "value": "a"},
        {"system": "phone", "value": "2"},
    ]
    assert updated(updated(PATIENT, told(telecom=points)), told(telecom=points)) == updated(
        PATIENT, told(telecom=points)
    )
