"""Instances of DICOM that came in, as AuditEvent: one for each study of a request or association; pure.

https://dicom.nema.org/medical/dicom/current/output/chtml/part15/sect_A.5.3.7.html (DICOM Instances Transferred),
https://dicom.nema.org/medical/dicom/current/output/chtml/part15/sect_A.5.3.6.html (Import, of files)
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fhir_server.audit import codes
from fhir_server.audit.event import Source, network, text
from importers.dicom.dicom import Transfer
from importers.dicom.fold import SOURCE_SYSTEM

Json = dict[str, Any]

TRANSFERRED = {**codes.coding(codes.DICOM, "110104"), "display": "DICOM Instances Transferred"}
IMPORTED = {**codes.coding(codes.DICOM, "110107"), "display": "Import"}
_REPORT = codes.coding(codes.ENTITY_ROLE, "3")
_SOURCE = {"coding": [codes.coding(codes.DICOM, "110153")]}
_DESTINATION = {"coding": [codes.coding(codes.DICOM, "110152")]}
_TAKEN = ("stored", "same", "replaced", "kept_first")


def transfer_event(told: Transfer, source: Source, recorded: datetime) -> Json:
    """The AuditEvent, without id and meta."""
    taken = sum(told.counts.get(name, 0) for name in _TAKEN)
    refused = sum(told.counts.values()) - taken
    event: Json = {
        "resourceType": "AuditEvent",
        "type": IMPORTED if told.peer.door == "file" else TRANSFERRED,
        "action": "C" if told.counts.get("stored", 0) else "E",
        "recorded": recorded.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z",
        "outcome": "4" if refused else "0",
        "agent": [_sender(told), {**source.servers["create"], "type": _DESTINATION}],
        "source": source.element,
    }
    if refused:
        event["outcomeDesc"] = ", ".join(f"{n} {name}" for name, n in sorted(told.counts.items()))
    details = [
        {"type": f"instances {name}", "valueString": str(n)} for name, n in sorted(told.counts.items()) if n
    ]
    study = {"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{told.study_uid}"}}
    event["entity"] = [{"what": study, "type": codes.SYSTEM_OBJECT, "role": _REPORT, "detail": details}]
    if told.patient:
        person = {"what": {"reference": told.patient}, "type": codes.PERSON, "role": codes.PATIENT}
        event["entity"].append(person)
    return event


def _sender(told: Transfer) -> Json:
    peer = told.peer
    who = {"identifier": {"system": SOURCE_SYSTEM, "value": told.source}, "display": peer.ae or told.source}
    name = " ".join(each for each in (peer.door, peer.software) if each)
    sender: Json = {"type": _SOURCE, "who": who, "name": text(name), "requestor": True}
    if peer.address:
        sender["network"] = network(peer.address)
    return sender
