"""The CapabilityStatement that `metadata` answers, generated from the table.

http://hl7.org/fhir/R4/capabilitystatement.html, http://hl7.org/fhir/R4/http.html#capabilities
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from capability.table import CLAIMED_OF_THE_SYSTEM, CLAIMED_OF_TYPES, TABLE, Capability, Operation
from resources.search_parameters import SearchParameter

Json = dict[str, Any]

FHIR_VERSION = "4.0.1"
SOFTWARE = "fhir-server"
FORMATS = ("application/fhir+json", "application/json", "json")
PATCH_FORMATS = ("application/json-patch+json", "application/fhir+json")
INSTANTIATES = ("http://hl7.org/fhir/CapabilityStatement/base",)
"""HL7's statement of all that R4 can do, of which this server implements what is listed below it.

A subset may be claimed so: http://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.instantiates
"""

LOOPBACK_ONLY = "No access control is configured: the server listens on the loopback interface only."

CONTROL_PARAMETERS = (
    ("_count", "number", "How many entries a page holds at most"),
    ("_elements", "string", "The elements to answer with, separated by commas"),
    ("_filter", "special", "Tests with and, or, not and parentheses"),
    ("_has", "string", "_has:[type]:[reference]:[parameter]: what something that refers here says"),
    ("_include", "string", "[type]:[reference]:[target type] or *, also with :iterate"),
    ("_revinclude", "string", "[type]:[reference]:[target type] or *, also with :iterate"),
    ("_sort", "string", "Parameters with an order, separated by commas, with - for descending"),
    ("_summary", "token", "true, text, data, count or false"),
    ("_total", "token", "none, estimate or accurate"),
    ("_type", "token", "The types to search, separated by commas, in a search over several"),
)
"""Parameters of a search that select nothing; R4 defines no SearchParameter for them.

http://hl7.org/fhir/R4/search.html#table
"""

_COMPARTMENTS = "http://hl7.org/fhir/CompartmentDefinition/"


def capability_statement(
    *,
    base_url: str,
    software_version: str,
    date: str,
    conditional_delete: Literal["single", "multiple"] = "single",
    update_create: bool = True,
    referential_integrity: bool = False,
    cors: bool = False,
    security: str = LOOPBACK_ONLY,
    description: str = "FHIR R4 server on MongoDB that writes an AuditEvent for each access",
    table: Capability = TABLE,
) -> Json:
    """What this server does, as CapabilityStatement of kind `instance`; each call gives one of its own.

    `base_url` has no slash at its end; `date` is a FHIR dateTime, when what is said here last changed.

    http://hl7.org/fhir/R4/capabilitystatement.html
    """
    policy = ["literal", "logical", *(["enforced"] if referential_integrity else [])]
    settings = _Settings(conditional_delete, update_create, policy, base_url)
    rest: Json = {
        "mode": "server",
        "security": {"cors": cors, "description": security},
        "resource": [_resource(table, name, settings) for name in table.types],
        "interaction": _codes(table.interactions(None), CLAIMED_OF_THE_SYSTEM),
        "searchParam": [*map(_parameter, table.common_search_parameters), *_control_parameters()],
    }
    rest["compartment"] = [_COMPARTMENTS + each[0].lower() + each[1:] for each in table.compartments]
    if operations := table.operations_of(None):
        rest["operation"] = _operations(operations, base_url)
    return {
        "resourceType": "CapabilityStatement",
        "url": f"{base_url}/metadata",
        "version": software_version,
        "name": "FHIRServer",
        "title": description,
        "status": "active",
        "date": date,
        "kind": "instance",
        "instantiates": list(INSTANTIATES),
        "software": {"name": SOFTWARE, "version": software_version},
        "implementation": {"description": description, "url": base_url},
        "fhirVersion": FHIR_VERSION,
        "format": list(FORMATS),
        "patchFormat": list(PATCH_FORMATS),
        "rest": [rest],
    }


@dataclass(frozen=True, slots=True)
class _Settings:
    """What of a resource's entry depends on how the server is set up."""

    conditional_delete: str
    update_create: bool
    reference_policy: list[str]
    base_url: str


def _resource(table: Capability, name: str, settings: _Settings) -> Json:
    allowed = table.interactions(name)
    entry: Json = {
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        "interaction": _codes(allowed, CLAIMED_OF_TYPES),
        "versioning": "versioned-update" if "update" in allowed else "versioned",
        "readHistory": "vread" in allowed,
        "updateCreate": "update" in allowed and settings.update_create,
        "conditionalCreate": "create" in allowed,
        "conditionalRead": "full-support" if "read" in allowed else "not-supported",
        "conditionalUpdate": "update" in allowed,
        "conditionalDelete": settings.conditional_delete if "delete" in allowed else "not-supported",
        "referencePolicy": list(settings.reference_policy),
        "searchInclude": list(table.includes(name)),
        "searchRevInclude": list(table.revincludes(name)),
        "searchParam": [_parameter(each) for each in table.search_parameters(name)],
    }
    if operations := table.operations_of(name):
        entry["operation"] = _operations(operations, settings.base_url)
    return {key: value for key, value in entry.items() if value != []}


def _codes(allowed: frozenset[str], order: tuple[str, ...]) -> list[Json]:
    return [{"code": code} for code in order if code in allowed]


def _parameter(parameter: SearchParameter) -> Json:
    return {"name": parameter.code, "definition": parameter.url, "type": parameter.type}


def _control_parameters() -> list[Json]:
    return [{"name": name, "type": kind, "documentation": text} for name, kind, text in CONTROL_PARAMETERS]


def _operations(operations: tuple[Operation, ...], base_url: str) -> list[Json]:
    return [
        {
            "name": each.name,
            "definition": base_url + each.definition if each.definition.startswith("/") else each.definition,
        }
        for each in operations
    ]
