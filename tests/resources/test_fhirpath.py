"""FHIRPath on resources: the language, typed values, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.fhirpath import compile_check, compile_path, evaluate, general, values
from resources.outcome import FHIRError

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "name": [
        {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
        {"use": "usual", "given": ["Jim"]},
    ],
    "gender": "male",
    "birthDate": "1974-12-25",
    "_birthDate": {"extension": [{"url": "urn:time", "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
    "_deceasedBoolean": {"extension": [{"url": "urn:unknown", "valueCode": "asked"}]},
    "contact": [{"name": {"family": "Duck"}, "period": {"start": "2012"}}],
    "managingOrganization": {"reference": "Organization/1"},
    "generalPractitioner": [
        {"reference": "http://other.example/fhir/Practitioner/2/_history/1"},
        {"reference": "#gp"},
        {"reference": "urn:uuid:1", "type": "PractitionerRole"},
        {"identifier": {"value": "x"}},
    ],
    "contained": [{"resourceType": "Organization", "id": "gp"}],
}

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    "valueQuantity": {
        "value": Decimal("6.30"),
        "unit": "mmol/l",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    },
    "component": [
        {"code": {"text": "a"}, "valueString": "x"},
        {"code": {"text": "b"}, "valueDateTime": "2020-01"},
    ],
}


def calculated(expression: str) -> list[Any]:
    return evaluate(expression, PATIENT)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("Patient.name.given", ["Peter", "James", "Jim"]),
        ("name[0].given[1]", ["James"]),
        ("name[7].given", []),
        ("name.where(use = 'usual').given", ["Jim"]),
        ("name.where($index = 1).given", ["Jim"]),
        ("name.select(given.first() & '!')", ["Peter!", "Jim!"]),
        ("name.given | name.given", ["Peter", "James", "Jim"]),
        ("name.given.combine(name.given).count()", [6]),
        ("name.given.skip(1).take(1)", ["James"]),
        ("name.given.tail().last()", ["Jim"]),
        ("name.given.isDistinct()", [True]),
        ("name.given.all(length() > 2)", [True]),
        ("name.exists(use = 'old')", [False]),
        ("name.given.intersect('Jim' | 'Joe')", ["Jim"]),
        ("name.given.exclude('Jim')", ["Peter", "James"]),
        ("name.given.subsetOf('Jim' | 'Peter' | 'James' | 'x')", [True]),
        ("name.given.aggregate($total & $this, '')", ["PeterJamesJim"]),
        ("birthDate.extension('urn:time').value", ["1974-12-25T14:35:45-05:00"]),
        ("deceased.exists()", [True]),
        ("deceased.hasValue()", [False]),
        ("deceased.extension.value", ["asked"]),
        ("birthDate is date", [True]),
        ("gender is string", [True]),
        ("gender is System.String", [False]),
        ("contact is BackboneElement", [True]),
        ("managingOrganization.resolve() is Organization", [True]),
        ("generalPractitioner.resolve().ofType(Practitioner).id", ["2"]),
        ("generalPractitioner.resolve().ofType(Organization).id", ["gp"]),
        ("generalPractitioner.where(resolve() is PractitionerRole).reference", ["urn:uuid:1"]),
        ("iif(active, 'yes', 'no')", ["yes"]),
        ("{}.iif(empty(), 'nothing', 'something')", ["nothing"]),
        ("%resource.id & %context.id", ["p1p1"]),
        ("descendants().where($this = 'Duck')", ["Duck"]),
        ("repeat(contact).name.family", ["Duck"]),
        ("'a,b'.split(',').join('-')", ["a-b"]),
        ("'abc'.substring(1, 1)", ["b"]),
        ("'abc'.replaceMatches('(a)(b)', '$2$1')", ["bac"]),
        ("'<' in ('<' | '>')", [True]),
        ("('a' | 'b') contains 'c'", [False]),
        ("1 + 2 * 3", [7]),
        ("7 div 2", [3]),
        ("7 mod 2", [1]),
        ("1 / 8", [Decimal("0.125")]),
        ("1 / 0", []),
        ("1.50 + 1", [Decimal("2.50")]),
        ("@2012-01-31 + 1 month", ["2012-02-29"]),
        ("2.power(10)", [1024]),
        ("'12'.toInteger() + 1", [13]),
        ("'x'.toInteger()", []),
        ("@2012-01 = @2012-01-01", []),
        ("@2012-01 < @2012-02-01", [True]),
        ("@2012-01-01T10:00:00Z = @2012-01-01T11:00:00+01:00", [True]),
        ("@2012-01-01T10:00:00Z = @2012-01-01T10:00:00", []),
        ("1000 'mg' = 1 'g'", [True]),
        ("1 'mg' < 1 'mmol'", []),
        ("1 'g' + 500 'mg' = 1.5 'g'", [True]),
        ("(1 'g' - 1 's').empty()", [True]),
        ("(2 'g' * 3).value", [6]),
        ("(-1.5 'g').abs().value", [Decimal("1.5")]),
        ("16.log(2)", [Decimal("4.000000000000")]),
        ("0.ln()", []),
        ("0.log(2)", []),
        ("2.45.round(1)", [Decimal("2.5")]),
        ("(-1.5).floor()", [-2]),
        ("'2012-02-03T10:00:00Z'.toDate()", ["2012-02-03"]),
        ("'2012-02-30'.convertsToDate()", [False]),
        ("'10:30'.toTime()", ["10:30"]),
        ("'y'.toBoolean()", [True]),
        ("2.toBoolean()", []),
        ("'4.5 \\'mg\\''.toQuantity() = 4.5 'mg'", [True]),
        ("(1.0).toString()", ["1.0"]),
        ("'abcb'.lastIndexOf('b')", [3]),
        ("'ab'.toChars().count()", [2]),
        ("''.startsWith('')", [True]),
        ("today() > @2020-01-01", [True]),
        ("now() > @2020-01-01T00:00:00Z", [True]),
        ("birthDate.getValue()", ["1974-12-25"]),
        ("(true | false).anyTrue()", [True]),
        ("(true | false).allTrue()", [False]),
        ("'ABC ' ~ 'abc'", [True]),
        ("1.0 ~ 1", [True]),
        ("true and {}", []),
        ("false and {}", [False]),
        ("{} or true", [True]),
        ("{} xor true", []),
        ("false implies {}", [True]),
        ("{} implies true", [True]),
        ("name.given.first().matches('^P')", [True]),
        ("-name.given.count()", [-3]),
        ("/* comment */ 1 // more", [1]),
        ("`Patient`.`active`", [True]),
        ("'\\u0041\\n'", ["A\n"]),
    ],
)
def test_the_language(expression: str, expected: list[Any]) -> None:
    found = calculated(expression)

    assert found == expected
    assert [isinstance(value, bool) for value in found] == [isinstance(value, bool) for value in expected]
    assert not any(isinstance(value, float) for value in found)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("name..given", "position 5"),
        ("name.given1", "HumanName has no element"),
        ("name.where(", "expected"),
        ("'open", "not understood"),
        ("name.as(Nonsense)", "Nonsense"),
        ("%nowhere", "%nowhere"),
        ("name.first(1)", "arguments"),
        ("name.where()", "arguments"),
        ("name.single()", "one item"),
        ("name > 1", "one item"),
        ("'a' > 1", "cannot be compared"),
        ("'a' - 1", "cannot work"),
        ("1 'g' * 1 'g'", "unit conversion"),
        ("@2012 + 1 'mg'", "the unit 'mg'"),
        ("2.round(99)", "0 to 28"),
        ("-'a'", "needs a number"),
        ("1.upper()", "a string was expected"),
        ("'1'.abs()", "a number was expected"),
        ("name.frobnicate()", "frobnicate"),
        ("(" * 500 + "1" + ")" * 500, "nested"),
        ("1" + "+1" * 5000, "too long"),
        ("'a'.matches('(')", "regular expression"),
    ],
)
def test_a_bad_expression_is_a_400_that_says_why(expression: str, told: str) -> None:
    with pytest.raises(FHIRError) as refused:
        calculated(expression)

    assert refused.value.status == 400
    assert told in str(refused.value)


@given(st.text(alphabet="ab.()[]'|=<>+-*/&,{}@%$1T:` \\", max_size=30))
def test_any_text_is_evaluated_or_refused(expression: str) -> None:
    try:
        found = calculated(expression)
    except FHIRError as refused:
        found = [refused.status]
        assert found == [400]
    assert isinstance(found, list)


def test_choice_elements_know_their_types() -> None:
    assert compile_path("(Observation.value as Quantity)", "Observation")(OBSERVATION) == [
        ("Quantity", OBSERVATION["valueQuantity"])
    ]
    assert compile_path("Observation.value.as(string)", "Observation")(OBSERVATION) == []
    assert compile_path("Observation.component.value", "Observation")(OBSERVATION) == [
        ("string", "x"),
        ("dateTime", "2020-01"),
    ]
    assert compile_path("(Observation.component.value as dateTime)", "Observation")(OBSERVATION) == [
        ("dateTime", "2020-01")
    ]


def test_backbone_elements_are_labelled_with_their_path_and_are_a_base() -> None:
    components = compile_path("Observation.component", "Observation")(OBSERVATION)

    assert [kind for kind, _ in components] == ["Observation.component"] * 2
    value = compile_path("value.as(DateTime) | value.as(Period)", "Observation.component")
    assert [value(component) for _, component in components] == [[], [("dateTime", "2020-01")]]


def test_a_component_sees_the_resource_around_it() -> None:
    path = compile_path("%resource.status", "Observation.component")

    assert path(OBSERVATION["component"][0], OBSERVATION) == [("code", "final")]


def test_of_a_union_only_the_branches_of_the_base_count() -> None:
    path = compile_path("Patient.birthDate | Person.birthDate | RelatedPerson.birthDate", "Patient")

    assert path(PATIENT) == [("date", "1974-12-25")]
    assert compile_path("Person.birthDate", "Patient")(PATIENT) == []


def test_the_base_resource_stands_for_every_type() -> None:
    assert compile_path("Resource.id", "Resource")(PATIENT) == [("id", "p1")]
    assert compile_path("Resource.id", "Patient")(PATIENT) == [("id", "p1")]


def test_decimals_keep_their_digits() -> None:
    [(kind, value)] = compile_path("Observation.value.value", "Observation")(OBSERVATION)

    assert (kind, str(value)) == ("decimal", "6.30")


def test_a_resource_an_expression_cannot_be_applied_to_has_no_values() -> None:
    assert compile_path("Patient.name.given > 'A'", "Patient")(PATIENT) == []


def test_bundle_entries_are_entered_by_their_own_type() -> None:
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}]}

    assert values("entry.resource.ofType(Patient).gender", bundle) == [("code", "male")]
    assert values("entry.resource.ofType(Observation).status", bundle) == []


def test_a_check_is_broken_only_by_false() -> None:
    check = compile_check("start <= end", "Period")

    assert check({"start": "2012", "end": "2013"})
    assert not check({"start": "2013", "end": "2012"})
    assert check({"start": "2012-05", "end": "2012"}), "the precision does not say"
    assert check({}), "nothing to compare"
    assert check({"start": 1, "end": ["x"]}), "malformed: another check's business"


def test_a_check_sees_resource_and_root() -> None:
    check = compile_check("%resource.id = 'inner' and %rootResource.id = 'outer'", "Period")

    inner, outer = {"resourceType": "Patient", "id": "inner"}, {"resourceType": "List", "id": "outer"}
    assert check({}, inner, outer)
    assert not check({}, outer, inner)


def test_unknown_functions_go_to_the_general_engine() -> None:
    assert evaluate("'ab'.encode('hex')", PATIENT) == ["6162"]
    with pytest.raises(FHIRError, match="is not known"):
        compile_path("name.encode('hex')", "Patient")


def test_the_general_engine_leaves_the_resource_alone_and_gives_no_floats() -> None:
    before = repr(OBSERVATION)

    assert general.evaluate("Observation.value.value * 2", OBSERVATION) == [Decimal("12.60")]
    assert general.evaluate("status.hasValue()", OBSERVATION) == [True]
    assert repr(OBSERVATION) == before
    assert general.exact([1.5, {"a": 0.1}]) == [Decimal("1.5"), {"a": Decimal("0.1")}]


def test_the_faults_of_the_general_engine_do_not_tell_values() -> None:
    with pytest.raises(FHIRError) as refused:
        general.evaluate("(name.given as string)", PATIENT)

    assert refused.value.status == 400
    assert "object at" not in str(refused.value)
    assert str(refused.value).endswith("it cannot be evaluated on this input")
