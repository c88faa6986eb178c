"""Chains, `_has` and includes without HTTP: what is asked of the database, and what access control does to it.

http://hl7.org/fhir/R4/search.html#chaining, http://hl7.org/fhir/R4/search.html#has
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fhir_server.search import include, joins
from fhir_server.search.ask import Access, everything
from fhir_server.search.clauses import parse
from fhir_server.search.query import filter_of
from fhir_server.search.site import Condition
from resources.outcome import FHIRError
from tests.search.conftest import SITE, Shelf
from tests.search.driving import Driver

Shelves = Mapping[str, Shelf]

PATIENT = {"subject": {"reference": "Patient/a"}}


@pytest.fixture(scope="module", autouse=True)
def resources(shelves: Shelves) -> None:
    shelves["Organization"].put(
        {"id": "x", "name": "Open"}, {"id": "y", "name": "Closed", "partOf": {"reference": "Organization/x"}}
    )
    shelves["Patient"].put(
        {"id": "a", "gender": "male", "managingOrganization": {"reference": "Organization/x"}},
        {"id": "b", "gender": "male", "managingOrganization": {"reference": "Organization/y"}},
    )
    shelves["Observation"].put(
        {"id": "1", "status": "final", "subject": {"reference": "Patient/a"}},
        {"id": "2", "status": "final", "subject": {"reference": "Patient/b"}},
        {"id": "3", "status": "amended", "subject": {"reference": "Patient/b"}},
        {
            "id": "4",
            "status": "final",
            "subject": {"reference": "Patient/a"},
            "hasMember": [{"reference": "Observation/3"}],
        },
    )


def find(
    shelves: Shelves, resource_type: str, name: str, value: str, access: Access = everything
) -> list[str]:
    search = parse(resource_type, [(name, value)])
    joined = Driver(shelves).planned(joins.conditions(search, SITE, access))
    filter_ = filter_of(search, SITE, extra=access(resource_type), joined=joined)
    return sorted(each["_id"] for each in shelves[resource_type].collection.find(filter_, {"_id": 1}))


def without(resource_type: str, logical_id: str) -> Access:
    """May see all but this one resource."""

    def access(asked: str) -> Sequence[Condition]:
        return [{"_id": {"$ne": logical_id}}] if asked == resource_type else []

    return access


CASES = [
    ("Observation", "subject:Patient.gender", "male", ["1", "2", "3", "4"]),
    ("Observation", "patient.organization.name", "closed", ["2", "3"]),
    ("Observation", "patient.organization.partof.name", "open", ["2", "3"]),
    ("Patient", "_has:Observation:patient:status", "amended", ["b"]),
    ("Patient", "_has:Observation:patient:_has:Observation:has-member:status", "final", ["b"]),
    ("Organization", "_has:Patient:organization:_has:Observation:patient:status", "amended", ["y"]),
    (
        "Patient",
        "_filter",
        "_has:Observation:patient:status eq amended or organization.name eq open",
        ["a", "b"],
    ),
]


@pytest.mark.parametrize(("resource_type", "name", "value", "found"), CASES)
def test_joins_are_followed(
    shelves: Shelves, resource_type: str, name: str, value: str, found: list[str]
) -> None:
    assert find(shelves, resource_type, name, value) == found


@pytest.mark.parametrize(
    ("asked", "hidden", "found"),
    [
        # what may not be seen leads nowhere, at whatever level it stands
        (("Observation", "patient.organization.name", "closed"), ("Organization", "y"), []),
        (("Observation", "patient.organization.name", "closed"), ("Patient", "b"), []),
        (("Observation", "patient.organization.name", "closed"), ("Observation", "2"), ["3"]),
        (("Observation", "patient.organization.partof.name", "open"), ("Organization", "y"), []),
        (("Patient", "_has:Observation:patient:status", "amended"), ("Observation", "3"), []),
        (
            ("Patient", "_has:Observation:patient:_has:Observation:has-member:status", "final"),
            ("Observation", "4"),
            [],
        ),
        (("Organization", "_has:Patient:organization:gender", "male"), ("Patient", "a"), ["y"]),
        (("Patient", "_filter", "organization.name eq open"), ("Organization", "x"), []),
        (("Patient", "_filter", "not(organization.name eq open)"), ("Organization", "x"), ["a", "b"]),
    ],
)
def test_access_is_heeded_at_every_level(
    shelves: Shelves, asked: tuple[str, str, str], hidden: tuple[str, str], found: list[str]
) -> None:
    assert find(shelves, *asked, without(*hidden)) == found


@pytest.mark.parametrize(
    ("query", "hidden", "found"),
    [
        (("_include", "Observation:subject"), ("Patient", "b"), ["a"]),
        (("_include", "Observation:subject"), ("Patient", "c"), ["a", "b"]),
        (("_revinclude", "Observation:has-member"), ("Observation", "4"), []),
        (("_revinclude", "Observation:has-member"), ("Observation", "1"), ["4"]),
    ],
)
def test_access_is_heeded_by_includes(
    shelves: Shelves, query: tuple[str, str], hidden: tuple[str, str], found: list[str]
) -> None:
    search = parse("Observation", [query])
    matches = [
        ("Observation", each)
        for each in shelves["Observation"].collection.find({"_id": {"$in": ["1", "2", "3"]}})
    ]
    driver = Driver(shelves)
    included = driver.planned(include.included(search.includes, matches, without(*hidden)))
    assert [each["_id"] for _, each in included.documents] == found
    assert len(driver.levels) == 1


def test_a_level_asks_each_type_once(shelves: Shelves) -> None:
    """At most one question for each level and type, however many includes lead there."""
    names = ["Observation:subject", "Observation:patient", "Observation:performer", "Observation:*"]
    search = parse("Observation", [*(("_include", name) for name in names), ("_include:iterate", "Patient:organization"),
                                   ("_revinclude", "Observation:has-member")])  # fmt: skip
    matches = [
        ("Observation", each) for each in shelves["Observation"].collection.find({"_id": {"$in": ["1", "2"]}})
    ]
    driver = Driver(shelves)
    included = driver.planned(include.included(search.includes, matches, everything))
    assert [[ask.resource_type for ask in level] for level in driver.levels] == [
        ["Observation", "Patient"],
        ["Organization"],
    ]
    assert [each["_id"] for _, each in included.documents] == ["a", "b", "x", "y"]


def test_branches_share_what_they_look_up(shelves: Shelves) -> None:
    """A chain over types of every kind asks for each type once at each step, and no more."""
    search = parse("Observation", [("focus.encounter.subject:Patient.gender", "male")])
    driver = Driver(shelves)
    driver.planned(joins.conditions(search, SITE, everything))
    asked = [
        ask.resource_type for level in driver.levels for ask in level if ":contained" not in str(ask.filter)
    ]
    assert asked.count("Patient") == 1
    assert asked.count("Encounter") == 1


def test_ids_only_are_looked_up(shelves: Shelves) -> None:
    search = parse("Observation", [("subject:Patient.gender", "male")])
    driver = Driver(shelves)
    driver.planned(joins.conditions(search, SITE, everything))
    ((ask, within),) = driver.levels
    assert (ask.resource_type, within.resource_type) == ("Patient", "Observation")
    assert ask.projection == within.projection == {"_id": 1}
    assert ask.limit == within.limit == joins.MOST_JOINED + 1


@pytest.mark.parametrize(
    ("resource_type", "name"),
    [("Observation", "patient.gender"), ("Patient", "_has:Observation:patient:status")],
)
def test_what_leads_over_too_many_is_refused(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch, resource_type: str, name: str
) -> None:
    value = "male" if resource_type == "Observation" else "final"
    monkeypatch.setattr(joins, "MOST_JOINED", 2)
    assert find(shelves, resource_type, name, value)
    monkeypatch.setattr(joins, "MOST_JOINED", 1)
    with pytest.raises(FHIRError, match=f"'{name}': it leads over more than 1 ") as refused:
        find(shelves, resource_type, name, value)
    assert (refused.value.status, refused.value.issues[0].code) == (400, "too-costly")


def test_a_search_whose_joins_are_not_resolved_cannot_be_planned() -> None:
    """It would find too much."""
    with pytest.raises(ValueError, match="joins"):
        filter_of(parse("Observation", [("patient.gender", "male")]), SITE)
