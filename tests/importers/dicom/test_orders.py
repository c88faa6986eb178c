from __future__ import annotations

from typing import Any

from resources.codec import Json
from tests.importers.dicom.making import header, item, study


def resource(*told: dict[str, Any]) -> Json:
    headers = [
        header(**{"SOPInstanceUID": f"1.{number}", "SeriesInstanceUID": f"1.9.{number}", **each})
        for number, each in enumerate(told)
    ]
    return study(*headers).drafts[0].resource


def numbers(found: Json) -> list[tuple[str, str, str]]:
    return [
        (
            each["identifier"]["type"]["coding"][0]["code"],
            each["identifier"]["system"],
            each["identifier"]["value"],
        )
        for each in found.get("basedOn", ())
    ]


OWN = "urn:fhir-server:dicom:default"


def test_accession_is_an_identifier_and_an_order() -> None:
    ris = [item(LocalNamespaceEntityID="RIS", UniversalEntityID="1.2.9", UniversalEntityIDType="ISO")]
    found = resource({"AccessionNumber": "A1", "IssuerOfAccessionNumberSequence": ris})
    assert found["identifier"][1]["value"] == "A1"
    assert found["identifier"][1]["system"] == "urn:oid:1.2.9"
    assert numbers(found) == [("ACSN", "urn:oid:1.2.9", "A1")]
    assert found["basedOn"][0]["type"] == "ServiceRequest"
    assert "basedOn" not in resource({})


def test_orders_of_a_group() -> None:
    found = resource(
        {
            "RequestAttributesSequence": [
                item(AccessionNumber="A1", FillerOrderNumberImagingServiceRequest="F1"),
                item(FillerOrderNumberImagingServiceRequest="F2"),
                item(PlacerOrderNumberImagingServiceRequest="P3"),
                item(RequestedProcedureID="RP"),
            ]
        },
        {"RequestAttributesSequence": [item(AccessionNumber="A1")]},
    )
    assert numbers(found) == [
        ("ACSN", f"{OWN}:accession", "A1"),
        ("FILL", f"{OWN}:filler", "F2"),
        ("PLAC", f"{OWN}:placer", "P3"),
    ]


def test_the_same_number_without_its_issuer_is_the_same_order() -> None:
    ris = [item(UniversalEntityID="1.2.9", UniversalEntityIDType="ISO")]
    found = resource(
        {
            "AccessionNumber": "A1",
            "IssuerOfAccessionNumberSequence": ris,
            "RequestAttributesSequence": [item(AccessionNumber="A1"), item(AccessionNumber="A2")],
        }
    )
    assert [value for _, _, value in numbers(found)] == ["A1", "A2"]


def test_the_same_number_of_another_issuer_is_another_order() -> None:
    other = item(
        AccessionNumber="A1",
        IssuerOfAccessionNumberSequence=[item(UniversalEntityID="1.2.8", UniversalEntityIDType="ISO")],
    )
    found = resource({"AccessionNumber": "A1", "RequestAttributesSequence": [other]})
    assert len(numbers(found)) == 2


def test_reasons_each_once() -> None:
    why = [item(CodeValue="233604007", CodingSchemeDesignator="SCT", CodeMeaning="Pneumonia")]
    found = resource(
        {
            "RequestAttributesSequence": [
                item(
                    ReasonForTheRequestedProcedure="Fever",
                    ReasonForRequestedProcedureCodeSequence=why,
                )
            ]
        },
        {"ReasonForPerformedProcedureCodeSequence": why, "ReasonForTheRequestedProcedure": "pneumonia"},
    )
    assert [each["text"] for each in found["reasonCode"]] == ["Pneumonia", "Fever"]


def test_the_visit() -> None:
    ward = [item(UniversalEntityID="1.2.7", UniversalEntityIDType="ISO")]
    found = resource({"AdmissionID": "V1", "IssuerOfAdmissionIDSequence": ward})
    assert found["encounter"]["type"] == "Encounter"
    assert found["encounter"]["identifier"]["system"] == "urn:oid:1.2.7"
    assert "encounter" not in resource({})
