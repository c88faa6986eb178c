from __future__ import annotations

import pytest

from capability.table import ROUTES, SYSTEM_INTERACTIONS, TABLE, TYPE_INTERACTIONS, Capability, Operation
from resources import registry


def test_every_type_that_is_stored_is_there_and_nothing_else() -> None:
    assert len(TABLE.types) == 146
    assert set(TABLE.types) == registry.resource_types()
    assert list(TABLE.types) == sorted(TABLE.types)
    assert not {"Resource", "DomainResource"} & set(TABLE.types)
    assert {"Bundle", "Binary", "OperationOutcome", "Patient"} <= set(TABLE.types)


@pytest.mark.parametrize("resource_type", ["Patient", "Observation", "Binary", "Bundle", "Subscription"])
def test_a_type_takes_every_interaction(resource_type: str) -> None:
    assert TABLE.interactions(resource_type) == {
        "read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type",
    }  # fmt: skip


def test_audit_events_can_be_added_and_never_changed() -> None:
    assert TABLE.interactions("AuditEvent") == {
        "read", "vread", "search-type", "history-instance", "history-type", "create",
    }  # fmt: skip
    for write in ("update", "patch", "delete"):
        assert not TABLE.allows("AuditEvent", write)


def test_the_system_takes_its_own_interactions() -> None:
    assert TABLE.interactions(None) == {
        "capabilities",
        "transaction",
        "batch",
        "history-system",
        "search-system",
        "operation",
    }
    assert not TABLE.allows(None, "read")
    assert not TABLE.allows(None, "search-type")


@pytest.mark.parametrize("unknown", ["patient", "Resource", "DomainResource", "Nonsense", ""])
def test_a_type_that_is_not_stored_takes_nothing(unknown: str) -> None:
    assert TABLE.interactions(unknown) == frozenset()
    assert not TABLE.allows(unknown, "read")
    assert TABLE.methods("/{type}", unknown) == ()
    assert TABLE.search_parameters(unknown) == ()


def test_each_claimed_interaction_has_a_route_and_each_route_is_claimed() -> None:
    assert {route.interaction for route in ROUTES} == TYPE_INTERACTIONS | SYSTEM_INTERACTIONS


def test_a_route_is_one_interaction_except_where_the_bundle_type_decides() -> None:
    seen: dict[tuple[str, str], str] = {}
    for route in ROUTES:
        other = seen.setdefault((route.method, route.path), route.interaction)
        assert {other, route.interaction} <= {"transaction", "batch"} or other == route.interaction
    assert len(seen) == len(ROUTES) - 1


@pytest.mark.parametrize(
    ("path", "resource_type", "methods"),
    [
        ("", None, ("GET", "HEAD", "OPTIONS", "POST")),
        ("/_search", None, ("OPTIONS", "POST")),
        ("/{compartment}/{id}/{type}", "Observation", ("GET", "HEAD", "OPTIONS")),
        ("/{compartment}/{id}/*/_search", None, ("OPTIONS", "POST")),
        ("/metadata", None, ("GET", "HEAD", "OPTIONS")),
        ("/_history", None, ("GET", "HEAD", "OPTIONS")),
        ("/{type}", "Patient", ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")),
        ("/{type}", "AuditEvent", ("GET", "HEAD", "OPTIONS", "POST")),
        ("/{type}/_search", "AuditEvent", ("OPTIONS", "POST")),
        ("/{type}/{id}", "Patient", ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT")),
        ("/{type}/{id}", "AuditEvent", ("GET", "HEAD", "OPTIONS")),
        ("/{type}/{id}/_history/{vid}", "Patient", ("GET", "HEAD", "OPTIONS")),
        ("/{type}/{id}", None, ()),
        ("/nowhere", "Patient", ()),
    ],
)
def test_methods_are_what_the_allow_header_says(
    path: str, resource_type: str | None, methods: tuple[str, ...]
) -> None:
    assert TABLE.methods(path, resource_type) == methods


def test_compartments_hold_what_their_definitions_say() -> None:
    """http://hl7.org/fhir/R4/compartmentdefinition.html"""
    assert list(TABLE.compartments) == ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"]
    assert {"Patient", "Observation", "AuditEvent"} <= set(TABLE.compartments["Patient"])
    assert "Organization" not in TABLE.compartments["Patient"]


def test_search_parameters_are_those_of_the_type_and_of_every_type() -> None:
    by_code = {p.code: p for p in TABLE.search_parameters("Observation")}
    assert by_code["code"].type == "token"
    assert by_code["code"].url == "http://hl7.org/fhir/SearchParameter/clinical-code"
    assert by_code["_lastUpdated"].url == "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated"
    assert list(by_code) == sorted(by_code)
    assert [p.code for p in TABLE.common_search_parameters] == [
        "_content", "_id", "_lastUpdated", "_profile", "_security", "_source", "_tag",
    ]  # fmt: skip
    assert [p.code for p in TABLE.search_parameters("Binary")] == [
        p.code for p in TABLE.common_search_parameters
    ]


def test_what_this_release_cannot_search_is_not_claimed() -> None:
    kinds = {p.type for name in TABLE.types for p in TABLE.search_parameters(name)}
    assert kinds == {
        "number",
        "quantity",
        "composite",
        "special",
        "token",
        "reference",
        "string",
        "date",
        "uri",
    }
    observation = {p.code for p in TABLE.search_parameters("Observation")}
    assert "_query" not in observation
    assert "_text" in observation
    assert "_text" not in {p.code for p in TABLE.search_parameters("Binary")}
    assert "near" in {p.code for p in TABLE.search_parameters("Location")}


def test_operations_belong_to_their_type_or_to_the_system() -> None:
    everything = Operation("everything", "http://example.org/everything", "Patient", instance=True)
    export = Operation("export", "http://example.org/export", None, system=True)
    table = Capability(types=("Patient",), operations=(everything, export))
    assert table.operations_of("Patient") == (everything,)
    assert table.operations_of(None) == (export,)
    assert [each.name for each in TABLE.operations_of(None)] == [
        "reindex", "reindex-status", "explain", "process-hl7v2", "process-dicom", "feed", "feed-message", "feed-replay",
    ]  # fmt: skip
    assert [each.name for each in TABLE.operations if each.admin] == ["feed", "feed-message", "feed-replay"]
