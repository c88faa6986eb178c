"""ORC and OBR → ServiceRequest. http://hl7.org/fhir/uv/v2mappings, ORC[ServiceRequest] and OBR[ServiceRequest].

An order is known by its placer's number, else by its filler's, and by what is ordered, since one number may stand
for several services. docs/hl7v2.md#orders
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from importers.hl7v2 import actors, datatypes, identifiers, order_status, timing
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment
from importers.hl7v2.notes import remarks
from importers.hl7v2.order_group import OrderGroup
from importers.hl7v2.override import overridable
from importers.hl7v2.periods import span
from importers.hl7v2.subject import Subject
from resources.codec import Json


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of an order as Identifiers, and what is ordered as a short text."""

    placer: Json | None
    filler: Json | None
    service: str

    @property
    def filler_first(self) -> Json | None:
        return self.filler or self.placer

    @property
    def placer_first(self) -> Json | None:
        return self.placer or self.filler


def numbers(conversion: Conversion, group: OrderGroup) -> Numbers:
    """OBR-2, OBR-3 and OBR-4; ORC-2 and ORC-3 where OBR has none."""
    orc, obr = group.orc, group.obr
    found = []
    for field, code in ((2, "PLAC"), (3, "FILL")):
        number = None
        for segment in (obr, orc):
            if number is None and segment is not None and segment.raw(field):
                number = identifiers.entity(conversion, segment.value(field), code)
        found.append(number)
    return Numbers(found[0], found[1], service_of(obr))


def beside(conversion: Conversion, group: OrderGroup, found: Sequence[Json]) -> list[Json]:
    """The numbers of an ORC that are others than those of its OBR: some fillers number order and test apart."""
    orc, obr = group.orc, group.obr
    if orc is None or obr is None or group.shared:
        return []
    values = {each["value"] for each in found}
    others = [
        identifiers.entity(conversion, orc.value(field), code)
        for field, code in ((2, "PLAC"), (3, "FILL"))
        if orc.raw(field) and orc.raw(field) != obr.raw(field)
    ]
    return [each for each in others if each is not None and each["value"] not in values]


def service_of(obr: Segment | None) -> str:
    """The code of OBR-4, else its text."""
    if obr is None:
        return ""
    return obr.text(4) or obr.text(4, 4) or obr.text(4, 2)


def short(conversion: Conversion, number: Json) -> str:
    """A number with its system as part of a key: `LABSYS/F2001`."""
    own = conversion.config.derived_uri("id", "").rstrip("-")
    return f"{str(number.get('system', '')).removeprefix(own)}/{number['value']}"


@overridable("ORC")
def order(conversion: Conversion, group: OrderGroup, about: Subject, *, alone: bool = True) -> Draft | None:
    """The ServiceRequest of an order message; None where it has no number and names no service."""
    known = numbers(conversion, group)
    number = known.placer_first
    if number is None and not known.service:
        return None
    resource = _resource(conversion, group, about, known, result=False)
    match, same = _found_by(
        conversion, known, resource, alone=alone and order_status.refers_to_earlier(group.orc)
    )
    if not resource["identifier"]:
        del resource["identifier"]
    draft = conversion.add(resource, match, same=same)
    if not order_status.refers_to_earlier(group.orc):
        draft.adjust = order_status.still_ended
    return draft


def ordered(
    conversion: Conversion, group: OrderGroup, about: Subject, known: Numbers, *, alone: bool
) -> Draft | None:
    """The ServiceRequest that a result answers: pointed at, made where it is unknown and something is said of it.

    `alone`: no other service of this message has the number of this placer.
    """
    if about.patient is None:
        return None
    if known.placer is None and not (known.filler is not None and _says_more(group)):
        return None
    resource = _resource(conversion, group, about, known, result=True)
    match, _ = _found_by(conversion, known, resource, alone=alone)
    if not alone:
        match = match[:1]
    return conversion.add(
        resource, match + _as_receiver(conversion, group, known, alone=alone), role="reference"
    )


def _as_receiver(
    conversion: Conversion, group: OrderGroup, known: Numbers, *, alone: bool
) -> tuple[str, ...]:
    """Searches for an order whose placer is named nowhere: it is whoever gets the result."""
    message = conversion.message
    scope = message.receiving_facility or message.receiving_application
    value = next((s.value(2) for s in (group.obr, group.orc) if s is not None and s.raw(2)), None)
    if not scope or value is None or value.text(2) or value.text(3):
        return ()
    placer = identifiers.entity(conversion, value, "PLAC", scope)
    if placer is None:
        return ()
    queries = (identifiers.token(_own(conversion, placer, known.service)), identifiers.token(placer))
    return queries if alone else queries[:1]


def _says_more(group: OrderGroup) -> bool:
    obr, orc = group.obr, group.orc
    return (obr is not None and any(obr.raw(field) for field in (13, 16, 31))) or (
        orc is not None and orc.raw(12) != ""
    )


def _found_by(
    conversion: Conversion, known: Numbers, resource: Json, *, alone: bool
) -> tuple[tuple[str, ...], partial[bool] | None]:
    number = known.placer_first
    if number is None:
        return (), None
    if not known.service:
        return (identifiers.token(number),), None
    own = _own(conversion, number, known.service)
    resource["identifier"].append(own)
    if alone:
        return (identifiers.token(own), identifiers.token(number)), None
    return (identifiers.token(own), identifiers.token(number)), partial(
        _same_service, own, resource.get("code", {})
    )


def _own(conversion: Conversion, number: Json, service: str) -> Json:
    value = f"{short(conversion, number)}/{service}"
    return {"system": conversion.config.derived_uri("order"), "value": " ".join(value.split())}


def _same_service(own: Json, code: Json, stored: Json) -> bool:
    if own in stored.get("identifier", ()):
        return True
    mine = {(coding["system"], coding["code"]) for coding in code.get("coding", ())}
    others = {(each.get("system"), each.get("code")) for each in stored.get("code", {}).get("coding", ())}
    return bool(mine & others) if mine or others else code.get("text") == stored.get("code", {}).get("text")


def _resource(
    conversion: Conversion, group: OrderGroup, about: Subject, known: Numbers, *, result: bool
) -> Json:
    """`result`: the order is told along with its result, whose notes and insurance are not about the order."""
    orc, obr = group.orc, group.obr
    found = [number for number in (known.placer, known.filler) if number is not None]
    numbers_ = [*found, *beside(conversion, group, found)]
    resource: Json = {"resourceType": "ServiceRequest", "identifier": numbers_}
    if orc is not None and orc.raw(4) and (requisition := _requisition(conversion, orc)):
        resource["requisition"] = requisition
    if (parent := _parent(conversion, orc, obr)) is not None:
        resource["basedOn"] = [{"type": "ServiceRequest", "identifier": parent}]
    resource["status"] = order_status.status(orc, obr)
    resource["intent"] = "reflex-order" if obr is not None and obr.text(11) == "G" else "order"
    if obr is not None:
        _add_service(conversion, obr, resource)
    resource |= about.elements()
    if about.insurance and not result:
        resource["insurance"] = [*about.insurance]
    _add_schedule(conversion, group, resource)
    if orc is not None:
        _add_control(conversion, orc, obr, resource)
    _add_requester(conversion, orc, obr, resource)
    if not result and (told := remarks(conversion, group.notes)):
        resource["note"] = [*resource.get("note", ()), *told]
    return resource


def _parent(conversion: Conversion, orc: Segment | None, obr: Segment | None) -> Json | None:
    """The number of the order from which this one goes on: OBR-29 or ORC-8, of the placer or of the filler."""
    for segment, field in ((obr, 29), (orc, 8)):
        if segment is None or not segment.raw(field):
            continue
        value = segment.value(field)
        for part, code in ((1, "PLAC"), (2, "FILL")):
            number = identifiers.entity(conversion, value.component(part), code)
            if number is not None:
                return number
    return None


def _requisition(conversion: Conversion, orc: Segment) -> Json | None:
    """ORC-4: the group of orders; an EI, or since 2.7 an EIP."""
    value = orc.value(4)
    inner = value.component(1)
    return identifiers.entity(conversion, inner if inner.text(2) else value, "PGN")


def _add_service(conversion: Conversion, obr: Segment, resource: Json) -> None:
    if obr.raw(24) and (section := datatypes.codeable_concept(conversion, obr.value(24), "0074")):
        resource["category"] = [section]
    if obr.raw(4) and (code := datatypes.codeable_concept(conversion, obr.value(4))):
        resource["code"] = code
    details = concepts(conversion, obr, 46) + concepts(conversion, obr, 47)
    if details and "code" not in resource:
        resource["code"] = details.pop(0)
    if details:
        resource["orderDetail"] = details
    if reasons := concepts(conversion, obr, 31):
        resource["reasonCode"] = reasons


def concepts(conversion: Conversion, segment: Segment, field: int, table: str = "") -> list[Json]:
    """A CodeableConcept of each repetition."""
    if not segment.raw(field):
        return []
    found = (datatypes.codeable_concept(conversion, value, table) for value in segment.values(field))
    return [concept for concept in found if concept is not None]


def _add_schedule(conversion: Conversion, group: OrderGroup, resource: Json) -> None:
    orc, obr = group.orc, group.obr
    planned = timing.schedule(conversion, timing.told(group.timings, (orc, 7), (obr, 27)))
    priority = planned.priority or (obr.text(5) if obr is not None else "")
    resource |= datatypes.coded(conversion, "priority", "0485", priority)
    if planned.timing:
        resource["occurrenceTiming"] = planned.timing
    elif planned.start and planned.end:
        resource["occurrencePeriod"] = span(planned.start, planned.end)
    else:
        start = planned.start
        for field in (36, 6):
            if start is None and obr is not None and obr.raw(field):
                start = datatypes.date_time(conversion, obr.value(field))
        if start is not None:
            resource["occurrenceDateTime"] = start
    if planned.as_needed:
        resource["asNeededBoolean"] = True
    texts = list(planned.instructions)
    if obr is not None:
        texts += [value.text(2) or value.text(9) or value.text(1) for value in obr.values(13)]
    if told := [{"text": text} for text in texts if text]:
        resource["note"] = told


def _add_control(conversion: Conversion, orc: Segment, obr: Segment | None, resource: Json) -> None:
    if (
        orc.raw(9)
        and orc.text(1) in ("NW", "RO", "SN", "")
        and (written := datatypes.date_time(conversion, orc.value(9)))
    ):
        resource["authoredOn"] = written
    extensions = list(resource.get("extension", ()))
    if orc.raw(16) and (reason := datatypes.codeable_concept(conversion, orc.value(16))):
        if resource["status"] in ("revoked", "on-hold", "entered-in-error"):
            url = f"{datatypes.EXTENSION}request-statusReason"
            extensions.append({"url": url, "valueCodeableConcept": reason})
        else:
            known = resource.get("reasonCode", [])
            resource["reasonCode"] = known if reason in known else [*known, reason]
    phone = next(
        (s.value(field) for s, field in ((orc, 14), (obr, 17)) if s is not None and s.raw(field)), None
    )
    if phone is not None and (phone_point := datatypes.contact_point(conversion, phone)):
        url = f"{datatypes.EXTENSION}servicerequest-order-callback-phone-number"
        extensions.append({"url": url, "valueContactPoint": phone_point})
    if extensions:
        resource["extension"] = extensions
    if where := concepts(conversion, orc, 29, "0482"):
        resource["locationCode"] = where


def _add_requester(conversion: Conversion, orc: Segment | None, obr: Segment | None, resource: Json) -> None:
    """OBR-16, else ORC-12, else the ordering facility, ORC-21."""
    for segment, field in ((obr, 16), (orc, 12)):
        if segment is not None and segment.raw(field):
            requester = actors.practitioner(conversion, segment.value(field))
            if requester is not None:
                resource["requester"] = requester
                return
    if orc is not None and orc.raw(21) and (facility := actors.organization(conversion, orc.value(21))):
        resource["requester"] = facility
