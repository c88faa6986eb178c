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

from resources import codec, json_patch
from resources.outcome import FHIRError

ROOT = Path(__file__).resolve().parents[2]
CORPUS = (
    Path(os.environ.get("FHIR_CORPUS", ROOT.parent / "shared" / "corpus")) / "fhirpath" / "json_patch.json"
)
CASES = json.loads(CORPUS.read_text()) if CORPUS.exists() else []

PATIENT = {
    "resourceType": "Patient",
    "active": True,
    "name": [{"family": "Roe", "given": ["Jane", "Q"]}, {"family": "Doe"}],
    "multipleBirthInteger": 1,
}


def patched(*operations: Any, resource: dict[str, Any] = PATIENT) -> dict[str, Any]:
    before = copy.deepcopy((resource, operations))
    try:
        return json_patch.apply(resource, list(operations))
    finally:
        assert (resource, operations) == before, "the input changed"


def refused(*operations: Any, resource: dict[str, Any] = PATIENT) -> FHIRError:
    with pytest.raises(FHIRError) as caught:
        patched(*operations, resource=resource)
    return caught.value


@pytest.mark.skipif(not CASES, reason="no corpus of JSON Patch cases")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_corpus(case: dict[str, Any]) -> None:
    if "error" in case:
        assert refused(*case["patch"], resource=case["doc"]).status == 422
    else:
        assert patched(*case["patch"], resource=case["doc"]) == case["expected"]


def test_operations_are_done_in_order() -> None:
    result = patched(
        {"op": "add", "path": "/birthDate", "value": "1980-02-01"},
        {"op": "test", "path": "/birthDate", "value": "1980-02-01"},
        {"op": "move", "from": "/name/0/given/1", "path": "/name/1/text"},
        {"op": "copy", "from": "/name/0/given", "path": "/name/1/given"},
        {"op": "add", "path": "/name/1/given/-", "value": "X"},
        {"op": "remove", "path": "/active"},
        {"op": "replace", "path": "/name/0/family", "value": "Poe"},
    )
    assert result == {
        "resourceType": "Patient",
        "name": [
            {"family": "Poe", "given": ["Jane"]},
            {"family": "Doe", "text": "Q", "given": ["Jane", "X"]},
        ],
        "multipleBirthInteger": 1,
        "birthDate": "1980-02-01",
    }


def test_no_operations_give_an_equal_resource_that_is_not_the_same() -> None:
    result = patched()
    assert result == PATIENT
    assert result is not PATIENT
    assert result["name"][0] is not PATIENT["name"][0]  # type: ignore[index]


def test_the_result_shares_nothing_with_the_patch() -> None:
    operations = [{"op": "add", "path": "/photo", "value": [{"title": "a"}]}]
    json_patch.apply(PATIENT, operations)["photo"][0]["title"] = "b"
    assert operations[0]["value"] == [{"title": "a"}]


def test_decimals_keep_their_digits() -> None:
    body = b'{"resourceType":"Observation","valueQuantity":{"value":6.30},"x":{"value":1e3}}'
    patch = b'[{"op":"add","path":"/y","value":0.00000001},{"op":"copy","from":"/x","path":"/z"}]'
    result = json_patch.apply(codec.decode(body), codec.decode_any(patch))
    assert codec.encode(result) == body[:-1] + b',"y":0.00000001,"z":{"value":1e3}}'


@pytest.mark.parametrize(
    ("path", "value", "equal"),
    [
        ("/active", True, True),
        ("/active", 1, False),
        ("/active", "true", False),
        ("/multipleBirthInteger", 1, True),
        ("/multipleBirthInteger", Decimal("1.0"), True),
        ("/multipleBirthInteger", codec.Spelled("1e0"), True),
        ("/multipleBirthInteger", True, False),
        ("/multipleBirthInteger", "1", False),
        ("/multipleBirthInteger", None, False),
        ("/name/0/given", ["Jane", "Q"], True),
        ("/name/0/given", ["Q", "Jane"], False),
        ("/name/1", {"family": "Doe"}, True),
        ("/name/1", {"family": "Doe", "use": None}, False),
        ("/name/-", None, False),
        ("/nothing", None, False),
        ("", PATIENT, True),
    ],
)
def test_test(path: str, value: Any, equal: bool) -> None:
    operation = {"op": "test", "path": path, "value": value}
    if equal:
        assert patched(operation) == PATIENT
    else:
        assert refused(operation).status == 422


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/name/3", "value": {}},
        {"op": "add", "path": "/name/00", "value": {}},
        {"op": "add", "path": "/name/+1", "value": {}},
        {"op": "add", "path": "/name/-1", "value": {}},
        {"op": "add", "path": "/name/1e0", "value": {}},
        {"op": "add", "path": "/name/\u0661", "value": {}},
        {"op": "add", "path": f"/name/{'9' * 5000}", "value": {}},
        {"op": "add", "path": "/name/-/family", "value": "x"},
        {"op": "add", "path": "/contact/gender", "value": "male"},
        {"op": "add", "path": "/active/x", "value": 1},
        {"op": "add", "path": "/name/0/family/0", "value": "x"},
        {"op": "remove", "path": "/birthDate"},
        {"op": "remove", "path": "/name/2"},
        {"op": "remove", "path": "/name/-"},
        {"op": "remove", "path": "/"},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "/birthDate", "value": "1980"},
        {"op": "replace", "path": "/name/-", "value": {}},
        {"op": "move", "from": "/birthDate", "path": "/x"},
        {"op": "move", "from": "/name", "path": "/name/0/x"},
        {"op": "move", "from": "", "path": "/x"},
        {"op": "copy", "from": "/name/2", "path": "/x"},
        {"op": "copy", "from": "/name/0", "path": "/x/y"},
    ],
    ids=str,
)
def test_what_cannot_be_done_is_422_and_named(operation: dict[str, Any]) -> None:
    error = refused({"op": "test", "path": "/active", "value": True}, operation)
    assert error.status == 422
    assert f"Operation 1 of the patch ({operation['op']} '{operation['path'][:100]}')" in str(error)


@pytest.mark.parametrize(
    "operation",
    [
        None,
        "add",
        ["op", "add"],
        {},
        {"path": "/x"},
        {"op": "append", "path": "/name/0/family", "value": "x"},
        {"op": "Add", "path": "/x", "value": 1},
        {"op": ["add"], "path": "/x", "value": 1},
        {"op": None, "path": "/x", "value": 1},
        {"op": "add", "value": 1},
        {"op": "add", "path": None, "value": 1},
        {"op": "add", "path": 3, "value": 1},
        {"op": "add", "path": "x", "value": 1},
        {"op": "add", "path": "#/x", "value": 1},
        {"op": "add", "path": "/x~2", "value": 1},
        {"op": "add", "path": "/x~", "value": 1},
        {"op": "add", "path": "/x"},
        {"op": "replace", "path": "/active"},
        {"op": "test", "path": "/active"},
        {"op": "move", "path": "/x"},
        {"op": "copy", "path": "/x", "from": None},
        {"op": "copy", "path": "/x", "from": "name"},
    ],
    ids=str,
)
def test_malformed_operations_are_400_and_named(operation: Any) -> None:
    error = refused({"op": "remove", "path": "/nothing/here"}, operation)
    assert error.status == 400, "malformed wins over impossible: nothing is tried before all is read"
    assert "Operation 1 of the patch" in str(error)


@pytest.mark.parametrize("patch", [None, {}, {"op": "add", "path": "/x", "value": 1}, "[]", 3, True])
def test_a_patch_is_an_array(patch: Any) -> None:
    with pytest.raises(FHIRError, match="JSON array") as caught:
        json_patch.apply(PATIENT, patch)
    assert caught.value.status == 400


def test_the_root_can_be_replaced_by_an_object() -> None:
    other = {"resourceType": "Patient", "active": False}
    assert patched({"op": "replace", "path": "", "value": other}) == other


@pytest.mark.parametrize("value", [[], None, "Patient", 1])
def test_the_root_cannot_become_something_else(value: Any) -> None:
    error = refused({"op": "add", "path": "", "value": value})
    assert (error.status, "not a JSON object" in str(error)) == (422, True)


def test_moving_something_onto_itself_changes_nothing() -> None:
    assert patched({"op": "move", "from": "/name/0", "path": "/name/0"}) == PATIENT


def test_a_key_may_look_like_an_index_or_a_dash() -> None:
    resource = {"-": 1, "01": {"a/b": 2, "m~n": 3}}
    result = patched(
        {"op": "replace", "path": "/-", "value": 5},
        {"op": "remove", "path": "/01/a~1b"},
        {"op": "test", "path": "/01/m~0n", "value": 3},
        resource=resource,
    )
    assert result == {"-": 5, "01": {"m~n": 3}}


def test_a_thousand_operations_and_no_more() -> None:
    operation = {"op": "add", "path": "/name/-", "value": {"text": "x"}}
    assert len(patched(*[operation] * 1000)["name"]) == 1002
    error = refused(*[operation] * 1001)
    assert error.status == 413
    assert "1001" in str(error)


def test_copy_bombs_end_before_memory_does() -> None:
    started = time.monotonic()
    error = refused(*[{"op": "copy", "from": "/name", "path": "/name/-"}] * 40)
    assert error.status in {413, 422}
    error = refused(*[{"op": "copy", "from": "", "path": f"/x{i}"} for i in range(1000)])
    assert error.status in {413, 422}
    long = {"resourceType": "Binary", "data": "x" * 1_000_000}
    error = refused(*[{"op": "copy", "from": "/data", "path": f"/x{i}"} for i in range(1000)], resource=long)
    assert error.status == 413
    assert time.monotonic() - started < 20


def test_wide_copies_are_bounded() -> None:
    wide = {"resourceType": "List", "a": [[0] * 1000]}
    error = refused(*[{"op": "copy", "from": "/a/0", "path": "/a/-"}] * 1000, resource=wide)
    assert error.status == 413
    assert "Operation 2" in str(error)


def test_nothing_is_nested_bottomlessly() -> None:
    down = "/x" * 80
    deep: Any = 1
    for _ in range(80):
        deep = {"x": deep}
    assert (
        refused(
            {"op": "add", "path": "/x", "value": deep}, {"op": "add", "path": f"{down}/y", "value": deep}
        ).status
        == 422
    )
    assert refused(*[{"op": "copy", "from": "", "path": "/x"}] * 1000).status == 422
    moves = [
        {"op": "add", "path": "/a", "value": {}},
        *(
            step
            for _ in range(300)
            for step in (
                {"op": "add", "path": "/b", "value": {}},
                {"op": "move", "from": "/a", "path": "/b/a"},
                {"op": "move", "from": "/b", "path": "/a"},
            )
        ),
    ]
    error = refused(*moves)
    assert error.status == 422
    assert "90 levels" in str(error)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.decimals(-3, 3, places=1)
    | st.sampled_from(["", "a", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "-", "0"]), inner, max_size=3)
    ),
    max_leaves=8,
)
POINTERS = st.lists(st.sampled_from(["a", "b", "-", "0", "1", "00", "~1", "~"]), max_size=4).map(
    lambda parts: "".join("/" + part for part in parts)
) | st.sampled_from(["a", "/a/", "//"])
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"])},
    optional={"path": POINTERS | JSON, "from": POINTERS | JSON, "value": JSON},
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), JSON), st.lists(OPERATIONS | JSON, max_size=5) | JSON)
def test_any_patch_gives_a_resource_or_an_outcome(resource: dict[str, Any], patch: Any) -> None:
    before = copy.deepcopy((resource, patch))
    try:
        assert isinstance(json_patch.apply(resource, patch), dict)
    except FHIRError as error:
        assert error.status in {400, 413, 422}  # noqa: PT017
    assert repr((resource, patch)) == repr(before)


@given(JSON, JSON)
def test_what_is_added_is_found_and_can_be_removed(before: Any, value: Any) -> None:
    resource = {"a": before}
    added = json_patch.apply(resource, [{"op": "add", "path": "/b", "value": value}])
    assert json_patch.apply(added, [{"op": "test", "path": "/b", "value": value}]) == added
    assert json_patch.apply(added, [{"op": "remove", "path": "/b"}]) == resource
