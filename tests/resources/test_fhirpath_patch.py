from __future__ import annotations

import copy
import json
import os
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import codec, fhirpath_patch
from resources.outcome import FHIRError

ROOT = Path(__file__).resolve().parents[2]
CORPUS = (
    Path(os.environ.get("FHIR_CORPUS", ROOT.parent / "shared" / "corpus"))
    / "fhirpath"
    / "fhirpath_patch_r4.json"
)
CASES = json.loads(CORPUS.read_text()) if CORPUS.exists() else []

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "contained": [{"resourceType": "Organization", "id": "o1", "name": "Old"}],
    "name": [
        {
            "use": "official",
            "family": "Roe",
            "given": ["Jane", "Q", "R"],
            "_given": [None, {"id": "g1"}, None],
        },
        {"use": "usual", "family": "O'Brien"},
    ],
    "birthDate": "1980-02-01",
    "_birthDate": {
        "extension": [{"url": "http://example.org/time", "valueDateTime": "1980-02-01T03:04:05Z"}]
    },
    "active": True,
    "deceasedBoolean": False,
    "contact": [{"gender": "male"}],
}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "valueQuantity": {"value": Decimal("6.30"), "unit": "mmol/L"},
    "component": [
        {"code": {"coding": [{"code": "a"}]}, "valueQuantity": {"value": Decimal("1.50")}},
        {"code": {"coding": [{"code": "b"}]}, "valueString": "x"},
    ],
}


def operation(kind: str, path: str, **parts: Any) -> dict[str, Any]:
    """`value` as {"valueX": …} or {"part": […]}; integers become valueInteger, strings valueString."""
    listed: list[dict[str, Any]] = [
        {"name": "type", "valueCode": kind},
        {"name": "path", "valueString": path},
    ]
    for name, part in parts.items():
        if isinstance(part, dict):
            listed.append({"name": name, **part})
        else:
            listed.append({"name": name, "valueInteger" if isinstance(part, int) else "valueString": part})
    return {"name": "operation", "part": listed}


def patched(resource: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    parameters = {"resourceType": "Parameters", "parameter": list(operations)}
    before = copy.deepcopy((resource, parameters))
    try:
        return fhirpath_patch.apply(resource, parameters)
    finally:
        assert (resource, parameters) == before, "the input changed"


def refused(resource: dict[str, Any], *operations: dict[str, Any]) -> FHIRError:
    with pytest.raises(FHIRError) as caught:
        patched(resource, *operations)
    return caught.value


def with_changes(resource: dict[str, Any], *gone: str, **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**resource, **changes}.items() if key not in gone}


@pytest.mark.skipif(not CASES, reason="no corpus of FHIRPath Patch cases")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_corpus(case: dict[str, Any]) -> None:
    operations = case["diff"].get("parameter", [])
    if "error" in case:
        assert refused(case["input"], *operations).status == 422
    else:
        assert patched(case["input"], *operations) == case["output"]


def test_a_replaced_primitive_loses_the_extensions_of_the_old_value() -> None:
    result = patched(PATIENT, operation("replace", "Patient.birthDate", value={"valueDate": "1981"}))
    assert result == with_changes(PATIENT, "_birthDate", birthDate="1981")
    assert list(result) == [key for key in PATIENT if key != "_birthDate"]


def test_a_primitive_is_replaced_with_its_sibling() -> None:
    value = {"_valueDate": {"extension": [{"url": "http://example.org/unknown", "valueCode": "unknown"}]}}
    result = patched(PATIENT, operation("replace", "Patient.birthDate", value=value))
    assert result == with_changes(PATIENT, "birthDate", _birthDate=value["_valueDate"])


def test_deleting_a_primitive_deletes_both() -> None:
    assert patched(PATIENT, operation("delete", "Patient.birthDate")) == with_changes(
        PATIENT, "birthDate", "_birthDate"
    )


@pytest.mark.parametrize(
    ("op", "given", "siblings"),
    [
        (operation("delete", "Patient.name[0].given[0]"), ["Q", "R"], [{"id": "g1"}, None]),
        (operation("delete", "Patient.name[0].given[1]"), ["Jane", "R"], None),
        (operation("delete", "Patient.name[0].given.where($this = 'R')"), ["Jane", "Q"], [None, {"id": "g1"}]),
        (operation("move", "Patient.name[0].given", source=1, destination=2), ["Jane", "R", "Q"], [None, None, {"id": "g1"}]),
        (operation("insert", "Patient.name[0].given", index=3, value={"valueString": "S"}), ["Jane", "Q", "R", "S"], [None, {"id": "g1"}, None, None]),
        (operation("add", "Patient.name[0]", name="given", value={"_valueString": {"id": "g2"}}), ["Jane", "Q", "R", None], [None, {"id": "g1"}, None, {"id": "g2"}]),
        (operation("replace", "Patient.name[0].given[1]", value={"valueString": "T"}), ["Jane", "T", "R"], None),
    ],
)  # fmt: skip
def test_lists_of_primitives_stay_in_step_with_their_siblings(op: Any, given: Any, siblings: Any) -> None:
    name = patched(PATIENT, op)["name"][0]
    assert (name["given"], name.get("_given")) == (given, siblings)


def test_extensions_of_primitives_can_be_reached() -> None:
    parts = [{"name": "url", "valueUri": "http://example.org/x"}, {"name": "value", "valueBoolean": True}]
    result = patched(
        PATIENT,
        operation("delete", "Patient.birthDate.extension('http://example.org/time')"),
        operation("add", "Patient.name[0].given[2]", name="extension", value={"part": parts}),
        operation("delete", "Patient.name[0].given[1].id"),
    )
    assert "_birthDate" not in result
    assert result["birthDate"] == "1980-02-01"
    extension = {"url": "http://example.org/x", "valueBoolean": True}
    assert result["name"][0]["_given"] == [None, None, {"extension": [extension]}]


@pytest.mark.parametrize(
    "path",
    [
        "Patient.name[1].family",
        "name[1].family",
        "Patient.name.where(use = 'usual').family",
        "Patient.name.where(family = 'O\\'Brien').family",
        "Patient.name.where(given.empty()).family",
        "Patient.name.where(use = 'usual' and family.startsWith('O')).family",
        "Patient.name.last().family",
        "Patient.name.tail().family",
        "Patient.name.skip(1).first().family",
        "Patient.name.skip(1).take(1).single().family",
        "Patient.name.family[1]",
        "Patient . name [ 1 ] . family",
        "Patient.`name`[1].`family`",
        "(Patient.name)[1].family",
        "%resource.name[1].family",
        "Resource.as(Patient).name[1].family",
    ],
)
def test_paths_that_mean_the_same_element(path: str) -> None:
    result = patched(PATIENT, operation("replace", path, value={"valueString": "New"}))
    assert [name["family"] for name in result["name"]] == ["Roe", "New"]


def test_contained_resources_can_be_patched() -> None:
    result = patched(
        PATIENT,
        operation("replace", "Patient.contained.where(id = 'o1').name", value={"valueString": "New"}),
        operation("add", "Patient.contained[0]", name="active", value={"valueBoolean": True}),
        operation(
            "add", "Patient", name="contained", value={"resource": {"resourceType": "Basic", "id": "b"}}
        ),
    )
    organization = {"resourceType": "Organization", "id": "o1", "name": "New", "active": True}
    assert result["contained"] == [organization, {"resourceType": "Basic", "id": "b"}]


def test_choice_elements_change_their_json_name_and_keep_their_place() -> None:
    result = patched(
        OBSERVATION,
        operation("replace", "Observation.value", value={"valueString": "high"}),
        operation(
            "replace",
            "Observation.component.value.ofType(Quantity).value",
            value={"valueDecimal": Decimal("2.0")},
        ),
        operation("delete", "(Observation.component.value as string)"),
        operation("add", "Observation.component[1]", name="value", value={"valueBoolean": True}),
    )
    assert list(result) == ["resourceType", "status", "valueString", "component"]
    assert result["valueString"] == "high"
    assert codec.encode(result["component"][0]["valueQuantity"]) == b'{"value":2.0}'
    assert result["component"][1] == {"code": {"coding": [{"code": "b"}]}, "valueBoolean": True}


def test_objects_are_built_from_parts() -> None:
    coding = {
        "name": "coding",
        "part": [{"name": "code", "valueCode": "c"}, {"name": "display", "valueString": "C"}],
    }
    component = {
        "part": [
            {"name": "code", "part": [coding, {"name": "coding", "valueCoding": {"code": "d"}}]},
            {"name": "value", "valueQuantity": {"value": Decimal("6.30")}},
        ]
    }
    result = patched(OBSERVATION, operation("insert", "Observation.component", index=0, value=component))
    assert result["component"][0] == {
        "code": {"coding": [{"code": "c", "display": "C"}, {"code": "d"}]},
        "valueQuantity": {"value": Decimal("6.30")},
    }
    narrative = {"part": [{"name": "status", "valueCode": "empty"}, {"name": "div", "valueString": "<div/>"}]}
    result = patched(OBSERVATION, operation("add", "Observation", name="text", value=narrative))
    assert result["text"] == {"status": "empty", "div": "<div/>"}


def test_what_a_delete_empties_goes_and_what_is_not_there_is_no_error() -> None:
    result = patched(
        PATIENT,
        operation("delete", "Patient.contact[0].gender"),
        operation("delete", "Patient.maritalStatus.coding[3].code"),
        operation("delete", "Patient.name[7]"),
    )
    assert result == with_changes(PATIENT, "contact")


def test_insert_into_a_list_that_is_not_there() -> None:
    result = patched(
        PATIENT, operation("insert", "Patient.photo", index=0, value={"valueAttachment": {"title": "t"}})
    )
    assert result["photo"] == [{"title": "t"}]


def test_a_value_may_have_a_related_primitive_type() -> None:
    result = patched(
        PATIENT,
        operation("add", "Patient", name="gender", value={"valueString": "female"}),
        operation("add", "Patient", name="implicitRules", value={"valueUrl": "http://example.org"}),
    )
    assert (result["gender"], result["implicitRules"]) == ("female", "http://example.org")


def test_decimals_keep_their_digits() -> None:
    value = codec.decode(b'{"valueQuantity":{"value":1e3}}')
    result = patched(OBSERVATION, operation("replace", "Observation.value", value=value))
    assert b'"valueQuantity":{"value":1e3}' in codec.encode(result)
    assert b'"value":1.50' in codec.encode(result)


STRING = {"valueString": "x"}


@pytest.mark.parametrize(
    ("status", "op", "text"),
    [
        (422, operation("replace", "Patient.gender", value={"valueCode": "male"}), "nothing is found"),
        (422, operation("replace", "Patient.name.family", value=STRING), "2 elements"),
        (422, operation("delete", "Patient.name"), "2 elements"),
        (422, operation("delete", "Patient.name.single()"), "single() stands on 2"),
        (422, operation("delete", "Patient"), "cannot be deleted"),
        (422, operation("replace", "Patient", value={"resource": {"resourceType": "Patient"}}), "cannot be replaced"),
        (422, operation("add", "Patient.maritalStatus", name="text", value=STRING), "nothing is found"),
        (422, operation("add", "Patient.name", name="text", value=STRING), "2 elements"),
        (422, operation("add", "Patient", name="birthDate", value={"valueDate": "1980"}), "has a value already"),
        (422, operation("add", "Patient", name="deceased", value={"valueDateTime": "1980"}), "has a value already"),
        (422, operation("add", "Patient", name="maritalStatus", value={"valueCoding": {}}), "takes CodeableConcept, not Coding"),
        (422, operation("add", "Patient", name="contact", value={"valueHumanName": {}}), "takes Patient.contact"),
        (422, operation("add", "Patient", name="gender", value={"valueBoolean": True}), "takes code, not boolean"),
        (422, operation("add", "Patient", name="gender", value={"part": [{"name": "id", **STRING}]}), "takes code, not parts"),
        (422, operation("add", "Patient", name="multipleBirth", value={"valuePositiveInt": 2}), "boolean | integer"),
        (422, operation("replace", "Patient.birthDate", value={"valueDateTime": "1980"}), "takes date, not dateTime"),
        (422, operation("replace", "Patient.birthDate", value={"resource": {}}), "takes date, not a resource"),
        (422, operation("insert", "Patient.name", index=3, value={"valueHumanName": {}}), "may be 0 to 2"),
        (422, operation("insert", "Patient.name", index=-1, value={"valueHumanName": {}}), "index -1"),
        (422, operation("insert", "Patient.birthDate", index=0, value={"valueDate": "1980"}), "not a list"),
        (422, operation("insert", "Patient.name.given", index=0, value=STRING), "2 elements"),
        (422, operation("move", "Patient.name", source=2, destination=0), "source 2"),
        (422, operation("move", "Patient.name", source=0, destination=2), "destination 2"),
        (422, operation("move", "Patient.photo", source=0, destination=0), "has 0 items"),
        (422, operation("delete", "Patient.name.where(family > 3)"), "cannot be answered"),
        (400, operation("insert", "Patient.name[0]", index=0, value={"valueHumanName": {}}), "name of a list"),
        (400, operation("insert", "Patient.name", index={"valueString": "0"}, value={"valueHumanName": {}}), "integer"),
        (400, operation("move", "Patient.name", source={"valueBoolean": True}, destination=0), "integer"),
        (400, operation("add", "Patient", name="nickname", value=STRING), "Patient has no element 'nickname'"),
        (400, operation("add", "Patient", name="deceasedBoolean", value={"valueBoolean": True}), "written 'deceased'"),
        (400, operation("add", "Patient", name="resourceType", value=STRING), "no element"),
        (400, operation("add", "Patient", name={"valueCodeableConcept": {}}, value=STRING), "not a valueString"),
        (400, operation("add", "Patient", name="gender", value={"valueCode": None}), "is null"),
        (400, operation("add", "Patient", name="gender", value={}), "exactly one of"),
        (400, operation("add", "Patient", name="gender", value={**STRING, "valueCode": "x"}), "exactly one of"),
        (400, operation("add", "Patient", name="gender", value={"valueGender": "x"}), "no value[x]"),
        (400, operation("add", "Patient", name="contact", value={"part": []}), "not a list of parts"),
        (400, operation("add", "Patient", name="contact", value={"part": [STRING]}), "no 'name'"),
        (400, operation("add", "Patient", name="contact", value={"part": [{"name": "x", **STRING}]}), "no element 'x'"),
    ],
    ids=lambda value: value["part"][1]["valueString"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_refused_with_the_operation_named(status: int, op: dict[str, Any], text: str) -> None:
    error = refused(PATIENT, operation("delete", "Patient.active"), op)
    kind, path = op["part"][0]["valueCode"], op["part"][1]["valueString"]
    assert error.status == status
    assert str(error).startswith(f"Operation 1 of the patch ({kind} {path}): ")
    assert text in str(error)
    assert error.issues[0].expression == ("Parameters.parameter[1]",)


@pytest.mark.parametrize(
    "op",
    [
        None,
        {"name": "op"},
        {"name": "operation"},
        {"name": "operation", "part": {}},
        {"name": "operation", "part": [None]},
        {"name": "operation", "part": [{"name": "colour"}]},
        {"name": "operation", "part": [{"name": ["type"]}]},
        {"name": "operation", "part": [{"name": "type", "valueCode": "delete"}] * 2},
        operation("remove", "Patient.name"),
        operation("add", "Patient", name="gender"),
        operation("add", "Patient", value=STRING),
        operation("insert", "Patient.name", value=STRING),
        operation("replace", "Patient.active"),
        operation("move", "Patient.name", source=1),
        {"name": "operation", "part": [{"name": "type", "valueCode": "delete"}]},
        {
            "name": "operation",
            "part": [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueInteger": 1}],
        },
        operation("delete", "Patient.colour"),
    ],
)
def test_a_malformed_patch_is_refused_before_anything_is_tried(op: Any) -> None:
    error = refused(PATIENT, operation("delete", "Patient.name"), op)
    assert error.status == 400
    assert str(error).startswith("Operation 1 of the patch")


@pytest.mark.parametrize(
    "parameters", [{}, {"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": 1}]
)
def test_a_patch_is_parameters(parameters: dict[str, Any]) -> None:
    with pytest.raises(FHIRError, match="Parameters") as caught:
        fhirpath_patch.apply(PATIENT, parameters)
    assert caught.value.status == 400


def test_bounds() -> None:
    started = time.monotonic()
    assert refused(PATIENT, *[operation("delete", "Patient.photo")] * 1001).status == 413
    many = {"resourceType": "Patient", "identifier": [{"value": str(i)} for i in range(20_000)]}
    delete = operation("delete", "Patient.identifier.where(value = 'x')")
    assert refused(many, *[delete] * 1000).status == 413
    given = {"part": [{"name": "given", "_valueString": {"id": "x"}}] * 50_000}
    assert refused(PATIENT, operation("add", "Patient", name="name", value=given)).status == 413
    deeper = [
        operation("add", "Patient" + ".extension" * depth, name="extension", value={"part": [{"name": "url", "valueUri": "u"}]})
        for depth in range(60)
    ]  # fmt: skip
    assert "levels deep" in str(refused(PATIENT, *deeper))
    assert time.monotonic() - started < 20


PARTS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["type", "path", "name", "value", "index", "source", "destination"])},
        optional={
            "valueCode": st.sampled_from(["add", "insert", "delete", "replace", "move"]),
            "valueString": st.sampled_from(
                ["Patient", "Patient.name", "Patient.name[0].given", "name", "birthDate"]
            ),
            "valueInteger": st.integers(-1, 3),
            "part": st.just([{"name": "family", "valueString": "x"}]),
        },
    ),
    max_size=6,
)


@given(st.lists(st.builds(lambda part: {"name": "operation", "part": part}, PARTS), max_size=3))
def test_any_parameters_give_a_resource_or_an_outcome(operations: list[Any]) -> None:
    try:
        assert patched(PATIENT, *operations)["resourceType"] == "Patient"
    except FHIRError as error:
        assert error.status in {400, 413, 422}  # noqa: PT017


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5), st.data())
def test_insert_move_and_delete_do_what_lists_do(given: list[str], data: st.DataObject) -> None:
    resource = {"resourceType": "Patient", "name": [{"given": given}]}
    index = data.draw(st.integers(0, len(given)))
    source, destination = (data.draw(st.integers(0, len(given))) for _ in "sd")
    result = patched(
        resource,
        operation("insert", "Patient.name.given", index=index, value={"valueString": "new"}),
        operation("move", "Patient.name.given", source=source, destination=destination),
        operation("delete", f"Patient.name.given[{destination}]"),
    )
    expected = [*given[:index], "new", *given[index:]]
    expected.insert(destination, expected.pop(source))
    del expected[destination]
    assert result == {"resourceType": "Patient", "name": [{"given": expected}]}
