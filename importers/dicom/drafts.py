"""What the rows of a study say, as drafts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_OID, uuid5

from importers.dicom.patient_id import patient_key
from importers.dicom.rows import Group
from importers.dicom.sources import SourceConfig
from importers.hl7v2.conversion import Draft
from resources.codec import Json


def drafts(uid: str, groups: Sequence[Group], config: SourceConfig) -> list[Draft]:
    patient = next((key for each in groups if (key := patient_key(each.study, config))), "")
    series: dict[str, Json] = {}
    for each in groups:
        one = series.setdefault(
            each.series_uid,
            {
                "uid": each.series_uid,
                "numberOfInstances": 0,
                "modality": {
                    "system": "http://dicom.nema.org/resources/ontology/DCM",
                    "code": each.series.get("Modality", "OT"),
                },
            },
        )
        one["numberOfInstances"] += each.count
    made = []
    study: Json = {
        "resourceType": "ImagingStudy",
        "status": "available",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        "numberOfSeries": len(series),
        "numberOfInstances": sum(one["numberOfInstances"] for one in series.values()),
        "series": list(series.values()),
    }
    if patient:
        system, _, value = patient.partition("|")
        url = f"urn:uuid:{uuid5(NAMESPACE_OID, patient)}"
        made.append(
            Draft(
                {"resourceType": "Patient", "identifier": [{"system": system, "value": value}]},
                url,
                (f"identifier={patient}",),
                role="reference",
            )
        )
        study["subject"] = {"reference": url}
    else:
        study["subject"] = {"display": "unknown"}
    made.append(
        Draft(study, f"urn:uuid:{uuid5(NAMESPACE_OID, uid)}", (f"identifier=urn:dicom:uid|urn:oid:{uid}",))
    )
    return made
