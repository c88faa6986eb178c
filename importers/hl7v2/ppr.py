"""Problems and goals: PPR^PC1 to PC3, PGL^PC6 to PC8 → Condition, Goal, and the orders they led to.

HL7 v2.8.2 chapter 12; docs/hl7v2.md#problems
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from importers.hl7v2 import datatypes, identifiers, orders
from importers.hl7v2.condition import problems
from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment
from importers.hl7v2.issue import REQUIRED_FIELD_MISSING
from importers.hl7v2.override import overridable
from importers.hl7v2.subject import Subject, subject
from resources.codec import Json

_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_DELETING = frozenset({"PC3", "PC8"})
_LIFECYCLE = {
    "AC": "accepted",
    "ACTIVE": "active",
    "IP": "active",
    "CM": "completed",
    "CA": "cancelled",
    "HD": "on-hold",
}


def care_plan(conversion: Conversion) -> None:
    """The problems and goals of a message, and its orders and observations."""
    about = subject(conversion)
    if about.person is None:
        return
    addressed = problems(conversion, about.person, about.visit)
    if conversion.message.event in _DELETING:
        for draft in addressed:
            coding = {"system": _VERIFICATION, "code": "entered-in-error"}
            draft.resource["verificationStatus"] = {"coding": [coding]}
            draft.resource.pop("clinicalStatus", None)
            draft.resource.pop("abatementDateTime", None)
            draft.clear = ("clinicalStatus",)
    for gol in conversion.message.all("GOL"):
        goal(conversion, gol, about, addressed)
    orders.add(conversion, about)


@overridable("GOL")
def goal(conversion: Conversion, gol: Segment, about: Subject, addressed: list[Draft]) -> Draft | None:
    """The Goal of a GOL; None where it names none."""
    description = datatypes.codeable_concept(conversion, gol.value(3))
    if description is None or about.patient is None:
        conversion.issue(
            f"{gol.place}-3", "The goal is missing; the segment was left out", REQUIRED_FIELD_MISSING
        )
        return None
    number = identifiers.entity(conversion, gol.value(4)) if gol.raw(4) else None
    if number is None:
        key = f"{conversion.facility}/{gol.text(3) or gol.text(3, 2)}"
        number = {"system": conversion.config.derived_uri("goal"), "value": " ".join(key.split())}
    deleted = gol.text(1).upper() in ("DE", "D") or conversion.message.event in _DELETING
    status = gol.text(18).upper() or gol.text(18, 2).upper()
    resource: Json = {
        "resourceType": "Goal",
        "identifier": [number],
        "lifecycleStatus": "entered-in-error" if deleted else _LIFECYCLE.get(status, "active"),
        "description": description,
        "subject": about.patient,
    }
    for field in (7, 2):
        if (
            "startDate" not in resource
            and gol.raw(field)
            and (start := datatypes.date(conversion, gol.value(field)))
        ):
            resource["startDate"] = start
    if gol.raw(8) and (due := datatypes.date(conversion, gol.value(8))):
        resource["target"] = [{"dueDate": due}]
    if addressed:
        resource["addresses"] = [conversion.reference(draft) for draft in addressed]
    return conversion.add(resource, (identifiers.token(number),))


EVENTS: Mapping[str, Callable[[Conversion], None]] = MappingProxyType(
    dict.fromkeys(("PPR^PC1", "PPR^PC2", "PPR^PC3", "PGL^PC6", "PGL^PC7", "PGL^PC8"), care_plan)
)
