"""The codes AuditEvents are written in, after the IHE Basic Audit Log Patterns.

The codings are prebuilt and shared by every event: nobody may change them.

http://hl7.org/fhir/R4/auditevent.html, https://profiles.ihe.net/ITI/BALP/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

Outcome = Literal["0", "4", "8", "12"]
"""Success, minor failure (the request was at fault), serious failure (the server was), major failure.

http://hl7.org/fhir/R4/valueset-audit-event-outcome.html
"""

REST = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
PROVENANCE_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ENTITY_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
BALP_ENTITY_TYPE = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"

MACHINE_NAME = "1"
IP_ADDRESS = "2"
URI = "5"
"""http://hl7.org/fhir/R4/valueset-network-type.html"""


def coding(system: str, code: str) -> Json:
    return {"system": system, "code": code}


def _role(system: str, code: str) -> Json:
    return {"coding": [coding(system, code)]}


TYPE_REST = coding(REST, "rest")

PERSON = coding(ENTITY_TYPE, "1")
SYSTEM_OBJECT = coding(ENTITY_TYPE, "2")
REQUEST_ID = coding(BALP_ENTITY_TYPE, "XrequestId")

PATIENT = coding(ENTITY_ROLE, "1")
REPORT = coding(ENTITY_ROLE, "3")
"""A study, as DICOM's audit messages have it"""
DOMAIN_RESOURCE = coding(ENTITY_ROLE, "4")
QUERY = coding(ENTITY_ROLE, "24")

APPLICATION_SERVER = coding(SOURCE_TYPE, "4")

_APPLICATION = _role(DICOM, "110150")
_DESTINATION = _role(DICOM, "110152")
_SOURCE = _role(DICOM, "110153")
_CUSTODIAN = _role(PROVENANCE_PARTICIPANT, "custodian")


@dataclass(frozen=True, slots=True)
class Kind:
    """What an interaction is in an AuditEvent: `action` C, R, U, D or E, and the roles client and server play.

    The roles say which way data flows: a read flows to the client, a query and a write flow from it.

    http://hl7.org/fhir/R4/valueset-audit-event-action.html
    """

    action: str
    client: Json
    server: Json
    subtype: list[Json] = field(default_factory=list)
    type: Json = field(default_factory=lambda: TYPE_REST)


def _kind(interaction: str, action: str) -> Kind:
    client, server = _ROLES[action]
    return Kind(action, client, server, [coding(INTERACTION, interaction)])


_ROLES = {
    "R": (_DESTINATION, _SOURCE),
    "C": (_SOURCE, _DESTINATION),
    "U": (_SOURCE, _DESTINATION),
    "E": (_SOURCE, _DESTINATION),
    "D": (_APPLICATION, _CUSTODIAN),
}

_ACTIONS = {
    "R": ("read", "vread", "capabilities"),
    "C": ("create",),
    "U": ("update", "patch"),
    "D": ("delete",),
    "E": (
        "search-type", "search-system", "history-instance", "history-type", "history-system",
        "transaction", "batch", "operation",
    ),
}  # fmt: skip

KINDS: dict[str | None, Kind] = {
    interaction: _kind(interaction, action) for action, codes in _ACTIONS.items() for interaction in codes
}
"""By restful-interaction code; None is a request that is no interaction: its path or method is not known here.

http://hl7.org/fhir/R4/valueset-audit-event-sub-type.html
"""

KINDS[None] = Kind("E", _SOURCE, _DESTINATION)

_DICOM = {
    "dicom-store": ("C", "110104"),
    "dicom-import": ("C", "110107"),
    "dicom-retrieve": ("R", "110104"),
    "dicom-query": ("E", "110112"),
    "dicom-delete": ("D", "110105"),
}
KINDS |= {
    name: Kind(action, *_ROLES[action], type=coding(DICOM, code)) for name, (action, code) in _DICOM.items()
}
"""DICOM Instances Transferred, Import (of files), Query, DICOM Study Deleted.

https://dicom.nema.org/medical/dicom/current/output/chtml/part15/sect_A.5.html
"""


def outcome_of(status: int) -> Outcome:
    """The outcome of what was answered with an HTTP status."""
    if status < 400:
        return "0"
    return "4" if status < 500 else "8"
