"""Where an ImagingStudy comes from: one Provenance in the transaction that writes it.

http://hl7.org/fhir/R4/provenance.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from importers.dicom.rows import Study
from importers.dicom.sources import SourceConfig
from importers.hl7v2.reconcile import entry_reference
from resources.codec import Json

_ROLES = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
SOURCE_SYSTEM = "urn:fhir-server:dicom:source"
"""System of the identifier of a source: the name of its settings"""
UID_SYSTEM = "urn:dicom:uid"


def origin(now: Callable[[], datetime]) -> Callable[[Study, Sequence[Json], SourceConfig], list[Json]]:
    """What goes along with the entries of a transaction."""

    def entries(study: Study, written: Sequence[Json], config: SourceConfig) -> list[Json]:
        made = provenance(study, [entry_reference(each) for each in written], config, now())
        return [{"resource": made, "request": {"method": "POST", "url": "Provenance"}}]

    return entries


def provenance(study: Study, written: Sequence[str], config: SourceConfig, now: datetime) -> Json:
    """Says of each resource that the instances of this study made it what it is."""
    who = {"identifier": {"system": SOURCE_SYSTEM, "value": config.name}, "display": config.name}
    what = {"identifier": {"system": UID_SYSTEM, "value": f"urn:oid:{study.uid}"}, "display": "DICOM study"}
    return {
        "resourceType": "Provenance",
        "target": [{"reference": each} for each in written],
        "recorded": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": [{"type": {"coding": [{"system": _ROLES, "code": "author"}]}, "who": who}],
        "entity": [{"role": "source", "what": what}],
    }
