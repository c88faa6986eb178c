from __future__ import annotations

import re
from typing import Any

import pytest

from capability.statement import capability_statement
from capability.table import TABLE, Capability, Operation
from resources import definitions, registry
from resources.fhirpath import compile_check
from resources.validation import validate

Json = dict[str, Any]

BASE = "http://127.0.0.1:8080/fhir"


def stated(**settings: Any) -> Json:
    date = "2026-11-20T14:00:00Z"
    return capability_statement(base_url=BASE, software_version="0.1.0", date=date, **settings)


@pytest.fixture(scope="module")
def statement() -> Json:
    return stated()


def by_type(statement: Json) -> dict[str, Json]:
    return {each["type"]: each for each in statement["rest"][0]["resource"]}


def codes(value_set: str) -> frozenset[str]:
    found = registry.codes(value_set)
    assert found
    return found


def test_says_what_it_is_and_where(statement: Json) -> None:
    assert statement["status"] == "active"
    assert statement["kind"] == "instance"
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["software"] == {"name": "fhir-server", "version": "0.1.0"}
    assert statement["implementation"]["url"] == BASE
    assert statement["instantiates"] == ["http://hl7.org/fhir/CapabilityStatement/base"]
    assert "application/fhir+json" in statement["format"]
    assert statement["patchFormat"] == ["application/json-patch+json", "application/fhir+json"]
    assert statement["rest"][0]["mode"] == "server"
    assert "loopback" in statement["rest"][0]["security"]["description"]


def test_claims_exactly_the_interactions_of_the_table(statement: Json) -> None:
    entries = by_type(statement)
    assert list(entries) == list(TABLE.types)
    for name, entry in entries.items():
        claimed = [each["code"] for each in entry["interaction"]]
        assert set(claimed) == TABLE.interactions(name) - {"operation"}  # which are claimed by their names
        assert len(claimed) == len(set(claimed))
    system = [each["code"] for each in statement["rest"][0]["interaction"]]
    assert system == ["transaction", "batch", "history-system", "search-system"]


def test_claims_what_may_be_included_and_the_compartments(statement: Json) -> None:
    """http://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.searchInclude"""
    patient = by_type(statement)["Patient"]
    assert patient["searchInclude"] == [
        "*", "Patient:general-practitioner", "Patient:link", "Patient:organization",
    ]  # fmt: skip
    assert {"Observation:patient", "Observation:subject", "Provenance:target"} <= set(
        patient["searchRevInclude"]
    )
    assert "Observation:encounter" not in patient["searchRevInclude"]
    assert "searchInclude" not in by_type(statement)["Binary"]
    assert statement["rest"][0]["compartment"] == [
        f"http://hl7.org/fhir/CompartmentDefinition/{name}"
        for name in ("device", "encounter", "patient", "practitioner", "relatedPerson")
    ]


def test_every_code_is_one_of_its_required_binding(statement: Json) -> None:
    valid = codes("http://hl7.org/fhir/ValueSet/type-restful-interaction")
    kinds = codes("http://hl7.org/fhir/ValueSet/search-param-type")
    policies = codes("http://hl7.org/fhir/ValueSet/reference-handling-policy")
    for entry in by_type(statement).values():
        assert {each["code"] for each in entry["interaction"]} <= valid
        assert {each["type"] for each in entry["searchParam"]} <= kinds
        assert set(entry["referencePolicy"]) <= policies


def test_claims_exactly_the_search_parameters_of_the_table(statement: Json) -> None:
    for name, entry in by_type(statement).items():
        claimed = [(p["name"], p["type"], p["definition"]) for p in entry["searchParam"]]
        assert claimed == [(p.code, p.type, p.url) for p in TABLE.search_parameters(name)]
        assert len({p["name"] for p in entry["searchParam"]}) == len(entry["searchParam"])  # cpb-12


def test_conditions_are_claimed_where_the_interaction_is(statement: Json) -> None:
    patient = by_type(statement)["Patient"]
    assert patient["versioning"] == "versioned-update"
    assert patient["readHistory"] is True
    assert patient["updateCreate"] is True
    assert patient["conditionalCreate"] is True
    assert patient["conditionalRead"] == "full-support"
    assert patient["conditionalUpdate"] is True
    assert patient["conditionalDelete"] == "single"
    audit = by_type(statement)["AuditEvent"]
    assert audit["versioning"] == "versioned"
    assert audit["conditionalRead"] == "full-support"
    assert audit["conditionalDelete"] == "not-supported"
    assert not audit["updateCreate"]
    assert audit["conditionalCreate"] is True
    assert not audit["conditionalUpdate"]


def test_settings_change_the_claim() -> None:
    statement = stated(
        conditional_delete="multiple",
        update_create=False,
        referential_integrity=True,
        cors=True,
        security="SMART",
    )
    patient = by_type(statement)["Patient"]
    assert patient["conditionalDelete"] == "multiple"
    assert patient["updateCreate"] is False
    assert patient["referencePolicy"] == ["literal", "logical", "enforced"]
    assert statement["rest"][0]["security"] == {"cors": True, "description": "SMART"}


def test_operations_are_claimed_where_they_are() -> None:
    everything = Operation(
        "everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything", "Patient", instance=True
    )
    export = Operation("export", "http://example.org/OperationDefinition/export", None, system=True)
    table = Capability(types=("Group", "Patient"), operations=(everything, export))
    statement = stated(table=table)
    entries = by_type(statement)
    assert entries["Patient"]["operation"] == [
        {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"}
    ]
    assert "operation" not in entries["Group"]
    assert [each["name"] for each in statement["rest"][0]["operation"]] == ["export"]


def test_two_calls_say_the_same_and_share_nothing() -> None:
    one, other = stated(), stated()
    assert one == other
    one["rest"][0]["resource"][0]["referencePolicy"].append("local")
    one["format"].clear()
    assert other == stated()


def test_its_name_can_be_used_by_machines(statement: Json) -> None:
    assert re.fullmatch("[A-Z][A-Za-z0-9_]{0,254}", statement["name"])  # cpb-0


def test_is_valid_by_the_servers_own_validator(statement: Json) -> None:
    assert [
        issue for issue in validate(statement) if "dom-6" not in issue.diagnostics
    ] == []  # it has no narrative


def broken(statement: Json) -> set[str]:
    """The keys of the constraints of R4 that do not hold."""
    rest = statement["rest"][0]
    parts = {"": [statement], ".rest": [rest], ".rest.resource": rest["resource"]}
    return {
        rule["key"]
        for path, elements in parts.items()
        for rule in definitions.read("invariants")["CapabilityStatement" + path]
        for element in elements
        if not compile_check(rule["expression"], "CapabilityStatement" + path)(element, statement)
    }


def test_keeps_the_constraints_of_the_standard(statement: Json) -> None:
    assert broken(statement) == set()


def test_the_constraints_can_be_broken() -> None:
    wrong = stated()
    wrong["rest"][0]["resource"][0]["searchParam"] *= 2
    wrong["rest"][0]["resource"].append(wrong["rest"][0]["resource"][1])
    del wrong["implementation"]
    assert broken(wrong) == {"cpb-9", "cpb-12", "cpb-14"}
