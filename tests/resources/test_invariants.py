"""The R4 constraints: each important one met and broken, the place it is told for, and large input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import definitions, registry
from resources.codec import decode, encode
from resources.fhirpath import compile_check, general
from resources.invariant_facts import CORRECTED, WORDS
from resources.invariants import NATIVE, constraints, violations

Json = dict[str, Any]

CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[2] / ".." / "shared" / "corpus"))
UCUM = "http://unitsofmeasure.org"
VERIFICATION = {
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
}


def broken(resource: Json) -> list[tuple[str, str]]:
    """The keys and places of all broken constraints but that a narrative is missing."""
    found = violations(resource)
    if b'xtension":' not in encode(resource):
        assert violations(resource, extensions=False) == found
    told = [
        (issue.diagnostics.split(":")[0].removeprefix("Constraint "), issue.expression[0]) for issue in found
    ]
    return [(key, place) for key, place in told if key != "dom-6"]


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def of(resource_type: str, /, **members: Any) -> Json:
    return {"resourceType": resource_type, **members}


def bundle(kind: str, *entries: Json, **members: Any) -> Json:
    return of("Bundle", type=kind, entry=list(entries), **members)


def timing(**repeat: Any) -> Json:
    return of("ServiceRequest", occurrenceTiming={"repeat": repeat})


def extended(kind: str, **value: Any) -> Json:
    return of("Basic", extension=[{"url": "urn:x", f"value{kind}": value}])


def entered_in_error(kind: str) -> Json:
    return concept(VERIFICATION[kind], "entered-in-error")


ACTIVE = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active")
RESOLVED = concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")
PROBLEM = concept("http://terminology.hl7.org/CodeSystem/condition-category", "problem-list-item")
HEART_RATE = concept("http://loinc.org", "8867-4")
SYSTOLIC = concept("http://loinc.org", "8480-6")
POST: Json = {"method": "POST", "url": "Patient"}
NAMED: Json = {"identifier": {"system": "urn:x", "value": "1"}, "timestamp": "2020-01-01T00:00:00Z"}
ITEM = "Questionnaire.item[0]"
REPEAT = "ServiceRequest.occurrence.repeat"
VALUE = "Basic.extension[0].value"

CASES: list[tuple[str, str, Json, Json]] = [
    # key, place, kept, broken
    (
        "per-1",
        "Patient.name[1].period",
        of("Patient", name=[{}, {"period": {"start": "2012-05", "end": "2012-05-01"}}]),
        of("Patient", name=[{}, {"period": {"start": "2012-05", "end": "2012-04-30"}}]),
    ),
    (
        "per-1",
        VALUE,
        extended("Period", start="2012-01-01T00:30:00+01:00", end="2011-12-31T23:45:00Z"),
        extended("Period", start="2012-01-01T00:30:00+01:00", end="2011-12-31T23:15:00Z"),
    ),
    (
        "qty-3",
        "Observation.component[1].value",
        of("Observation", component=[{}, {"valueQuantity": {"code": "mg", "system": UCUM}}]),
        of("Observation", component=[{}, {"valueQuantity": {"code": "mg"}}]),
    ),
    (
        "pat-1",
        "Patient.contact[0]",
        of("Patient", contact=[{"organization": {"display": "x"}}]),
        of("Patient", contact=[{"gender": "male"}]),
    ),
    (
        "obs-3",
        "Observation.component[0].referenceRange[0]",
        of("Observation", component=[{"referenceRange": [{"text": "x"}]}]),
        of("Observation", component=[{"referenceRange": [{"age": {}}]}]),
    ),
    (
        "obs-6",
        "Observation",
        of("Observation", dataAbsentReason={"text": "x"}),
        of("Observation", dataAbsentReason={"text": "x"}, valueString="y"),
    ),
    (
        "obs-7",
        "Observation",
        of("Observation", code=HEART_RATE, valueString="x", component=[{"code": SYSTOLIC}]),
        of(
            "Observation",
            code=HEART_RATE,
            valueString="x",
            component=[{"code": SYSTOLIC}, {"code": HEART_RATE}],
        ),
    ),
    ("bdl-1", "Bundle", of("Bundle", type="searchset", total=0), of("Bundle", type="collection", total=0)),
    (
        "bdl-2",
        "Bundle",
        bundle("searchset", {"resource": {}, "search": {}}),
        bundle("collection", {"resource": {}, "search": {}}),
    ),
    ("bdl-3", "Bundle", bundle("batch", {"request": POST}), bundle("batch", {"resource": {}})),
    ("bdl-3", "Bundle", bundle("collection", {"resource": {}}), bundle("collection", {"request": POST})),
    (
        "bdl-4",
        "Bundle",
        bundle("batch-response", {"response": {"status": "200"}}),
        bundle("batch-response", {"resource": {}}),
    ),
    (
        "bdl-5",
        "Bundle.entry[1]",
        bundle("collection", {"resource": {}}),
        bundle("collection", {"resource": {}}, {}),
    ),
    (
        "bdl-7",
        "Bundle",
        bundle(
            "collection",
            {"fullUrl": "urn:x", "resource": of("Basic", meta={"versionId": "1"})},
            {"fullUrl": "urn:x", "resource": of("Basic", meta={"versionId": "2"})},
        ),
        bundle("collection", *[{"fullUrl": "urn:x", "resource": of("Basic")}] * 2),
    ),
    (
        "bdl-8",
        "Bundle.entry[0]",
        bundle("collection", {"fullUrl": "http://x/Basic/1", "resource": {}}),
        bundle("collection", {"fullUrl": "http://x/Basic/1/_history/2", "resource": {}}),
    ),
    (
        "bdl-9",
        "Bundle",
        bundle("document", {"resource": of("Composition")}, **NAMED),
        bundle("document", {"resource": of("Composition")}, **NAMED | {"identifier": {"value": "1"}}),
    ),
    (
        "bdl-10",
        "Bundle",
        bundle("document", {"resource": of("Composition")}, **NAMED),
        bundle("document", {"resource": of("Composition")}, identifier=NAMED["identifier"]),
    ),
    (
        "bdl-11",
        "Bundle",
        bundle("document", {"resource": of("Composition")}, {"resource": of("Basic")}, **NAMED),
        bundle("document", {"resource": of("Basic")}, {"resource": of("Composition")}, **NAMED),
    ),
    (
        "bdl-12",
        "Bundle",
        bundle("message", {"resource": of("MessageHeader")}),
        bundle("message", {"resource": of("Basic")}),
    ),
    (
        "att-1",
        "Patient.photo[0]",
        of("Patient", photo=[{"data": "AAAA", "contentType": "image/png"}]),
        of("Patient", photo=[{"data": "AAAA"}]),
    ),
    (
        "cpt-2",
        "Patient.telecom[0]",
        of("Patient", telecom=[{"system": "phone", "value": "1"}]),
        of("Patient", telecom=[{"value": "1"}]),
    ),
    (
        "rng-2",
        VALUE,
        extended("Range", low={"value": 1, "unit": "a"}, high={"value": Decimal("1.0"), "unit": "a"}),
        extended("Range", low={"value": Decimal("1.01"), "unit": "a"}, high={"value": 1, "unit": "a"}),
    ),
    (
        "age-1",
        "Condition.onset",
        of("Condition", clinicalStatus=ACTIVE, onsetAge={"value": 3, "code": "a", "system": UCUM}),
        of("Condition", clinicalStatus=ACTIVE, onsetAge={"value": 0, "code": "a", "system": UCUM}),
    ),
    (
        "drt-1",
        VALUE,
        extended("Duration", value=1, code="min", system=UCUM),
        extended("Duration", value=1, code="min", system="urn:x"),
    ),
    (
        "cnt-3",
        VALUE,
        extended("Count", value=1, code="1", system=UCUM),
        extended("Count", value=Decimal("1.5"), code="1", system=UCUM),
    ),
    (
        "dis-1",
        VALUE,
        extended("Distance", value=1, code="m", system=UCUM),
        extended("Distance", value=1),
    ),
    ("rat-1", VALUE, extended("Ratio", numerator={}, denominator={}), extended("Ratio", numerator={})),
    ("tim-1", REPEAT, timing(duration=1, durationUnit="h"), timing(duration=1)),
    ("tim-2", REPEAT, timing(period=1, periodUnit="h"), timing(period=1)),
    ("tim-4", REPEAT, timing(duration=0, durationUnit="h"), timing(duration=-1, durationUnit="h")),
    ("tim-5", REPEAT, timing(period=0, periodUnit="h"), timing(period=-1, periodUnit="h")),
    ("tim-6", REPEAT, timing(period=1, periodUnit="h", periodMax=2), timing(periodMax=2)),
    ("tim-7", REPEAT, timing(duration=1, durationUnit="h", durationMax=2), timing(durationMax=2)),
    ("tim-8", REPEAT, timing(count=1, countMax=2), timing(countMax=2)),
    ("tim-9", REPEAT, timing(offset=5, when=["ACM", "HS"]), timing(offset=5, when=["ACM", "CM"])),
    ("tim-9", REPEAT, timing(when=["CM"]), timing(offset=5)),
    ("tim-10", REPEAT, timing(timeOfDay=["10:00:00"]), timing(timeOfDay=["10:00:00"], when=["HS"])),
    (
        "con-3",
        "Condition",
        of("Condition", category=[concept("urn:other", "problem-list-item")]),
        of("Condition", category=[PROBLEM]),
    ),
    (
        "con-4",
        "Condition",
        of("Condition", clinicalStatus=RESOLVED, abatementString="2010"),
        of("Condition", clinicalStatus=ACTIVE, abatementString="2010"),
    ),
    (
        "con-5",
        "Condition",
        of("Condition", verificationStatus=entered_in_error("Condition")),
        of("Condition", verificationStatus=entered_in_error("Condition"), clinicalStatus=ACTIVE),
    ),
    (
        "ait-1",
        "AllergyIntolerance",
        of("AllergyIntolerance", verificationStatus=entered_in_error("AllergyIntolerance")),
        of("AllergyIntolerance"),
    ),
    (
        "ait-2",
        "AllergyIntolerance",
        of("AllergyIntolerance", clinicalStatus=ACTIVE),
        of(
            "AllergyIntolerance",
            clinicalStatus=ACTIVE,
            verificationStatus=entered_in_error("AllergyIntolerance"),
        ),
    ),
    (
        "app-4",
        "Appointment",
        of("Appointment", status="noshow", start="x", end="x", cancelationReason={"text": "ill"}),
        of("Appointment", status="booked", start="x", end="x", cancelationReason={"text": "ill"}),
    ),
    (
        "ras-2",
        "RiskAssessment.prediction[0]",
        of("RiskAssessment", prediction=[{"probabilityDecimal": 100}, {"probabilityRange": {}}, {}]),
        of("RiskAssessment", prediction=[{"probabilityDecimal": Decimal("100.1")}]),
    ),
    (
        "ras-1",
        "RiskAssessment.prediction[0].probability",
        of("RiskAssessment", prediction=[{"probabilityRange": {"low": {"code": "%", "system": UCUM}}}]),
        of("RiskAssessment", prediction=[{"probabilityRange": {"low": {"code": "1", "system": UCUM}}}]),
    ),
    (
        "que-1",
        f"{ITEM}.item[0]",
        of("Questionnaire", item=[{"type": "group", "item": [{"type": "display"}]}]),
        of("Questionnaire", item=[{"type": "group", "item": [{"type": "group"}]}]),
    ),
    (
        "que-2",
        "Questionnaire",
        of(
            "Questionnaire",
            item=[{"linkId": "1", "type": "group", "item": [{"linkId": "2", "type": "string"}]}],
        ),
        of(
            "Questionnaire",
            item=[{"linkId": "1", "type": "group", "item": [{"linkId": "1", "type": "string"}]}],
        ),
    ),
    (
        "que-7",
        f"{ITEM}.enableWhen[0]",
        of(
            "Questionnaire",
            item=[{"type": "string", "enableWhen": [{"operator": "exists", "answerBoolean": True}]}],
        ),
        of(
            "Questionnaire",
            item=[{"type": "string", "enableWhen": [{"operator": "exists", "answerString": "true"}]}],
        ),
    ),
    (
        "org-2",
        "Organization.address[1]",
        of("Organization", name="x", address=[{"use": "work"}]),
        of("Organization", name="x", address=[{"use": "work"}, {"use": "home"}]),
    ),
    ("org-1", "Organization", of("Organization", identifier=[{}]), of("Organization", active=True)),
    (
        "eld-3",
        "StructureDefinition.differential.element[0].max",
        of("StructureDefinition", abstract=True, differential={"element": [{"path": "A", "max": "*"}]}),
        of("StructureDefinition", abstract=True, differential={"element": [{"path": "A", "max": "many"}]}),
    ),
    (
        "csd-1",
        "CodeSystem",
        of("CodeSystem", concept=[{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}]),
        of("CodeSystem", concept=[{"code": "a", "concept": [{"code": "b"}]}, {"code": "b"}]),
    ),
    (
        "ig-1",
        "ImplementationGuide.definition",
        of("ImplementationGuide", definition={"grouping": [{"id": "g"}], "resource": [{"groupingId": "g"}]}),
        of("ImplementationGuide", definition={"grouping": [{"id": "g"}], "resource": [{"groupingId": "h"}]}),
    ),
    (
        "ctm-1",
        "CareTeam.participant[0]",
        of("CareTeam", participant=[{"onBehalfOf": {}, "member": {"reference": "Practitioner/1"}}]),
        of("CareTeam", participant=[{"onBehalfOf": {}, "member": {"reference": "Patient/1"}}]),
    ),
    (
        "inv-1",
        "Parameters.parameter[0].part[0]",
        of("Parameters", parameter=[{"name": "a", "part": [{"name": "b", "valueString": "x"}]}]),
        of("Parameters", parameter=[{"name": "a", "part": [{"name": "b"}]}]),
    ),
]


@pytest.mark.parametrize(
    ("key", "place", "kept", "lost"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_a_constraint_is_met_by_one_and_broken_by_the_other(
    key: str, place: str, kept: Json, lost: Json
) -> None:
    assert key not in [each for each, _ in broken(kept)]
    assert (key, place) in broken(lost)


def at_the_top() -> Iterator[tuple[str, Json, bool]]:
    for key, place, kept, lost in CASES:
        if place == kept["resourceType"]:
            yield key, kept, False
            yield key, lost, True


@pytest.mark.parametrize(("key", "resource", "expected"), list(at_the_top()))
def test_the_general_engine_agrees(key: str, resource: Json, expected: bool) -> None:
    kind = resource["resourceType"]
    [constraint] = [each for each in constraints(kind) if each.key == key]

    assert (general.evaluate(constraint.expression, resource) == [False]) is expected


def test_every_constraint_compiles() -> None:
    compiled = 0
    for where in definitions.read("invariants"):
        for constraint in constraints(where):
            assert callable(compile_check(constraint.expression, where))
            compiled += 1
    assert compiled > 225


def test_every_fact_is_about_a_constraint_of_the_standard() -> None:
    table = definitions.read("invariants")
    keys = {each["key"] for some in table.values() for each in some}

    assert set(WORDS) <= keys
    assert keys >= NATIVE
    assert not NATIVE & set(WORDS)
    assert all(key in {each["key"] for each in table[where]} for where, key in CORRECTED)


def test_every_type_can_be_walked() -> None:
    for kind in registry.resource_types():
        assert all(issue.expression[0].startswith(kind) for issue in violations({"resourceType": kind}))


def test_an_issue_tells_key_expectation_and_place() -> None:
    [issue] = violations(of("Patient", text={"div": "x"}, contact=[{"gender": "male"}]))

    assert (issue.severity, issue.code, issue.expression) == ("error", "invariant", ("Patient.contact[0]",))
    assert issue.diagnostics == "Constraint pat-1: a contact has a name, telecom, address or organization"


def test_a_constraint_without_words_shows_its_expression() -> None:
    [issue] = violations(of("Linkage", text={"div": "x"}, item=[{}]))

    assert issue.diagnostics == "Constraint lnk-1: expected item.count()>1"


def test_warnings_are_warnings() -> None:
    assert [(issue.severity, issue.diagnostics[11:16]) for issue in violations(of("Basic"))] == [
        ("warning", "dom-6")
    ]


def test_extensions_of_primitives_are_entered() -> None:
    period = {"extension": [{"url": "urn:x", "valuePeriod": {"start": "2", "end": "1"}}]}
    period["extension"][0]["valuePeriod"] = {"start": "2002", "end": "2001"}

    assert broken(of("Patient", _birthDate=period)) == [("per-1", "Patient.birthDate.extension[0].value")]
    name = {"given": ["a", "b"], "_given": [None, period]}
    assert broken(of("Patient", name=[name])) == [("per-1", "Patient.name[0].given[1].extension[0].value")]


def test_resources_within_are_not_entered() -> None:
    faulty = of("Patient", contact=[{}])

    assert broken(of("Basic", contained=[faulty])) == []
    assert broken(bundle("collection", {"resource": faulty})) == []
    assert broken(of("Parameters", parameter=[{"resource": faulty}])) == []


def test_what_is_no_resource_breaks_nothing() -> None:
    assert violations({}) == []
    assert violations({"resourceType": "Nonsense"}) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["contact", "period", "start", "end", "coding", "code", "value", "extension"]),
            inner,
        )
    ),
    max_leaves=20,
)


@given(
    st.sampled_from(["Patient", "Observation", "Bundle", "Questionnaire", "StructureDefinition"]),
    st.dictionaries(
        st.sampled_from(
            [
                "contact",
                "period",
                "name",
                "component",
                "valuePeriod",
                "entry",
                "item",
                "code",
                "_status",
                "snapshot",
            ]
        ),
        anything,
    ),
)
def test_malformed_resources_raise_nothing(kind: str, members: Json) -> None:
    assert isinstance(violations({"resourceType": kind, **members}), list)


def calls(resource: Json) -> int:
    """How many functions are called: time without a clock."""
    count = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counting)
    try:
        violations(resource)
    finally:
        sys.setprofile(None)
    return count


def large_bundle(size: int) -> Json:
    return bundle(
        "transaction",
        *[{"fullUrl": f"urn:{i}", "resource": of("Basic"), "request": POST} for i in range(size)],
    )


def large_observation(size: int) -> Json:
    codes = [{"system": "urn:x", "code": str(i)} for i in range(size)]
    components = [{"code": concept("urn:y", str(i)), "valueString": "x"} for i in range(size)]
    return of("Observation", code={"coding": codes}, valueString="x", component=components)


def large_guide(size: int) -> Json:
    grouping = [{"id": str(i)} for i in range(size)]
    return of(
        "ImplementationGuide", definition={"grouping": grouping, "resource": [{"groupingId": "0"}] * size}
    )


def large_code_system(size: int) -> Json:
    return of("CodeSystem", concept=[{"code": str(i), "concept": [{"code": f"{i}.1"}]} for i in range(size)])


def large_snapshot(size: int) -> Json:
    elements = [{"id": f"A.{i}", "path": f"A.{i}", "type": [{"code": "x"}]} for i in range(size)]
    return of("StructureDefinition", type="A", kind="resource", abstract=True, snapshot={"element": elements})


@pytest.mark.parametrize(
    "large",
    [large_bundle, large_observation, large_guide, large_code_system, large_snapshot],
    ids=lambda f: f.__name__,
)
def test_work_grows_with_the_size_and_not_with_its_square(large: Any) -> None:
    calls(large(10))  # compiles

    once, more = calls(large(100)), calls(large(800))
    assert once > 100
    assert more < 10 * once, "8 times the size: about 8 is linear, 64 is quadratic"


def test_official_and_generated_examples_break_no_constraint() -> None:
    folder = CORPUS / "fhir" / "examples"
    if not folder.exists():
        pytest.skip(f"no corpus at {CORPUS}; set FHIR_CORPUS")
    seen = 0
    for path in sorted(folder.rglob("*.json")):
        errors = [issue for issue in violations(decode(path.read_bytes())) if issue.severity == "error"]
        assert errors == [], path.name
        seen += 1
    assert seen > 300
