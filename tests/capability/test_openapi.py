from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis

from capability.openapi import openapi
from capability.table import ROUTES, TABLE

Json = dict[str, Any]
METHODS = {"get", "head", "options", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi(base_url="http://127.0.0.1:8080/fhir", title="FHIR server", version="0.1.0")


def operations(document: Json) -> list[tuple[str, str, Json]]:
    return [(path, method, op) for path, item in document["paths"].items() for method, op in item.items()]


def resolved(document: Json, value: Json) -> Json:
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found


def names(document: Json, operation: Json) -> set[str]:
    return {resolved(document, each)["name"] for each in operation["parameters"]}


def test_is_an_openapi_document_that_a_fuzzer_can_read(document: Json) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    read = [type(each).__name__ for each in schema.get_all_operations()]
    assert read == ["Ok"] * len(operations(document))


def test_every_route_of_the_table_is_there_and_no_other(document: Json) -> None:
    documented = {
        (path.removeprefix("/fhir"), method.upper())
        for path, method, _ in operations(document)
        if path.startswith("/fhir") and method not in {"head", "options"}
    }
    routes = {(route.path, route.method) for route in ROUTES}
    of_a_type = {each for each in routes if each[0].startswith("/{type}")}
    binary = {(path.replace("{type}", "Binary"), method) for path, method in of_a_type}
    assert documented == routes | binary


def test_methods_are_those_of_the_allow_header(document: Json) -> None:
    for path, item in document["paths"].items():
        if path.startswith("/fhir"):
            template = path.removeprefix("/fhir").replace("/Binary", "/{type}")
            resource_type = "Patient" if "{type}" in template else None
            assert {method.upper() for method in item} == set(TABLE.methods(template, resource_type))


def test_the_types_in_a_path_are_those_that_take_the_interaction(document: Json) -> None:
    interaction = {(route.path, route.method): route.interaction for route in ROUTES}
    for path, method, operation in operations(document):
        if "{type}" not in path or method in {"head", "options"}:
            continue
        declared = [resolved(document, each) for each in operation["parameters"]]
        types = next(each for each in declared if each["name"] == "type")
        code = interaction[path.removeprefix("/fhir"), method.upper()]
        assert set(types["schema"]["enum"]) == {t for t in TABLE.types if TABLE.allows(t, code)} - {"Binary"}


def test_operations_have_names_of_their_own(document: Json) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere_and_every_path_variable_is_declared(document: Json) -> None:
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        assert resolved(document, {"$ref": reference})
    for path, _, operation in operations(document):
        declared = [resolved(document, each) for each in operation.get("parameters", ())]
        variables = {each["name"] for each in declared if each["in"] == "path"}
        assert variables == set(re.findall(r"{(\w+)}", path))
        assert all(each.get("required") for each in declared if each["in"] == "path")


def test_errors_are_operation_outcomes(document: Json) -> None:
    seen = set()
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            answer = resolved(document, response)
            if int(status) < 400 or not path.startswith("/fhir") or method == "options":
                continue
            seen.add(int(status))
            assert ("content" in answer) == (method != "head")
            for media in answer.get("content", {}).values():
                assert media["schema"] == {"$ref": "#/components/schemas/OperationOutcome"}
    assert seen == {400, 404, 405, 406, 409, 410, 412, 413, 415, 422, 503}


def test_answers_without_body_are_said_to_have_none(document: Json) -> None:
    for _, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if status in {"204", "304"} or method == "head":
                assert "content" not in resolved(document, response)


def test_preconditions_stand_where_they_are_read(document: Json) -> None:
    paths = document["paths"]
    assert "If-None-Exist" in names(document, paths["/fhir/{type}"]["post"])
    assert {"If-None-Match", "If-Modified-Since"} <= names(document, paths["/fhir/{type}/{id}"]["get"])
    assert {"If-Match", "If-None-Match", "Prefer"} <= names(document, paths["/fhir/{type}/{id}"]["put"])
    assert "If-Match" not in names(document, paths["/fhir/{type}"]["put"])
    assert {"_count", "_since", "_at"} <= names(document, paths["/fhir/_history"]["get"])
    common = {each.code for each in TABLE.common_search_parameters}
    assert common <= names(document, paths["/fhir/{type}"]["get"])
    assert common <= names(document, paths["/fhir/{type}"]["delete"])


def test_a_binary_also_travels_as_its_bytes(document: Json) -> None:
    paths = document["paths"]
    assert "*/*" in paths["/fhir/Binary"]["post"]["requestBody"]["content"]
    assert "*/*" in paths["/fhir/Binary/{id}"]["put"]["requestBody"]["content"]
    assert "*/*" in paths["/fhir/Binary/{id}"]["get"]["responses"]["200"]["content"]
    assert "X-Security-Context" in names(document, paths["/fhir/Binary"]["post"])
    assert "*/*" not in paths["/fhir/{type}"]["post"]["requestBody"]["content"]
    assert "*/*" not in paths["/fhir/Binary/_history"]["get"]["responses"]["200"]["content"]


def test_patches_come_in_both_formats(document: Json) -> None:
    content = document["paths"]["/fhir/{type}/{id}"]["patch"]["requestBody"]["content"]
    assert set(content) == {"application/json-patch+json", "application/fhir+json"}


def test_operators_find_health_and_metrics_outside_the_base(document: Json) -> None:
    assert set(document["paths"]["/health/ready"]["get"]["responses"]) == {"200", "503"}
    assert set(document["paths"]["/health/live"]["get"]["responses"]) == {"200"}
    assert "/metrics" in document["paths"]


@pytest.mark.parametrize(
    ("base_url", "server", "root"),
    [
        ("https://fhir.example.org", "https://fhir.example.org", "/"),
        ("https://example.org/a/r4", "https://example.org", "/a/r4"),
        ("http://[::1]:9000/fhir", "http://[::1]:9000", "/fhir"),
    ],
)
def test_paths_begin_with_the_path_of_the_base(base_url: str, server: str, root: str) -> None:
    document = openapi(base_url=base_url, title="t", version="v")
    assert document["servers"] == [{"url": server}]
    assert "post" in document["paths"][root]
    assert f"{root.rstrip('/')}/metadata" in document["paths"]


def test_stays_small(document: Json) -> None:
    assert len(json.dumps(document)) < 140_000
    assert set().union(*map(set, document["paths"].values())) == METHODS
