from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import registry, summary
from resources.outcome import FHIRError
from resources.summary import SUBSETTED, apply_elements, apply_summary

TAG = {"system": SUBSETTED["system"], "code": "SUBSETTED", "display": "subsetted"}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"versionId": "3", "tag": [{"code": "mine"}]},
    "implicitRules": "http://example.org/rules",
    "text": {"status": "generated", "div": "<div/>"},
    "extension": [{"url": "http://example.org/a", "valueString": "x"}],
    "modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}],
    "identifier": [{"system": "s", "value": "v", "extension": [{"url": "u", "valueString": "x"}]}],
    "birthDate": "1980-01-01",
    "_birthDate": {"extension": [{"url": "http://example.org/time", "valueString": "x"}]},
    "deceasedBoolean": False,
    "maritalStatus": {"text": "married"},
    "_language": {"id": "l"},
    "contact": [{"gender": "female"}],
    "link": [{"other": {"reference": "Patient/2"}, "type": "seealso", "id": "l1"}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "text": {"status": "generated", "div": "<div/>"},
    "code": {"text": "c"},
    "valueQuantity": {"value": 1},
    "note": [{"text": "n"}],
    "component": [{"code": {"text": "d"}, "valueString": "x", "referenceRange": [{"text": "r"}]}],
}


@pytest.fixture(autouse=True)
def _nothing_is_changed() -> Any:
    before = json.dumps([PATIENT, OBSERVATION])
    yield
    assert json.dumps([PATIENT, OBSERVATION]) == before, "the input changed"


def test_true_keeps_summary_and_mandatory_elements_at_every_level() -> None:
    assert apply_summary(PATIENT, "true") == {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"versionId": "3", "tag": [{"code": "mine"}, TAG]},
        "implicitRules": "http://example.org/rules",
        "modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}],
        "identifier": [{"system": "s", "value": "v"}],
        "birthDate": "1980-01-01",
        "_birthDate": PATIENT["_birthDate"],
        "deceasedBoolean": False,
        "link": [{"other": {"reference": "Patient/2"}, "type": "seealso", "id": "l1"}],
    }
    assert apply_summary(OBSERVATION, "true") == {
        "resourceType": "Observation",
        "meta": {"tag": [TAG]},
        "status": "final",
        "code": {"text": "c"},
        "valueQuantity": {"value": 1},
        "component": [{"code": {"text": "d"}, "valueString": "x"}],
    }


def test_text_keeps_the_narrative_and_what_is_mandatory() -> None:
    assert apply_summary(OBSERVATION, "text") == {
        "resourceType": "Observation",
        "meta": {"tag": [TAG]},
        "status": "final",
        "text": OBSERVATION["text"],
        "code": {"text": "c"},
    }


def test_data_leaves_out_only_the_narrative() -> None:
    expected = {key: value for key, value in OBSERVATION.items() if key != "text"}
    assert apply_summary(OBSERVATION, "data") == {**expected, "meta": {"tag": [TAG]}}


def test_false_is_everything_unmarked() -> None:
    assert apply_summary(PATIENT, "false") is PATIENT


@pytest.mark.parametrize("mode", ["", "True", "count", "all", "text,data"])
def test_other_modes_are_400(mode: str) -> None:
    with pytest.raises(FHIRError, match="Parameter '_summary'") as caught:
        apply_summary(PATIENT, mode)
    assert caught.value.status == 400


def test_elements_keep_what_is_named_mandatory_or_identifies() -> None:
    assert apply_elements(PATIENT, ["birthDate", "maritalStatus"]) == {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"versionId": "3", "tag": [{"code": "mine"}, TAG]},
        "implicitRules": "http://example.org/rules",
        "modifierExtension": PATIENT["modifierExtension"],
        "birthDate": "1980-01-01",
        "_birthDate": PATIENT["_birthDate"],
        "maritalStatus": {"text": "married"},
    }
    assert list(apply_elements(OBSERVATION, ["note"])) == ["resourceType", "meta", "status", "code", "note"]
    assert "_language" in apply_elements(PATIENT, ["language"])


@pytest.mark.parametrize("name", ["value", "valueQuantity"])
def test_choices_go_by_either_name(name: str) -> None:
    assert apply_elements(OBSERVATION, [name])["valueQuantity"] == {"value": 1}


@pytest.mark.parametrize(
    "names", [["nickname"], ["name", "Patient.name"], ["name.family"], ["resourceType"], ["NAME"]]
)
def test_unknown_elements_are_400_and_named(names: list[str]) -> None:
    with pytest.raises(FHIRError, match=f"'{names[-1]}' is not an element at the top of Patient") as caught:
        summary.check_elements(names, ["Patient"])
    assert caught.value.status == 400


@pytest.mark.parametrize("names", [[], [""], ["name", ""]])
def test_blank_names_are_400(names: list[str]) -> None:
    with pytest.raises(FHIRError, match="Parameter '_elements'") as caught:
        summary.check_elements(names, ["Patient"])
    assert caught.value.status == 400


def test_bundles_are_kept_and_their_resources_cut() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [], "text": {"status": "empty", "div": "<div/>"}}
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 2,
        "link": [{"relation": "self", "url": "http://example.org"}],
        "entry": [
            {"fullUrl": "a", "resource": PATIENT, "search": {"mode": "match"}},
            {"fullUrl": "b", "resource": OBSERVATION, "search": {"mode": "include"}},
            {"resource": outcome, "search": {"mode": "outcome"}},
            {"response": {"status": "204"}},
        ],
    }
    before = copy.deepcopy(bundle)
    result = apply_elements(bundle, ["birthDate", "value"])
    assert {**result, "entry": bundle["entry"]} == bundle
    assert result["entry"][0] == {**bundle["entry"][0], "resource": apply_elements(PATIENT, ["birthDate"])}  # type: ignore[index]
    assert result["entry"][1]["resource"] == apply_elements(OBSERVATION, ["value"])
    assert result["entry"][2:] == bundle["entry"][2:]  # type: ignore[index]
    assert apply_summary(bundle, "data")["entry"][2]["resource"] == outcome
    assert bundle == before
    assert apply_elements({"resourceType": "Bundle", "type": "searchset"}, ["nickname"]) == {
        "resourceType": "Bundle",
        "type": "searchset",
    }


def test_a_bundle_that_was_asked_for_itself_is_cut_itself() -> None:
    entry = {"resource": {**PATIENT, "id": "inside"}}
    bundle = {"resourceType": "Bundle", "id": "b", "type": "collection", "language": "de", "entry": [entry]}
    expected = {"resourceType": "Bundle", "id": "b", "meta": {"tag": [TAG]}, "type": "collection"}
    assert apply_elements(bundle, ["type"], inside=False) == expected
    assert "language" not in apply_summary(bundle, "true", inside=False)


def test_a_part_of_a_part_is_marked_once() -> None:
    twice = apply_elements(apply_summary(PATIENT, "true"), ["birthDate"])
    assert twice["meta"]["tag"] == [{"code": "mine"}, TAG]


def test_resources_inside_resources_are_cut_by_their_own_type() -> None:
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": OBSERVATION}]}
    inside = apply_summary(parameters, "true")["parameter"][0]["resource"]
    assert "note" not in inside
    assert inside["component"] == [{"code": {"text": "d"}, "valueString": "x"}]


def test_an_object_is_never_left_empty() -> None:
    only_extension = {"resourceType": "Patient", "name": [{"extension": [{"url": "u", "valueString": "x"}]}]}
    assert apply_summary(only_extension, "true")["name"] == only_extension["name"]


def test_checks_before_anything_is_done() -> None:
    summary.check_summary("text")
    summary.check_elements(["name"], ["Patient", "Observation"])
    with pytest.raises(FHIRError, match="'nickname' is not an element at the top of Observation, Patient"):
        summary.check_elements(["birthDate", "nickname"], ["Patient", "Observation"])
    summary.check_elements(["name"], [])
    with pytest.raises(FHIRError, match="'name' is not an element at the top of Observation"):
        summary.check_elements(["name"], ["Observation"])


@given(st.sampled_from(sorted(registry.resource_types() - {"Bundle"})), st.data())
def test_every_type_keeps_its_mandatory_elements_and_the_named_ones(
    resource_type: str, data: st.DataObject
) -> None:
    members = registry.json_members(resource_type)
    resource = {"resourceType": resource_type, **{name: {} for name in members if name != "meta"}}
    named = data.draw(st.sampled_from(sorted(set(members) - {"meta"})))
    kept = apply_elements(resource, [named])
    for name, element in members.items():
        assert name == "meta" or (name in kept) == (
            name == named or element.min > 0 or name in {"id", "implicitRules", "modifierExtension"}
        )
