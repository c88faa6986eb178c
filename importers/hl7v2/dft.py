"""Charges and accounts: DFT^P03 and P11 → ChargeItem, Procedure, Account; BAR^P01 to P12 → Account and what is billed.

The implementation guide has no map for these; HL7 v2.8.2 chapter 6 (FT1), docs/hl7v2.md#charges
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import actors, datatypes, identifiers, orders, service_request
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.override import overridable
from importers.hl7v2.periods import span
from importers.hl7v2.related_person import account
from importers.hl7v2.subject import Subject, subject
from resources.codec import Json

_STATUS = {
    "CG": "billable",
    "CD": "billable",
    "CR": "aborted",
    "AJ": "billable",
    "PY": "not-billable",
    "CO": "billable",
}
"""Table 0017"""
_ENDED = {"P02": "entered-in-error", "P06": "inactive"}


def charges(conversion: Conversion) -> None:
    """What was charged, with the orders and procedures it was charged for."""
    about, billed = _about(conversion)
    if conversion.message.first("ORC") or conversion.message.first("OBR") or conversion.message.first("OBX"):
        orders.add(conversion, about)
    for ft1 in conversion.message.all("FT1"):
        charge(conversion, ft1, about, billed)


def accounts(conversion: Conversion) -> None:
    """BAR: an account is opened (P01), updated (P05), ended (P06), purged (P02), or what is billed changes (P10, P12)."""
    _, billed = _about(conversion)
    ended = _ENDED.get(conversion.message.event)
    if billed is not None and ended is not None:
        billed.resource["status"] = ended
    if billed is None:
        told = "PID-18 is empty; nobody knows which account is meant"
        conversion.issue("PID-18", told, REQUIRED_FIELD_MISSING)


def _about(conversion: Conversion) -> tuple[Subject, Draft | None]:
    about = subject(conversion)
    pid = conversion.message.first("PID")
    if pid is None or about.person is None:
        return about, None
    billed = account(conversion, pid, about.person, about.visit)
    if billed is not None and about.insurance:
        billed.resource["coverage"] = [{"coverage": each} for each in about.insurance]
    return about, billed


@overridable("FT1")
def charge(conversion: Conversion, ft1: Segment, about: Subject, billed: Draft | None) -> Draft | None:
    """The ChargeItem of an FT1; None without a patient."""
    if about.patient is None:
        return None
    code = datatypes.codeable_concept(conversion, ft1.value(7)) or datatypes.codeable_concept(
        conversion, ft1.value(25)
    )
    own = _number(conversion, ft1)
    resource: Json = {"resourceType": "ChargeItem", "identifier": [own]}
    resource["status"] = _STATUS.get(ft1.text(6).upper(), "unknown")
    if code is None:
        code = {"text": ft1.text(8) or "charge"}
        conversion.issue(f"{ft1.place}-7", "Nothing says what is charged", REQUIRED_FIELD_MISSING)
    resource["code"] = code
    resource["subject"] = about.patient
    if about.encounter is not None:
        resource["context"] = about.encounter
    _add_times(conversion, ft1, resource)
    performers = [
        {"actor": actor}
        for value in ft1.values(20)
        if (actor := actors.practitioner(conversion, value)) is not None
    ]
    if performers:
        resource["performer"] = performers
    if department := datatypes.codeable_concept(conversion, ft1.value(13)):
        coding = department.get("coding", [{}])[0]
        resource["performingOrganization"] = {
            "display": department.get("text") or coding.get("display") or coding["code"]
        }
    if (amount := datatypes.decimal(ft1.text(10))) is not None:
        resource["quantity"] = {"value": amount}
    _add_price(conversion, ft1, resource)
    if ft1.raw(24) and (enterer := actors.practitioner(conversion, ft1.value(24))):
        resource["enterer"] = enterer
    if reasons := service_request.concepts(conversion, ft1, 19):
        resource["reason"] = reasons
    if (done := _procedure(conversion, ft1, about)) is not None:
        resource["service"] = [conversion.reference(done)]
    if billed is not None:
        resource["account"] = [conversion.reference(billed)]
    if product := datatypes.codeable_concept(conversion, ft1.value(29)):
        resource["productCodeableConcept"] = product
    texts = (ft1.text(8), ft1.text(9))
    if notes := [{"text": text} for text in texts if text and text != code.get("text")]:
        resource["note"] = notes
    return conversion.add(resource, (identifiers.token(own),))


def _number(conversion: Conversion, ft1: Segment) -> Json:
    """FT1-2, else what was charged when, of this order or message."""
    order = identifiers.entity(conversion, ft1.value(23)) if ft1.raw(23) else None
    if number := ft1.text(2):
        key = f"{conversion.facility}/{number}/{ft1.text(7) or ft1.text(25)}"
    else:
        whose = service_request.short(conversion, order) if order is not None else conversion.content
        key = "/".join((whose, ft1.raw(4), ft1.text(7) or ft1.text(25), ft1.text(1) or str(ft1.sequence)))
    return {"system": conversion.config.derived_uri("charge"), "value": " ".join(key.split())}


def _add_times(conversion: Conversion, ft1: Segment, resource: Json) -> None:
    if ft1.raw(4):
        value = ft1.value(4)
        start = datatypes.date_time(conversion, value.component(1))
        end = datatypes.date_time(conversion, value.component(2)) if value.text(2) else None
        if start and end and end != start:
            resource["occurrencePeriod"] = span(start, end)
        elif start:
            resource["occurrenceDateTime"] = start
    if ft1.raw(5) and (entered := datatypes.date_time(conversion, ft1.value(5))):
        resource["enteredDate"] = entered


def _add_price(conversion: Conversion, ft1: Segment, resource: Json) -> None:
    """FT1-11, the whole amount, else FT1-12, the price of one."""
    for field in (11, 12):
        if not ft1.raw(field):
            continue
        money = _money(ft1.value(field))
        if money is not None:
            resource["priceOverride"] = money
            return


def _money(value: Value) -> Json | None:
    """Money of a CP (its first component is an MO), or of a number alone in older versions."""
    amount = datatypes.decimal(value.text(1))
    if amount is None:
        return None
    currency = value.text(1, 2).upper()
    return {"value": amount, **({"currency": currency} if len(currency) == 3 and currency.isalpha() else {})}


def _procedure(conversion: Conversion, ft1: Segment, about: Subject) -> Draft | None:
    """FT1-25 → Procedure, unless a PR1 tells of it."""
    code = datatypes.codeable_concept(conversion, ft1.value(25)) if ft1.raw(25) else None
    if code is None or about.patient is None:
        return None
    key = f"{_number(conversion, ft1)['value']}/{ft1.text(25)}"
    own = {"system": conversion.config.derived_uri("procedure"), "value": key}
    coded = {(each["system"], each["code"]) for each in code.get("coding", ())}
    for draft in conversion.drafts:
        if draft.resource["resourceType"] == "Procedure":
            others = draft.resource["code"].get("coding", ())
            if coded & {(each["system"], each["code"]) for each in others}:
                return draft
    resource: Json = {"resourceType": "Procedure", "identifier": [own], "status": "completed", "code": code}
    resource |= about.elements()
    if ft1.raw(4) and (start := datatypes.date_time(conversion, ft1.value(4).component(1))):
        resource["performedDateTime"] = start
    performers = [
        {"actor": a} for value in ft1.values(20) if (a := actors.practitioner(conversion, value)) is not None
    ]
    if performers:
        resource["performer"] = performers
    return conversion.add(resource, (identifiers.token(own),))


EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    {
        **dict.fromkeys(("DFT", "DFT^P03", "DFT^P11"), charges),
        **dict.fromkeys(("BAR^P01", "BAR^P02", "BAR^P05", "BAR^P06", "BAR^P10", "BAR^P12"), accounts),
    }
)
