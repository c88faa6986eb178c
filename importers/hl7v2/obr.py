"""OBR of a result → DiagnosticReport. http://hl7.org/fhir/uv/v2mappings, map OBR[DiagnosticReport].

A report is known by the filler's number, else by the placer's, and by OBR-4, since laboratories give one number to
several panels; of susceptibilities also by the isolate they are about. docs/hl7v2.md#results
"""

from __future__ import annotations

from importers.hl7v2 import actors, datatypes, identifiers, result_status, service_request, times
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING, TABLE_VALUE_NOT_FOUND
from importers.hl7v2.notes import remarks
from importers.hl7v2.obx import VITAL_SIGNS, Panel, kept_code
from importers.hl7v2.obx_origin import FUNCTION
from importers.hl7v2.obx_value import UNKNOWN_CODE
from importers.hl7v2.order_group import OrderGroup
from importers.hl7v2.override import overridable
from importers.hl7v2.periods import span
from importers.hl7v2.service_request import Numbers
from importers.hl7v2.subject import Subject
from resources.codec import Json

_NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
_LABORATORY = frozenset(
    [
        "BG",
        "BLB",
        "CG",
        "CH",
        "CP",
        "GE",
        "HM",
        "IMM",
        "LAB",
        "MB",
        "MCB",
        "MYC",
        "OSL",
        "SR",
        "SP",
        "TX",
        "VR",
    ]
)
_IMAGING = frozenset(["CT", "CUS", "NMR", "NMS", "OUS", "RAD", "RUS", "RX", "VUS", "XRC"])
"""Of table 0074, as categories of observations"""
_MEASURED = frozenset({"NM", "SN"})


def panel(conversion: Conversion, group: OrderGroup, known: Numbers, about: Subject) -> Panel:
    """What the observations of an OBR have in common."""
    obr = group.obr
    assert obr is not None
    shared = about.elements()
    shared |= effective(conversion, obr)
    issued = times.instant(obr.text(22), conversion.config.zone) if obr.raw(22) else None
    if issued:
        shared["issued"] = issued
    code = datatypes.codeable_concept(conversion, obr.value(4)) if obr.raw(4) else None
    moment = (datatypes.date_time(conversion, obr.value(22)) if obr.raw(22) else None) or conversion.moment
    return Panel(report_key(conversion, group, known), shared, code, _category(group), moment)


def effective(conversion: Conversion, obr: Segment) -> Json:
    """`effectiveDateTime` of OBR-7, or `effectivePeriod` of OBR-7 and OBR-8."""
    start = datatypes.date_time(conversion, obr.value(7)) if obr.raw(7) else None
    end = datatypes.date_time(conversion, obr.value(8)) if obr.raw(8) else None
    if end and end != start:
        return {"effectivePeriod": span(start, end)}
    return {"effectiveDateTime": start} if start else {}


def report_key(conversion: Conversion, group: OrderGroup, known: Numbers) -> str:
    """What the identifier of the report, and those of its observations, begin with; equal ones are numbered."""
    obr = group.obr
    assert obr is not None
    number = known.filler_first
    if number is not None:
        key = f"{service_request.short(conversion, number)}/{known.service}"
    else:
        moment = obr.raw(7) or conversion.message.datetime
        key = f"{conversion.facility}//{known.service}/{moment}"
        told = "The report has no number (OBR-2, OBR-3); it is known by its service and time"
        conversion.issue(f"{obr.place}-3", told, REQUIRED_FIELD_MISSING, "information")
    if parent := parent_result(obr):
        key += "/" + "/".join(part for part in parent if part)
    key = " ".join(key.split())
    times_seen = conversion.occurrence(f"DiagnosticReport {key}")
    return key if times_seen == 1 else f"{key}/#{times_seen}"


def _own(conversion: Conversion, key: str) -> Json:
    return {"system": conversion.config.derived_uri("report"), "value": key}


def parent_shown(obr: Segment | None) -> str:
    """OBR-26 as people read it: the isolate, or the code and sub-id by which it is named."""
    if obr is None:
        return ""
    value = obr.value(26)
    return value.text(3) or " ".join(
        text for text in (value.text(1, 2) or value.text(1, 1), value.text(2)) if text
    )


def parent_result(obr: Segment) -> tuple[str, str] | None:
    """OBR-26: code and sub-id of the observation that this order goes on from, such as the isolate tested."""
    if not obr.raw(26):
        return None
    value = obr.value(26)
    code = value.text(1, 1) or value.text(1, 4) or value.text(1, 2)
    return (code, value.text(2)) if code or value.text(2) else None


@overridable("OBR")
def report(conversion: Conversion, group: OrderGroup, known: Numbers, common: Panel) -> Draft:
    """The draft of a report, without its results."""
    obr = group.obr
    assert obr is not None
    own = _own(conversion, common.key)
    found = [number for number in (known.filler, known.placer) if number is not None]
    found += service_request.beside(conversion, group, found)
    resource: Json = {"resourceType": "DiagnosticReport", "identifier": [*found, own]}
    _add_status(conversion, group, resource)
    if obr.raw(24) and (section := datatypes.codeable_concept(conversion, obr.value(24), "0074")):
        resource["category"] = [section]
    elif common.category == "laboratory":
        resource["category"] = [{"coding": [{"system": _SECTIONS, "code": "LAB", "display": "Laboratory"}]}]
    resource["code"] = common.code or UNKNOWN_CODE
    resource |= common.shared
    _add_people(conversion, obr, resource)
    if told := remarks(conversion, group.notes):
        resource["extension"] = [{"url": _NOTE, "valueAnnotation": remark} for remark in told]
    draft = conversion.add(resource, (identifiers.token(own),), moment=common.moment)
    draft.adjust = result_status.settled
    return draft


_SECTIONS = "http://terminology.hl7.org/CodeSystem/v2-0074"


def _add_status(conversion: Conversion, group: OrderGroup, resource: Json) -> None:
    obr = group.obr
    assert obr is not None
    code = obr.text(25)
    status = result_status.REPORT.get(code.upper())
    if not code:
        said = (result_status.OBSERVATION.get(line.obx.text(11), "unknown") for line in group.results)
        resource["status"] = result_status.of_report(said)
        told = "OBR-25 is empty; the status of the report is that of its results"
        conversion.issue(f"{obr.place}-25", told, REQUIRED_FIELD_MISSING)
        return
    resource["status"] = status or "unknown"
    if status is None:
        told = "This code is not in table 0123; the status of the report is not known"
        conversion.issue(f"{obr.place}-25", told, TABLE_VALUE_NOT_FOUND)
    if code.upper() not in "CFPX":
        resource["_status"] = kept_code("0123", code)


def _category(group: OrderGroup) -> str:
    """The category of the observations: by OBR-24, else laboratory where something was measured of a patient's sample."""
    obr = group.obr
    assert obr is not None
    section = obr.text(24).upper()
    if section in _LABORATORY:
        return "laboratory"
    if section in _IMAGING:
        return "imaging"
    if section or any(line.obx.text(3) in VITAL_SIGNS for line in group.results):
        return ""
    if group.specimens or obr.raw(15) or any(line.obx.text(2) in _MEASURED for line in group.results):
        return "laboratory"
    return ""


def _add_people(conversion: Conversion, obr: Segment, resource: Json) -> None:
    if len(obr.fields) <= 32:
        return
    interpreters = [_named(conversion, value) for field in (32, 33) for value in obr.values(field)]
    if found := [each for each in interpreters if each]:
        resource["resultsInterpreter"] = found
    performers: list[Json] = []
    for field, role in ((34, "SPRF"), (35, "TRANS")):
        coding = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": role}
        function = {"url": FUNCTION, "valueCodeableConcept": {"coding": [coding]}}
        people = (_named(conversion, value) for value in obr.values(field))
        performers += [{"extension": [function], **person} for person in people if person is not None]
    if performers:
        resource["performer"] = performers


def _named(conversion: Conversion, value: Value) -> Json | None:
    """A Reference to the person of an NDL; some senders write an XCN instead."""
    inner = value.component(1)
    is_xcn = value.text(2) and times.date_time(value.text(2), conversion.config.zone) is None
    return actors.practitioner(conversion, value if is_xcn else inner)
