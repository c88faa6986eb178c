from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources import codec, registry, validation
from resources.outcome import FHIRError
from tests.resources.generated import mutated, resource

ORGANIZATION = {"resourceType": "Organization", "id": "o", "name": "Ward"}
NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}


def places(resource: Any, **options: Any) -> Any:
    issues = validation.validate(resource, **options)
    return [(issue.code, issue.expression[0]) for issue in issues if issue.severity == "error"]


def patient(**elements: Any) -> Any:
    return {"resourceType": "Patient", "text": NARRATIVE, **elements}


def bundle(*resources: Any) -> Any:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": each} for each in resources],
    }


def test_a_valid_resource_has_no_issue() -> None:
    assert validation.validate(patient(name=[{"family": "Čapek"}])) == []


def test_faults_of_contained_resources_are_seen_from_the_container() -> None:
    broken = {"resourceType": "Organization", "id": "o", "name": "x", "foo": 1}
    resource = patient(contained=[broken], managingOrganization={"reference": "#o"})
    assert places(resource) == [("structure", "Patient.contained[0].foo")]


def test_a_contained_resource_without_a_known_type() -> None:
    for child in ({"id": "x"}, {"resourceType": "Citation", "id": "x"}):
        found = places(patient(contained=[child], managingOrganization={"reference": "#x"}))
        assert [place for _, place in found] == ["Patient.contained[0]"]


def test_a_contained_resource_refers_to_its_sibling() -> None:
    child = {"resourceType": "Organization", "id": "p", "name": "x", "partOf": {"reference": "#o"}}
    assert places(patient(contained=[ORGANIZATION, child], managingOrganization={"reference": "#p"})) == []


def test_faults_of_entries_are_seen_from_the_bundle() -> None:
    deep = patient(contact=[{"name": {"family": ""}}])
    assert places(bundle(patient(), deep)) == [("value", "Bundle.entry[1].resource.contact[0].name.family")]
    assert places(bundle(bundle(deep))) == [
        ("value", "Bundle.entry[0].resource.entry[0].resource.contact[0].name.family")
    ]


def test_entries_may_be_left_alone_but_not_the_bundle() -> None:
    broken = bundle({"resourceType": "Patient", "foo": 1})
    assert places(broken, entries=False) == []
    assert places({**broken, "type": "bogus"}, entries=False) == [("code-invalid", "Bundle.type")]
    assert places({**broken, "entry": [{"foo": 1}]}, entries=False)[0] == ("structure", "Bundle.entry[0].foo")


def test_an_outcome_in_a_response_is_judged() -> None:
    entry = {"response": {"status": "200", "outcome": {"resourceType": "OperationOutcome"}}}
    resource = {"resourceType": "Bundle", "type": "batch-response", "entry": [entry]}
    assert places(resource) == [("required", "Bundle.entry[0].response.outcome.issue")]


def test_resources_in_parameters_and_their_parts() -> None:
    inner = {"name": "p", "resource": {"resourceType": "Patient", "foo": 1}}
    resource = {"resourceType": "Parameters", "parameter": [inner, {"name": "q", "part": [inner]}]}
    assert places(resource) == [
        ("structure", "Parameters.parameter[0].resource.foo"),
        ("structure", "Parameters.parameter[1].part[0].resource.foo"),
    ]


def test_constraints_are_judged_with_the_structure() -> None:
    period = {"start": "2020-01-02", "end": "2020-01-01"}
    assert places(patient(name=[{"period": period}])) == [("invariant", "Patient.name[0].period")]
    assert ("invariant", "Patient.name[0].period") in places(patient(gender="x", name=[{"period": period}]))


def test_birth_dates_are_compared_with_the_day_given() -> None:
    resource = patient(birthDate="2024-05-18")
    assert places(resource, today=dt.date(2024, 5, 18)) == []
    assert places(resource, today=dt.date(2024, 5, 17)) == [("business-rule", "Patient.birthDate")]


def test_by_default_it_is_today_where_the_day_begins_first() -> None:
    kiritimati = dt.datetime.now(dt.timezone(dt.timedelta(hours=14))).date()
    assert places(patient(birthDate=kiritimati.isoformat())) == []
    assert places(patient(birthDate=(kiritimati + dt.timedelta(days=2)).isoformat())) != []


def test_check_gives_warnings_and_raises_errors() -> None:
    address = {"country": "US", "state": "Texas"}
    (warning,) = validation.check(patient(address=[address]))
    assert warning.severity == "warning"
    with pytest.raises(FHIRError) as broken:
        validation.check(patient(address=[address], gender="x"))
    assert broken.value.status == 400
    assert len(broken.value.issues) == 2
    with pytest.raises(FHIRError) as ruled:
        validation.check(patient(birthDate="1800"))
    assert ruled.value.status == 422


def test_of_very_many_issues_the_errors_are_listed_first() -> None:
    plain = {"resourceType": "Basic", "code": {"text": "x"}}
    issues = validation.validate(bundle(*[plain] * validation.MAX_ISSUES, {**plain, "foo": 1}))
    assert issues[0].expression == (f"Bundle.entry[{validation.MAX_ISSUES}].resource.foo",)
    assert len(issues) == validation.MAX_ISSUES + 1
    assert issues[-1].code == "incomplete"


def test_half_a_surrogate_pair_is_refused() -> None:
    child = {**ORGANIZATION, "id": "\ud800"}
    found = places(patient(contained=[child], managingOrganization={"reference": "#\ud800"}))
    assert ("value", "Patient.contained[0].id") in found


def test_text_too_long_for_comparing_is_answered_at_once() -> None:
    assert places(patient(gender="x" * 1_000_000)) == [("code-invalid", "Patient.gender")]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["resourceType", "contained", "entry", "resource", "id", "name", "meta"]), inner
        )
    ),
    max_leaves=20,
)
HOLDERS = st.sampled_from(
    [("Patient", "contained"), ("Bundle", "entry"), ("Parameters", "parameter"), ("Observation", "subject")]
)


@given(HOLDERS, JSON)
def test_any_json_gets_issues_never_a_fault_of_ours(holder: Any, value: Any) -> None:
    name, element = holder
    issues = validation.validate({"resourceType": name, element: value})
    codec.encode([issue.to_json() for issue in issues])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(registry.resource_types())), st.integers(0, 2**32))
def test_a_resource_with_several_defects_gets_issues_never_a_fault_of_ours(name: str, seed: int) -> None:
    rng = random.Random(seed)
    changed = resource(name, rng)
    for _ in range(3):
        if len(changed) > 1:
            changed = mutated(changed, rng)
    codec.encode([issue.to_json() for issue in validation.validate(changed)])
