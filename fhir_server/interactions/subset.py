"""How much of a result the caller wants: `_summary` and `_elements`, for requests and Bundle entries alike.

http://hl7.org/fhir/R4/search.html#summary, http://hl7.org/fhir/R4/search.html#elements
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.search.include_syntax import is_include
from resources import registry, summary

if TYPE_CHECKING:
    from fhir_server.context import FhirRequest
    from resources.codec import Json

SEARCHES = {"search-type", "search-system"}
LISTS = SEARCHES | {"history-instance", "history-type", "history-system", "batch", "transaction"}
"""Interactions whose result holds the resources that are cut down"""


def check(request: FhirRequest) -> None:
    """400 where `_summary` or `_elements` cannot be done; asked before anything is."""
    mode = request.parameter("_summary")
    if mode is not None and not _counts(request, mode):
        summary.check_summary(mode)
    names = request.parameter("_elements")
    if names is not None:
        summary.check_elements(_split(names), _types(request))


def subset(request: FhirRequest, resource: Json) -> Json:
    """The resource, or those in the Bundle that answers a search, as far as the caller wants them."""
    mode, names = request.parameter("_summary"), request.parameter("_elements")
    if resource["resourceType"] == "OperationOutcome" or (mode is not None and _counts(request, mode)):
        return resource
    inside = request.interaction in LISTS
    if mode is not None:
        resource = summary.apply_summary(resource, mode, inside=inside)
    if names is not None:
        resource = summary.apply_elements(resource, _split(names), inside=inside)
    return resource


def _counts(request: FhirRequest, mode: str) -> bool:
    return mode == "count" and request.interaction in SEARCHES


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _types(request: FhirRequest) -> frozenset[str]:
    """The types whose elements may be named; includes bring others along."""
    if any(is_include(name) for name, _ in request.query):
        return registry.resource_types()
    if request.resource_type is not None:
        return frozenset({request.resource_type})
    return (
        frozenset({"CapabilityStatement"})
        if request.interaction == "capabilities"
        else registry.resource_types()
    )
