"""What the operations of the OpenAPI document have in common: parameters, schemas, error responses.

http://hl7.org/fhir/R4/http.html, http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from typing import Any

from capability.table import TABLE, Capability
from resources import registry

Json = dict[str, Any]

FHIR_JSON = ("application/fhir+json", "application/json")

HL7V2_TYPES = ("x-application/hl7-v2+er7", "application/hl7-v2", "text/plain")
"""Media types of messages of HL7 v2 in ER7, the encoding with bars"""
FEED_STATUSES = ("received", "retrying", "processed", "duplicate", "error", "rejected")
"""What can become of a message"""

_STRING: Json = {"type": "string"}
_ID: Json = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"}
_DATE = r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?"

DESCRIPTIONS = {
    200: "Done",
    201: "Stored as a new resource",
    202: "Begun, and going on",
    204: "Done, and there is nothing to answer",
    304: "What the client has is still current",
    400: "The request is malformed, or the resource breaks its definition",
    404: "There is no such type, resource, version or path",
    405: "The method is not possible here, see the header Allow",
    406: "The format asked for cannot be produced",
    409: "Lost against another write, or would break a reference",
    410: "The resource was deleted",
    412: "A precondition does not hold, or criteria match several resources",
    413: "Too large",
    415: "The media type or encoding of the body is not understood",
    422: "The resource breaks a rule",
    503: "The database or the audit trail cannot be reached; nothing was done",
}


def _query(name: str, text: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _header(name: str, text: str, schema: Json = _STRING) -> Json:
    return {"name": name, "in": "header", "description": text, "schema": schema}


def _path(name: str, text: str) -> Json:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": _ID}


_FORMATS = ["json", "application/json", "application/fhir+json"]
_SUMMARIES = ["true", "text", "data", "count", "false"]
_TAG = r'(W/)?"[A-Za-z0-9\-.]{1,64}"'
_ETAGS = {"type": "string", "pattern": rf"^(\*|{_TAG}(, ?{_TAG})*)$"}

_SORT = {"type": "string", "enum": ["_id", "-_id", "_lastUpdated", "-_lastUpdated"]}

_PARAMETERS: Json = {
    "id": _path("id", "Logical id"),
    "vid": _path("vid", "Version id"),
    "search": _query(
        "search", "A search as in a URL, below the base: Observation?code=718-7, escaped", {"type": "string"}
    ),
    "dryRun": _query("dryRun", "true: the Bundle that would be written, and nothing is", {"type": "boolean"}),
    "feed-id": _query("id", "Id of a message in the feed", _STRING),
    "feed-status": _query(
        "status",
        "What became of it; several with commas",
        {"type": "string", "enum": list(FEED_STATUSES)},
    ),
    "feed-sender": _query("sender", "MSH-3 and MSH-4 with a bar between: LAB|HOSP", _STRING),
    "feed-patient": _query("patient", "A number in PID-3, or Patient/id", _STRING),
    "feed-since": _query(
        "since", "Arrived at this instant or later", {"type": "string", "format": "date-time"}
    ),
    "feed-commit": _query(
        "commit", "true: replay; otherwise only what that would change", {"type": "boolean"}
    ),
    "_format": _query(
        "_format", "Media type of the answer; overrides Accept", {"type": "string", "enum": _FORMATS}
    ),
    "_pretty": _query("_pretty", "Indented, for people", {"type": "boolean"}),
    "_summary": _query("_summary", "Part of the elements", {"type": "string", "enum": _SUMMARIES}),
    "_elements": _query("_elements", "Elements to answer with, separated by commas", _STRING),
    "_count": _query(
        "_count", "Most entries of a page", {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    ),
    "_type": _query("_type", "Types that are searched, separated by commas", _STRING),
    "_include": _query("_include", "What comes along: [type]:[reference]:[target type], or *", _STRING),
    "_revinclude": _query(
        "_revinclude", "What refers to the matches: [type]:[reference]:[target type], or *", _STRING
    ),
    "_filter": _query("_filter", "Tests with and, or, not and parentheses", _STRING),
    "_total": _query(
        "_total", "Whether matches are counted", {"type": "string", "enum": ["none", "estimate", "accurate"]}
    ),
    "_sort": _query("_sort", "_id or _lastUpdated, with - for descending; several with commas", _SORT),
    "_cursor": _query("_cursor", "Place in a list, taken from a link of a Bundle", _STRING),
    "mode": _query(
        "mode", "What of the CapabilityStatement is wanted", {"type": "string", "enum": ["full", "normative"]}
    ),
    "_since": _query(
        "_since", "Versions made at this instant or later", {"type": "string", "format": "date-time"}
    ),
    "_at": _query("_at", "Versions current at this time", {"type": "string", "pattern": f"^{_DATE}$"}),
    "If-None-Match": _header(
        "If-None-Match", "ETags of what the client has, or *: nothing may be there", _ETAGS
    ),
    "If-Modified-Since": _header("If-Modified-Since", "HTTP date; 304 unless changed since"),
    "If-Match": _header("If-Match", "ETag of the version that is to be changed", _ETAGS),
    "If-None-Exist": _header(
        "If-None-Exist", "Criteria; only created if nothing matches: identifier=system|value"
    ),
    "Prefer": _header(
        "Prefer", "return=minimal, representation or OperationOutcome; handling=strict or lenient"
    ),
    "X-Request-Id": _header("X-Request-Id", "Name of this request in the logs and the audit trail"),
    "X-Security-Context": _header("X-Security-Context", "Reference to what decides who may see a Binary"),
    "_content": _query("_content", "Words anywhere in a resource, all that are given", _STRING),
    "_id": _query("_id", "Logical ids, separated by commas", _STRING),
    "_lastUpdated": _query(
        "_lastUpdated",
        "Date with prefix, as in ge2026-11",
        {"type": "string", "pattern": f"^(eq|ne|gt|lt|ge|le|sa|eb|ap)?{_DATE}$"},
    ),
    "_profile": _query("_profile", "Profile claimed in meta", _STRING),
    "_security": _query("_security", "Security label, system|code", _STRING),
    "_source": _query("_source", "Where it came from (meta.source)", _STRING),
    "_tag": _query("_tag", "Tag, system|code", _STRING),
}

SEARCH_PARAMETERS = [each.code for each in TABLE.common_search_parameters]
"""What every type is searched by; the others of a type stand in the CapabilityStatement."""


def parameter(name: str) -> Json:
    """A reference to one of the parameters."""
    return {"$ref": f"#/components/parameters/{name}"}


def components(table: Capability) -> Json:
    """The section `components`: everything that operations refer to."""
    types = {
        "type": _type("Resource type; Binary has paths of its own", table, "read"),
        "type-changed": _type("Resource type that clients may change", table, "update"),
    }
    owners = {"type": "string", "enum": list(table.compartments)}
    types["compartment"] = {**_path("compartment", "Type that has a compartment"), "schema": owners}
    return {"parameters": types | _PARAMETERS, "responses": responses(), "schemas": _schemas(table)}


def _type(text: str, table: Capability, interaction: str) -> Json:
    names = [name for name in table.types if name != "Binary" and table.allows(name, interaction)]
    return {**_path("type", text), "schema": {"type": "string", "enum": names}}


def responses() -> Json:
    """The error responses by status, each with an OperationOutcome."""
    return {
        str(status): {
            "description": text,
            "headers": headers(status),
            "content": fhir_content("OperationOutcome"),
        }
        for status, text in DESCRIPTIONS.items()
        if status >= 400
    }


def headers(status: int) -> Json:
    """The headers an answer may carry; X-Request-Id stands on each."""
    names = {
        201: ("ETag", "Last-Modified", "Location"),
        405: ("Allow",),
        410: ("ETag",),
        503: ("Retry-After",),
    }
    optional = names.get(status, ("ETag", "Last-Modified") if status < 400 else ())
    found: Json = {name: {"schema": _STRING} for name in optional}
    return {"X-Request-Id": {"required": True, "schema": _STRING}, **found}


def fhir_content(schema: str) -> Json:
    """A resource in the media types FHIR JSON is spoken in."""
    return {media: {"schema": {"$ref": f"#/components/schemas/{schema}"}} for media in FHIR_JSON}


def patch_content() -> Json:
    """JSON Patch (RFC 6902) or FHIRPath Patch.

    http://hl7.org/fhir/R4/http.html#patch
    """
    return {
        "application/json-patch+json": {"schema": {"$ref": "#/components/schemas/JsonPatch"}},
        "application/fhir+json": {"schema": {"$ref": "#/components/schemas/Parameters"}},
    }


def hl7v2_content() -> Json:
    """Messages, or the answers to them."""
    return {name: {"schema": _STRING} for name in HL7V2_TYPES}


def dicom_content() -> Json:
    """One instance, several, or a ZIP file of them."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    kinds = ("application/dicom", "multipart/related", "application/zip")
    return {**dict.fromkeys(kinds, binary), "application/dicom+json": {"schema": {"type": "array"}}}


def form_content() -> Json:
    """Search parameters as a form; those of the URL count as well."""
    fields = {name: _PARAMETERS[name]["schema"] for name in (*SEARCH_PARAMETERS, "_count", "_total")}
    return {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": fields}}}


def operator_paths() -> Json:
    """Health and metrics: what stands beside the FHIR base, for those who run the server."""
    status = {"application/json": {"schema": {"type": "object", "required": ["status"]}}}
    alive = {"description": "In order", "content": status}
    failing = {"description": "MongoDB cannot be reached", "content": status}
    exposition = {"description": "In Prometheus' text format", "content": {"text/plain": {"schema": _STRING}}}
    return {
        "/health/live": {"get": _operator("live", "Whether the process answers", {"200": alive})},
        "/health/ready": {"get": _operator("ready", "Whether it can work", {"200": alive, "503": failing})},
        "/metrics": {"get": _operator("metrics", "What Prometheus scrapes", {"200": exposition})},
    }


def _operator(name: str, summary: str, answers: Json) -> Json:
    return {"operationId": name, "summary": summary, "tags": ["operator"], "responses": answers}


def _resource(resource_type: str, required: list[str], properties: Json) -> Json:
    return {
        "type": "object",
        "required": ["resourceType", *required],
        "properties": {"resourceType": {"const": resource_type}, **properties},
    }


def _schemas(table: Capability) -> Json:
    issue = {
        "type": "object",
        "required": ["severity", "code"],
        "properties": {
            "severity": _bound("issue-severity"),
            "code": _bound("issue-type"),
            "diagnostics": _STRING,
            "expression": {"type": "array", "minItems": 1, "items": _STRING},
        },
    }
    entries = {"type": "array", "minItems": 1, "items": {"type": "object"}}
    request_bundle = {"type": {"enum": ["batch", "transaction"]}, "entry": entries}
    operation = {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": _STRING,
            "from": _STRING,
        },
    }
    return {
        "Resource": {
            "type": "object",
            "required": ["resourceType"],
            "properties": {"resourceType": {"enum": list(table.types)}},
        },
        "Bundle": _resource("Bundle", ["type"], {"type": _bound("bundle-type"), "entry": entries}),
        "RequestBundle": _resource("Bundle", ["type"], request_bundle),
        "OperationOutcome": _resource(
            "OperationOutcome", ["issue"], {"issue": {"type": "array", "minItems": 1, "items": issue}}
        ),
        "Parameters": _resource("Parameters", ["parameter"], {"parameter": entries}),
        "JsonPatch": {"type": "array", "items": operation},
    }


def _bound(value_set: str) -> Json:
    codes = registry.codes(f"http://hl7.org/fhir/ValueSet/{value_set}")
    return {"type": "string", "enum": sorted(codes)} if codes else _STRING
