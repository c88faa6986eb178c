"""The OpenAPI 3.1 document, generated from the table.

Types are an enumeration in the path, so that the document says in 20 paths what 146 types would say in 1,800;
Binary has paths of its own, because it also travels as the bytes it holds.

https://spec.openapis.org/oas/v3.1.0, http://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from capability import openapi_components as components
from capability.table import CHANGES, TABLE, Capability, Route

Json = dict[str, Any]

_SUMMARIES = {
    "capabilities": "What this server does",
    "transaction": "Carry out a Bundle: all entries (transaction) or each for itself (batch)",
    "history-system": "Versions of all resources, newest first",
    "search-system": "Find resources of several types",
    "search-type": "Find resources of a type",
    "create": "Store a new resource",
    "update": "Store a resource under its id",
    "patch": "Change parts of a resource",
    "delete": "Delete a resource; its versions can still be read",
    "history-type": "Versions of all resources of a type, newest first",
    "read": "The current version of a resource",
    "history-instance": "Versions of a resource, newest first",
    "vread": "One version of a resource",
    "$reindex": "Make the search values of stored resources anew",
    "$reindex-status": "How far the reindex is",
    "$explain": "What a search asks of the database, and what that costs",
    "$process-hl7v2": "Take HL7 v2 messages: stored, mapped to FHIR, acknowledged",
    "$process-dicom": "Take instances of DICOM: kept, and folded into their ImagingStudy",
    "$instances": "Instances of an ImagingStudy in portions",
    "$feed": "HL7 v2 messages and what became of them, newest first",
    "$feed-message": "One HL7 v2 message: as it came in, taken apart, and what became of it",
    "$feed-replay": "What messages would change now; with commit=true they do",
}

_READ = (200, 400, 404, 406, 503)
_WRITE = (200, 400, 404, 405, 406, 409, 412, 413, 415, 422, 503)

_STATUSES = {
    "capabilities": (200, 304, 400, 406, 503),
    "transaction": (*_WRITE, 410),
    "history-system": (200, 400, 406, 503),
    "search-system": _READ,
    "search-type": _READ,
    "create": (*_WRITE, 201),
    "update": (*_WRITE, 201),
    "patch": (*_WRITE, 410),
    "delete": (200, 204, 400, 404, 405, 406, 409, 412, 503),
    "history-type": _READ,
    "read": (*_READ, 304, 410),
    "history-instance": _READ,
    "vread": (*_READ, 304, 410),
    "$reindex": (202, 400, 406, 413, 415, 503),
    "$reindex-status": (200, 400, 406, 503),
    "$explain": _READ,
    "$process-hl7v2": (200, 204, 400, 406, 413, 415, 422, 503),
    "$process-dicom": (200, 400, 406, 409, 413, 415, 503),
    "$instances": (*_READ, 410),
    "$feed": _READ,
    "$feed-message": _READ,
    "$feed-replay": (200, 400, 404, 406, 413, 415, 503),
}

_READ_PARAMETERS = ("_format", "_pretty", "_summary", "_elements", "If-None-Match", "If-Modified-Since")
_HISTORY_PARAMETERS = ("_count", "_since", "_at", "_cursor", "_format", "_pretty", "_summary", "_elements")

_SEARCH_PARAMETERS = (
    "_include",
    "_revinclude",
    "_filter",
    "_count",
    "_sort",
    "_total",
    "_cursor",
    "_format",
    "_pretty",
    "_summary",
    "_elements",
    "Prefer",
)

_FEED_FILTERS = ("feed-status", "feed-sender", "feed-patient", "feed-since")

_PARAMETERS: dict[str, tuple[str, ...]] = {
    "capabilities": ("mode", "_format", "_pretty", "_summary", "_elements", "If-None-Match"),
    "transaction": ("Prefer", "_format", "_pretty"),
    "history-system": _HISTORY_PARAMETERS,
    "search-system": ("_type", *_SEARCH_PARAMETERS),
    "search-type": _SEARCH_PARAMETERS,
    "create": ("If-None-Exist", "Prefer", "_format", "_pretty"),
    "update": ("If-Match", "If-None-Match", "Prefer", "_format", "_pretty"),
    "patch": ("If-Match", "Prefer", "_format", "_pretty"),
    "delete": ("If-Match", "Prefer", "_format", "_pretty"),
    "history-type": _HISTORY_PARAMETERS,
    "read": _READ_PARAMETERS,
    "history-instance": _HISTORY_PARAMETERS,
    "vread": _READ_PARAMETERS,
    "$reindex": ("_format", "_pretty"),
    "$reindex-status": ("_format", "_pretty"),
    "$explain": ("search", "_format", "_pretty"),
    "$process-hl7v2": ("dryRun", "_format", "_pretty"),
    "$process-dicom": ("dryRun", "_format", "_pretty"),
    "$instances": ("_count", "_cursor", "_format", "_pretty"),
    "$feed": (*_FEED_FILTERS, "_count", "_cursor", "_format", "_pretty"),
    "$feed-message": ("feed-id", "_format", "_pretty"),
    "$feed-replay": ("feed-id", *_FEED_FILTERS, "feed-commit", "_format", "_pretty"),
}

_BUNDLES = frozenset(
    {"transaction", "history-system", "search-system", "search-type", "history-type", "history-instance"}
)
_SEARCHES = frozenset({"search-type", "search-system"})
_NO_BODY = frozenset({204, 304})


def openapi(*, base_url: str, title: str, version: str, table: Capability = TABLE) -> Json:
    """The OpenAPI 3.1 document of the server whose FHIR base is `base_url`; paths begin with that URL's path.

    http://hl7.org/fhir/R4/http.html
    """
    url = urlsplit(base_url)
    base = url.path.rstrip("/")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"{url.scheme}://{url.netloc}"}],
        "paths": {**_fhir_paths(table, base), **components.operator_paths()},
        "components": components.components(table),
    }


def _fhir_paths(table: Capability, base: str) -> Json:
    paths: Json = {}
    for route in table.routes:
        if route.interaction == "batch":  # shares its route with transaction
            continue
        if route.path.startswith("/{type}"):
            _add(paths, base, route.path.replace("{type}", "Binary"), route)
        _add(paths, base, route.path, route)
    return paths


def _add(paths: Json, base: str, path: str, route: Route) -> None:
    item = paths.setdefault(base + path or "/", {})
    operation = _operation(route, path)
    item[route.method.lower()] = operation
    if route.method == "GET":
        item["head"] = _head(operation)
    item.setdefault("options", _options(path))


def _operation(route: Route, path: str) -> Json:
    binary = path.startswith("/Binary")
    operation: Json = {
        "operationId": _name(route, path),
        "summary": _SUMMARIES[_asked(route)],
        "tags": [_tag(path)],
        "parameters": _path_parameters(path, changed=route.interaction in CHANGES)
        + _parameters(route, binary=binary),
        "responses": _responses(route, path),
    }
    if body := _request_body(route, binary=binary):
        operation["requestBody"] = body
    return operation


def _asked(route: Route) -> str:
    """The interaction, or the operation with its `$`."""
    return f"${route.path.rpartition('$')[2]}" if route.interaction == "operation" else route.interaction


def _name(route: Route, path: str) -> str:
    parts = [_asked(route).lstrip("$"), *(["conditional"] if route.conditional else [])]
    parts += ["compartment"] if "{compartment}" in path else []
    parts += ["post"] if path.endswith("_search") else []
    parts += ["Binary"] if path.startswith("/Binary") else []
    return "-".join(parts)


def _tag(path: str) -> str:
    if path.startswith("/Binary"):
        return "Binary"
    if "{compartment}" in path:
        return "compartments"
    return "types" if "{type}" in path or "{id}" in path else "system"


def _path_parameters(path: str, *, changed: bool = False) -> list[Json]:
    names = [name for name in ("compartment", "type", "id", "vid") if f"{{{name}}}" in path]
    return [components.parameter("type-changed" if changed and name == "type" else name) for name in names]


def _parameters(route: Route, *, binary: bool) -> list[Json]:
    names = list(_PARAMETERS[_asked(route)])
    if route.conditional:
        names = [name for name in names if name not in {"If-Match", "If-None-Match"}]
    if route.conditional or (route.interaction in _SEARCHES and route.method == "GET"):
        names += components.SEARCH_PARAMETERS
    if binary and route.interaction in {"create", "update"}:
        names.append("X-Security-Context")
    return [components.parameter(name) for name in [*names, "X-Request-Id"]]


def _responses(route: Route, path: str) -> Json:
    statuses = set(_STATUSES[_asked(route)])
    if route.method == "POST" and route.interaction in _SEARCHES:
        statuses |= {413, 415}
    return {str(status): _response(route, path, status) for status in sorted(statuses)}


def _response(route: Route, path: str, status: int) -> Json:
    if status >= 400:
        return {"$ref": f"#/components/responses/{status}"}
    answer: Json = {"description": components.DESCRIPTIONS[status], "headers": components.headers(status)}
    if status in _NO_BODY:
        return answer
    schema = "Bundle" if route.interaction in _BUNDLES else "Resource"
    answer["content"] = components.fhir_content(schema)
    if route.path == "/$process-hl7v2":
        answer["content"] |= components.hl7v2_content()
    if path.startswith("/Binary/") and route.interaction in {"read", "vread"}:
        answer["content"]["*/*"] = {"schema": {}}
    return answer


def _request_body(route: Route, *, binary: bool) -> Json | None:
    if route.interaction in _SEARCHES:
        content = components.form_content() if route.method == "POST" else None
    elif route.interaction == "patch":
        content = components.patch_content()
    elif route.interaction == "transaction":
        content = components.fhir_content("RequestBundle")
    elif route.interaction in {"create", "update"}:
        content = components.fhir_content("Resource")
        if binary:
            content["*/*"] = {"schema": {}}
    elif route.path == "/$process-hl7v2":
        content = components.hl7v2_content()
    elif route.path == "/$process-dicom":
        content = components.dicom_content()
    else:
        content = None
    return None if content is None else {"required": route.interaction not in _SEARCHES, "content": content}


def _head(operation: Json) -> Json:
    """The same answer without its body."""
    responses = {}
    for status, answer in operation["responses"].items():
        known = components.responses()[status] if "$ref" in answer else answer
        responses[status] = {name: value for name, value in known.items() if name != "content"}
    return {**operation, "operationId": "head-" + operation["operationId"], "responses": responses}


def _options(path: str) -> Json:
    headers = {"Allow": {"description": "The methods possible here", "schema": {"type": "string"}}}
    return {
        "operationId": "options" + path.replace("/", "-").replace("{", "").replace("}", ""),
        "summary": "The methods possible here",
        "tags": [_tag(path)],
        "parameters": _path_parameters(path),
        "responses": {
            "204": {"description": "See the header Allow", "headers": headers},
            "404": {"description": components.DESCRIPTIONS[404]},
        },
    }
