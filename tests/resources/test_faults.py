"""One-defect resources of our own: what is wrong, where, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest

from resources import faults as module
from resources.codec import number
from resources.faults import faults

EXTENSION = {"url": "http://example.org/x", "valueString": "a"}
CODE = {"text": "x"}


def resource(name: Any, /, **elements: Any) -> Any:
    return {"resourceType": name, **elements}


def observation(**elements: Any) -> Any:
    return resource("Observation", status="final", code=CODE, **elements)


def patient(**elements: Any) -> Any:
    return resource("Patient", **elements)


DEFECTS = [
    (patient(nmae=[]), "structure", "Patient.nmae", "Did you mean 'name'?"),
    (patient(**{"$where": 1}), "structure", "Patient.`$where`", "no element"),
    (patient(name=[{"family": "a", "fmaily": "b"}]), "structure", "Patient.name[0].fmaily", "family"),
    (patient(deceased=True), "structure", "Patient.deceased", "deceasedBoolean"),
    (patient(_name=[{"id": "x"}]), "structure", "Patient._name", "primitive"),
    (patient(resource_type="Patient"), "structure", "Patient.resource_type", "no element"),
    (resource("Observation", code=CODE), "required", "Observation.status", "1..1 code"),
    (resource("Immunization", status="completed", vaccineCode=CODE, patient={"display": "x"}), "required", "Immunization.occurrence", "dateTime"),
    (patient(birthDate="2023-02-29"), "value", "Patient.birthDate", "2023-02-29"),
    (patient(birthDate=["2023"]), "structure", "Patient.birthDate", "array"),
    (patient(birthDate=None), "value", "Patient.birthDate", "null"),
    (patient(birthDate={}), "value", "Patient.birthDate", "an object"),
    (patient(_birthDate={}), "structure", "Patient.birthDate", "empty object"),
    (patient(_birthDate=[EXTENSION]), "structure", "Patient.birthDate", "an array"),
    (patient(_birthDate={"id": "x"}), "invariant", "Patient.birthDate", "ele-1"),
    (patient(birthDate="2000", _birthDate={"valueString": "x"}), "structure", "Patient.birthDate.valueString", "Element"),
    (patient(name={"family": "a"}), "structure", "Patient.name", "array is expected"),
    (patient(name=[]), "structure", "Patient.name", "empty array"),
    (patient(name=[None]), "structure", "Patient.name[0]", "null"),
    (patient(name=[{}]), "structure", "Patient.name[0]", "ele-1"),
    (patient(name=[{"id": "x"}]), "structure", "Patient.name[0]", "ele-1"),
    (patient(name=[{"given": ["a", ""]}]), "value", "Patient.name[0].given[1]", "empty string"),
    (patient(name=[{"given": [None]}]), "structure", "Patient.name[0].given[0]", "null"),
    (patient(name=[{"given": ["a", "b"], "_given": [{"id": "x"}]}]), "structure", "Patient.name[0].given", "2 items"),
    (patient(maritalStatus=[CODE]), "structure", "Patient.maritalStatus", "object"),
    (patient(gender="mail"), "code-invalid", "Patient.gender", "Did you mean 'male'?"),
    (patient(multipleBirthInteger=number("5.0")), "value", "Patient.multipleBirth", "whole number"),
    (patient(multipleBirthInteger=1, multipleBirthBoolean=True), "structure", "Patient.multipleBirth", "exclude"),
    (observation(valueString="a", _valueInteger={"extension": [EXTENSION]}), "structure", "Observation.value", "exclude"),
    (observation(valueDecimal=1), "structure", "Observation.valueDecimal", "no element"),
    (observation(valueQuantity={"value": "1"}), "value", "Observation.value.value", "number"),
    (patient(managingOrganization={"reference": "Patient/1"}), "value", "Patient.managingOrganization.reference", "expected Organization"),
    (patient(managingOrganization={"reference": "a b"}), "value", "Patient.managingOrganization.reference", "not a reference"),
    (patient(managingOrganization={"type": "Patient", "display": "x"}), "value", "Patient.managingOrganization.type", "Organization"),
    (patient(extension=[{"valueString": "a"}]), "required", "Patient.extension[0].url", "uri"),
    (patient(extension=[{"url": "x"}]), "invariant", "Patient.extension[0]", "ext-1"),
    (patient(extension=[{**EXTENSION, "extension": [EXTENSION]}]), "invariant", "Patient.extension[0]", "ext-1"),
    (patient(extension=[{**EXTENSION, "valueCode": "a"}]), "structure", "Patient.extension[0].value", "exclude"),
    (patient(text={"status": "generated"}), "required", "Patient.text.div", "xhtml"),
    (patient(text={"status": "generated", "div": "<p/>"}), "value", "Patient.text.div", "XHTML namespace"),
    (patient(contained=["x"]), "structure", "Patient.contained[0]", "object"),
    (resource("Condition", subject={"display": "x"}, clinicalStatus={"coding": [{"code": "x"}]}), "code-invalid", "Condition.clinicalStatus", "active"),
    (resource("SupplyDelivery", suppliedItem={"quantity": {"value": 1, "comparator": "<"}}), "invariant", "SupplyDelivery.suppliedItem.quantity.comparator", "sqty-1"),
    (resource("Binary", contentType="text/plain", data="a"), "value", "Binary.data", "base64"),
    (resource("Bundle", type="collection", entry=[{"link": [{"relation": "self"}]}]), "required", "Bundle.entry[0].link[0].url", "uri"),
    ({}, "required", "Resource", "resourceType"),
    ({"resourceType": 5}, "structure", "Resource", "not a FHIR R4 resource type"),
    ({"resourceType": "Pateint"}, "structure", "Resource", "Did you mean 'Patient'?"),
    ({"resourceType": "Citation"}, "structure", "Resource", "not a FHIR R4 resource type"),
    ({"resourceType": "DomainResource"}, "structure", "Resource", "not a FHIR R4 resource type"),
]  # fmt: skip

RIGHT = [
    patient(),
    patient(_birthDate={"extension": [EXTENSION]}),
    patient(birthDate="1974-12-25", _birthDate={"id": "a"}),
    patient(name=[{"given": [None, "B"], "_given": [{"extension": [EXTENSION]}, None]}]),
    patient(
        extension=[{"url": "a", "extension": [{"url": "b", "_valueString": {"extension": [EXTENSION]}}]}]
    ),
    resource("Observation", code=CODE, _status={"extension": [EXTENSION]}),
    observation(_valueString={"extension": [EXTENSION]}),
    observation(valueQuantity={"value": number("1e3"), "comparator": "<"}),
    resource("Encounter", status="finished", **{"class": {"code": "AMB"}}),
    resource("Binary", contentType="text/plain", data="aGVs bG8="),
]


@pytest.mark.parametrize(("body", "code", "place", "said"), DEFECTS)
def test_a_defect_is_named_with_its_place(body: Any, code: Any, place: Any, said: Any) -> None:
    found = faults(body)
    assert [(issue.code, issue.expression) for issue in found] == [(code, (place,))]
    assert said in found[0].diagnostics
    assert found[0].severity == "error"


@pytest.mark.parametrize("body", RIGHT)
def test_no_fault(body: Any) -> None:
    assert faults(body) == []


def test_all_faults_are_named_at_once() -> None:
    body = patient(foo=1, gender="x", birthDate="2020-13", name=[{"period": {"start": 1}}, {"use": "y"}])
    assert {issue.expression[0] for issue in faults(body)} == {
        "Patient.foo",
        "Patient.gender",
        "Patient.birthDate",
        "Patient.name[0].period.start",
        "Patient.name[1].use",
    }


def test_where_examples_of_the_standard_point_elsewhere_is_a_warning() -> None:
    (issue,) = faults(observation(performer=[{"reference": "Encounter/1"}]))
    assert (issue.severity, issue.expression) == ("warning", ("Observation.performer[0].reference",))
    (issue,) = faults(observation(performer=[{"reference": "Medication/1"}]))
    assert issue.severity == "error"


def test_a_million_faults_are_not_listed() -> None:
    found = faults(patient(**{f"x{i}": 1 for i in range(5000)}))
    assert len(found) == module.MAX_ISSUES + 1
    assert found[-1].code == "incomplete"
