from __future__ import annotations

from typing import Any

from importers.dicom.sources import SourceConfig
from importers.dicom.study import StudyConversion
from resources.codec import Json
from tests.importers.dicom.making import header, item, of_type, study

NUMBER = [
    item(
        InstitutionName="Praxis",
        PersonIdentificationCodeSequence=[
            item(CodeValue="99", CodingSchemeDesignator="99LANR", CodeMeaning="Refer, Anna")
        ],
    )
]


def made(**values: Any) -> tuple[StudyConversion, Json, Json]:
    found = study(header(**values))
    resource = found.drafts[0].resource
    return found, resource, resource["series"][0]


def test_a_name_alone_is_nobody() -> None:
    found, resource, _ = made(ReferringPhysicianName="Refer^Anna^^Dr.")
    assert resource["referrer"] == {"type": "Practitioner", "display": "Dr. Anna Refer"}
    assert of_type(found, "Practitioner") == []


def test_who_has_a_number_is_found_by_it() -> None:
    found, resource, _ = made(
        ReferringPhysicianName="Refer^Anna", ReferringPhysicianIdentificationSequence=NUMBER
    )
    [practitioner] = of_type(found, "Practitioner")
    assert practitioner["identifier"] == [{"system": "urn:x-local:default:99LANR", "value": "99"}]
    assert practitioner["name"][0]["family"] == "Refer"
    assert resource["referrer"]["display"] == "Anna Refer"
    assert resource["referrer"]["reference"].startswith("urn:uuid:")


def test_a_number_alone() -> None:
    _, resource, _ = made(ReferringPhysicianIdentificationSequence=NUMBER)
    assert resource["referrer"]["display"] == "Refer, Anna"


def test_readers_and_performers() -> None:
    _, resource, series = made(
        NameOfPhysiciansReadingStudy=["Reader^Rita", "Second^Sam", "Reader^Rita"],
        PerformingPhysicianName="Perform^Otto",
        OperatorsName="Opera^Tor",
    )
    assert [each["display"] for each in resource["interpreter"]] == ["Rita Reader", "Sam Second"]
    told = [(each["function"]["coding"][0]["code"], each["actor"]["display"]) for each in series["performer"]]
    assert told == [("PRF", "Otto Perform"), ("SPRF", "Tor Opera")]
    assert series["performer"][1]["function"]["text"] == "Operator"


MACHINE = {
    "Manufacturer": "ACME",
    "ManufacturerModelName": "Scan 9",
    "DeviceSerialNumber": "SN1",
    "StationName": "CT01",
    "SoftwareVersions": ["1", "2"],
}


def test_a_machine() -> None:
    found, _, series = made(**MACHINE, UDISequence=[item(UniqueDeviceIdentifier="(01)123")])
    [device] = of_type(found, "Device")
    assert device["identifier"][0]["value"] == "SN1"
    assert device["identifier"][0]["system"] == "urn:fhir-server:dicom:serial:ACME:Scan%209"
    assert device["version"] == [{"value": "1"}, {"value": "2"}]
    assert device["deviceName"][0] == {"name": "CT01", "type": "user-friendly-name"}
    assert device["udiCarrier"] == [{"carrierHRF": "(01)123"}]
    assert series["performer"][0]["function"]["coding"][0]["code"] == "DEV"
    assert series["performer"][0]["actor"]["display"] == "ACME Scan 9"


def test_a_machine_that_cannot_be_told_from_others_is_none() -> None:
    for missing in ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber"):
        found, _, series = made(**{**MACHINE, missing: None})
        assert of_type(found, "Device") == []
        assert "performer" not in series
    found, _, _ = made(DeviceUID="1.2.9")
    assert of_type(found, "Device")[0]["identifier"] == [
        {"system": "urn:dicom:uid", "value": "urn:oid:1.2.9"}
    ]


def test_one_machine_for_many_series() -> None:
    found = study(header(**MACHINE), header(**MACHINE, SOPInstanceUID="1.9", SeriesInstanceUID="1.9.1"))
    assert len(of_type(found, "Device")) == 1


def test_an_institution_with_a_code() -> None:
    code = [item(CodeValue="K1", CodingSchemeDesignator="99K", CodeMeaning="Klinikum")]
    found, _, series = made(InstitutionName="Klinikum", InstitutionCodeSequence=code)
    [organization] = of_type(found, "Organization")
    assert organization["name"] == "Klinikum"
    assert series["performer"][0]["actor"]["display"] == "Klinikum"
    assert of_type(made(InstitutionName="Klinikum")[0], "Organization") == []


def test_the_service_that_has_the_pixels() -> None:
    config = SourceConfig(endpoint="https://pacs.example.org/dicomweb")
    found = study(header(), config=config)
    [endpoint] = of_type(found, "Endpoint")
    assert endpoint["address"] == "https://pacs.example.org/dicomweb"
    assert endpoint["connectionType"]["code"] == "dicom-wado-rs"
    assert found.drafts[0].resource["endpoint"][0]["reference"].startswith("urn:uuid:")
    assert of_type(study(header()), "Endpoint") == []
