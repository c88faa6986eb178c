"""Who and what took part: persons, institutions, machines, and the service that has the pixels.

Who has a number is found by it, or made; who has only a name is a reference with a display.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from importers.dicom import codes, identifiers, uids
from importers.dicom.names import human_names, shown
from importers.dicom.study import LOCAL, UIDS, StudyConversion, first
from importers.dicom.tables import facts
from resources.codec import Json

_CONNECTIONS = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
_FUNCTIONS = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_LABELS = {"PRF": "performer", "SPRF": "secondary performer", "DEV": "device"}


def practitioners(study: StudyConversion, names: Any, items: Any) -> list[Json]:
    """References to persons: names, and beside them in the same order their identification sequence."""
    listed = names if isinstance(names, list) else [names] if names else []
    numbered = list(items or ())
    found: list[Json] = []
    for number in range(max(len(listed), len(numbered))):
        name = listed[number] if number < len(listed) else {}
        item = numbered[number] if number < len(numbered) else {}
        made = _practitioner(study, name, item)
        if made is not None and made not in found:
            found.append(made)
    return found


def _practitioner(study: StudyConversion, name: Mapping[str, str], item: Mapping[str, Any]) -> Json | None:
    code = codes.coding(study, first(item, "PersonIdentificationCodeSequence"))
    display = shown(name) or (str(code.get("display", "")) if code else "")
    if code is None:
        return {"type": "Practitioner", "display": display} if display else None
    identifier: Json = {"system": code["system"], "value": code["code"]}
    resource: Json = {"resourceType": "Practitioner", "identifier": [identifier]}
    if named := human_names(name, "", []):
        resource["name"] = named
    draft = study.add(resource, (identifiers.token(identifier),), role="reference")
    return {**study.reference(draft), **({"display": display} if display else {})}


def performers(study: StudyConversion, values: Mapping[str, Any]) -> list[Json]:
    """ImagingStudy.series.performer: physicians, operators, and the machine."""
    physicians = practitioners(
        study,
        values.get("PerformingPhysicianName"),
        values.get("PerformingPhysicianIdentificationSequence"),
    )
    operators = practitioners(
        study, values.get("OperatorsName"), values.get("OperatorIdentificationSequence")
    )
    found = [{"function": _function("PRF"), "actor": each} for each in physicians]
    found += [{"function": _function("SPRF", "Operator"), "actor": each} for each in operators]
    machine = device(study, values)
    if machine is not None:
        found.append({"function": _function("DEV"), "actor": machine})
    institution = organization(study, values)
    if institution is not None:
        found.append({"actor": institution})
    return found


def _function(code: str, text: str = "") -> Json:
    made: Json = {"coding": [{"system": _FUNCTIONS, "code": code, "display": _LABELS[code]}]}
    return {**made, "text": text} if text else made


def device(study: StudyConversion, values: Mapping[str, Any]) -> Json | None:
    """A Reference to the machine; None where nothing tells it from others of its model."""
    model = [str(values.get(name, "")) for name in ("Manufacturer", "ManufacturerModelName")]
    serial = " ".join(str(values.get("DeviceSerialNumber", "")).split())
    found: list[Json] = []
    uid = str(values.get("DeviceUID", ""))
    if uid and uids.is_uid(uid):
        found.append({"system": UIDS, "value": f"urn:oid:{uid}"})
    if serial and all(model):
        system = study.derived("serial", *model)
        made = identifiers.identifier(study.config, serial, "SNO", (system, ""), "device")
        found += [made] if made is not None else []
    if not found:
        return None
    resource: Json = {"resourceType": "Device", "identifier": found}
    carriers = [str(each["UniqueDeviceIdentifier"]) for each in values.get("UDISequence", ()) if each]
    if carriers:
        resource["udiCarrier"] = [{"carrierHRF": each} for each in carriers]
    resource["status"] = "active"
    if model[0]:
        resource["manufacturer"] = model[0]
    if serial:
        resource["serialNumber"] = serial
    names = [(values.get("StationName"), "user-friendly-name"), (model[1], "model-name")]
    if named := [{"name": str(name), "type": kind} for name, kind in names if name]:
        resource["deviceName"] = named
    if model[1]:
        resource["modelNumber"] = model[1]
    if versions := values.get("SoftwareVersions"):
        resource["version"] = [{"value": each} for each in versions]
    draft = study.add(resource, tuple(identifiers.token(each) for each in found), role="reference")
    display = " ".join(each for each in model if each)
    return {**study.reference(draft), **({"display": display} if display else {})}


def organization(study: StudyConversion, values: Mapping[str, Any]) -> Json | None:
    """A Reference to the institution where it has a code; a name alone is in `location`."""
    code = codes.coding(study, first(values, "InstitutionCodeSequence"))
    name = str(values.get("InstitutionName", ""))
    if code is None or not name:
        return None
    identifier: Json = {"system": code["system"], "value": code["code"]}
    resource = {"resourceType": "Organization", "identifier": [identifier], "name": name}
    draft = study.add(resource, (identifiers.token(identifier),), role="reference")
    return {**study.reference(draft), "display": name}


def endpoint(study: StudyConversion) -> Json | None:
    """A Reference to the WADO-RS service that is configured for the source; it is never called from here."""
    address = study.config.endpoint
    if not address:
        return None
    identifier = {"system": f"{LOCAL}:endpoint", "value": quote(address, safe=":/.-_~")}
    resource: Json = {
        "resourceType": "Endpoint",
        "identifier": [identifier],
        "status": "active",
        "connectionType": {"system": _CONNECTIONS, "code": "dicom-wado-rs"},
        "payloadType": [{"coding": [{"system": facts.DCM, "code": "113014", "display": "Study"}]}],
        "payloadMimeType": ["application/dicom"],
        "address": address,
    }
    return study.reference(study.add(resource, (identifiers.token(identifier),)))
