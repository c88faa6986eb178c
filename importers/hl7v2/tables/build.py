"""Makes `codes.json` of the concept maps of the official HL7 v2-to-FHIR implementation guide, as a CSV of facts.

    python -m importers.hl7v2.tables.build ../shared/v2-to-fhir/codes.csv

Where the guide contradicts R4 or itself, the correction and its reason stand here.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path

TABLES = {
    "AdministrativeSex": "0001",
    "MaritalStatus": "0002",
    "EventType": "0003",
    "Event[EncounterStatus]": "0003/status",
    "PatientClass[EncounterClass]": "0004",
    "PatientClass[EncounterStatus]": "0004/status",
    "Religion": "0006",
    "AdmissionType": "0007",
    "AmbulatoryStatus": "0009",
    "OrderStatus": "0038",
    "DiagnosisType": "0052",
    "EventReason": "0062",
    "Relationship": "0063",
    "HospitalService": "0069",
    "DiagnosticServiceSectionID": "0074",
    "InterpretationCodes": "0078",
    "NatureOfAbnormalTesting": "0080",
    "ObservationResultStatusCodesInterpretation": "0085",
    "ReadmissionIndicator": "0092",
    "ProcessingID": "0103",
    "BedStatus": "0116",
    "OrderControlCode[ServiceRequest.status]": "0119",
    "ResultStatus[Non-Queries]": "0123",
    "AllergyType": "0127",
    "AllergenType[AllergyIntoleranceCategory]": "0127/category",
    "AllergySeverity[AllergyIntolerance.criticality]": "0128",
    "AllergySeverity[AllergyIntolerance.reaction.severity]": "0128/severity",
    "VisitUserCode": "0130",
    "ContactRole": "0131",
    "YesNoIndicator": "0136",
    "AllowSubstitution": "0161",
    "RouteOfAdministration": "0162",
    "BodySite": "0163",
    "AdministrationMethod": "0165",
    "ConfidentialityCode": "0177",
    "PreferredMethodOfContact": "0185",
    "AddressType[Use]": "0190",
    "AddressType[Type]": "0190/type",
    "NameType": "0200",
    "TelecommunicationUseCode": "0201",
    "TelecommunicationEquipmentType": "0202",
    "IdentifierType": "0203",
    "OrganizationalNameType": "0204",
    "ProcessingMode": "0207",
    "PublicityCode": "0215",
    "EncounterPriority": "0217",
    "DocumentConfidentialityStatus": "0272",
    "AppointmentReasonCodes": "0276",
    "AppointmentTypeCodes": "0277",
    "FillerStatusCodes[Appointment]": "0278",
    "UniversalIDType": "0301",
    "LivingWillCode": "0315",
    "CompletionStatus": "0322",
    "RepeatPattern": "0335",
    "PractitionerIDNumberType": "0338",
    "DegreeLicenseCertificate": "0360",
    "CommentType": "0364",
    "AdditivePreservative": "0371",
    "CountryCode": "0399",
    "ModeOfArrivalCode": "0430",
    "AdmissionLevelOfCareCode": "0432",
    "ProviderRole": "0443",
    "NameAssemblyOrder": "0444",
    "ExtendedPriorityCodes": "0485",
    "SpecimenType": "0487",
    "SpecimenCollectionMethod": "0488",
    "SpecimenRejectReason": "0490",
    "SpecimenCondition": "0493",
    "EventRelatedPeriod": "0528",
    "BodyParts": "0550",
    "Participation": "0912",
}
"""Concept map → number of the HL7 table, with the element where one table has several maps."""

_CORRECTED = {
    "entered-in-errror": "entered-in-error",  # ResultStatus[Non-Queries], three r
}
_SYSTEMS = {
    "http://unitsofmeasure.org/": "http://unitsofmeasure.org",
}

_SPELLED_OUT = (
    "0001",
    "0002",
    "0004",
    "0007",
    "0063",
    "0078",
    "0123",
    "0127",
    "0128",
    "0131",
    "0162",
    "0200",
    "0201",
    "0202",
    "0278",
)
"""Tables whose codes senders replace by their texts: `Father`, `INPATIENT`"""

Code = dict[str, str]
Tables = dict[str, dict[str, Code]]


def tables(rows: Iterable[dict[str, str]]) -> Tables:
    """HL7 table → code → Coding, for the codes that have a target; the first row of a code wins.

    Of tables whose texts senders take for codes the texts, in lower case, are keys as well.
    """
    found: Tables = {number: {} for number in TABLES.values()}
    for row in rows:
        table = TABLES.get(row["map"])
        if table is None or not row["v2_code"] or not row["fhir_code"] or not row["fhir_system"]:
            continue
        code = _CORRECTED.get(row["fhir_code"], row["fhir_code"]).strip()
        coding = {"system": _SYSTEMS.get(row["fhir_system"], row["fhir_system"]), "code": code}
        if row["fhir_display"].strip():
            coding["display"] = row["fhir_display"].strip()
        found[table].setdefault(row["v2_code"].strip(), coding)
        if table[:4] in _SPELLED_OUT and row["v2_text"].strip():
            found[table].setdefault(row["v2_text"].strip().lower(), coding)
    return {number: codes for number, codes in sorted(found.items()) if codes}


def main(source: Path) -> None:
    with source.open(encoding="utf-8", newline="") as file:
        made = tables(csv.DictReader(file))
    target = Path(__file__).with_name("codes.json")
    lines = [
        f"{json.dumps(number)}: {json.dumps(codes, ensure_ascii=False)}" for number, codes in made.items()
    ]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
