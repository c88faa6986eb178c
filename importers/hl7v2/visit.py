"""What an ADT event does to a visit that is stored: its status, class and places with their histories.

HL7 v2.8.2 chapter 3.3 (events A01 to A62); http://hl7.org/fhir/R4/encounter.html#status
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from importers.hl7v2.update import moment as stored_moment
from resources.codec import Json
from resources.datatypes import date_interval

OPEN = frozenset({"planned", "arrived", "triaged", "in-progress", "onleave", "unknown"})

_STATUS = {
    "A03": "finished",
    "A05": "planned",
    "A11": "cancelled",
    "A13": "in-progress",
    "A14": "planned",
    "A21": "onleave",
    "A22": "in-progress",
    "A23": "entered-in-error",
    "A27": "cancelled",
    "A38": "cancelled",
    "A52": "in-progress",
    "A53": "onleave",
}
"""What the event alone decides; otherwise PV1-2 and PV1-45 do"""
_ADMISSIONS = {"A01", "A02", "A04", "A06", "A07", "A09", "A10", "A12", "A15", "A16", "A17", "A25", "A26"}
"""Events of patients who are there, whatever PV1-2 says"""
_REOPENING = {"A01", "A04", "A13", "A05", "A14"}
"""Events after which an ended visit is open"""
_MOVING = {"A02", "A17"}
"""Events that bring the patient to another place"""
_WITHDRAWING = {"A12", "A13"}
"""Events after which the patient is where he was before"""
_NO_PENDING = {"A02", "A03", "A11", "A26", "A27"}
"""Events after which no transfer is pending"""


@dataclass(slots=True)
class Visit:
    """What is told about a visit: by which event, which occurred when; `defaults` are elements that were not sent."""

    event: str
    moment: str | None
    defaults: set[str] = field(default_factory=set)


def status_of(visit: Visit, of_class: str, *, discharged: bool) -> str:
    """The status by the event, else by PV1-45, else by the class; it is a default where nothing says it."""
    decided = _STATUS.get(visit.event)
    if decided is not None:
        return decided
    if discharged:
        return "finished"
    if visit.event not in _ADMISSIONS:
        visit.defaults.add("status")
    return of_class or ("in-progress" if visit.event in _ADMISSIONS else "unknown")


def since(visit: Visit, encounter: Json) -> str | None:
    """Since when the patient is where the message says: the event, if it moved him, or the beginning of the visit."""
    if visit.event in _MOVING:
        return visit.moment
    if visit.event in _REOPENING - {"A13"}:
        start = encounter.get("period", {}).get("start")
        return None if start is None else str(start)
    return None


def adjusted(visit: Visit, stored: Json, merged: Json, told: Json, newer: bool) -> Json:
    """The stored visit after the event."""
    if not stored:
        places = _after(visit, [], told, told)
        return {**told, "location": places} if places else told
    if not newer:
        return merged
    result = dict(merged)
    for name in visit.defaults & stored.keys():
        result[name] = stored[name]
    result["status"] = _next_status(visit, stored["status"], result["status"])
    if result["status"] != stored["status"]:
        past = {"status": stored["status"], "period": _until(visit, stored, "statusHistory")}
        result["statusHistory"] = [*stored.get("statusHistory", []), past]
    if _code(result) != _code(stored):
        past = {"class": stored["class"], "period": _until(visit, stored, "classHistory")}
        result["classHistory"] = [*stored.get("classHistory", []), past]
    places = _after(visit, stored.get("location", []), result, told)
    if places:
        result["location"] = places
    return result


def _after(visit: Visit, before: list[Json], result: Json, told: Json) -> list[Json]:
    """The places after the event, which may have ended the visit."""
    sent = told.get("location", [])
    if result["status"] in OPEN:
        return _places(visit, before, sent)
    for temporary in (False, True):
        been = {
            _place(entry)
            for entry in before
            if entry.get("status") in {"active", "completed"} and _is_temporary(entry) == temporary
        }
        sent = [  # he left from where he had been
            entry
            for entry in sent
            if entry["status"] != "active" or _is_temporary(entry) != temporary or _place(entry) not in been
        ]
    return _closed(_places(visit, before, sent), result.get("period", {}).get("end") or visit.moment)


def _next_status(visit: Visit, stored: str, told: str) -> str:
    """An ended visit is not opened again, and one that began does not become planned, unless the event says so."""
    if visit.event in _REOPENING and visit.event not in {"A05", "A14"}:
        return told
    if stored not in OPEN and told in OPEN:
        return stored
    if told in {"planned", "unknown"} and stored in {"arrived", "triaged", "in-progress", "onleave"}:
        return stored
    return told


def _until(visit: Visit, stored: Json, history: str) -> Json:
    """The time of a past status or class: since the one before it, or since the visit began, until the event."""
    earlier = [past["period"].get("end") for past in stored.get(history, ())]
    start = (
        (earlier[-1] if earlier else None) or stored.get("period", {}).get("start") or stored_moment(stored)
    )
    end = visit.moment or stored.get("meta", {}).get("lastUpdated") or dt.datetime.now(dt.UTC).isoformat()
    if start is None or date_interval(start).start > date_interval(end).start:
        return {"end": end}
    return {"start": start, "end": end}


def _code(encounter: Json) -> Any:
    kind = encounter.get("class", {})
    return kind.get("system"), kind.get("code")


def _place(entry: Json) -> str:
    reference = entry["location"]
    return str(reference.get("reference") or reference.get("display"))


def _is_temporary(entry: Json) -> bool:
    return "extension" in entry


def _places(visit: Visit, stored: list[Json], told: list[Json]) -> list[Json]:
    """The places after the event: the one left is completed, the new one is active since then."""
    result = [dict(entry) for entry in stored]
    if visit.event in _NO_PENDING:
        result = [entry for entry in result if entry.get("status") not in {"reserved", "planned"}]
    for entry in told:
        status = entry.get("status")
        if status == "active":
            result = _moved(visit, result, entry)
        elif not any(_place(each) == _place(entry) and each.get("status") == status for each in result):
            if status in {"reserved", "planned"}:
                result = [each for each in result if each.get("status") != status]
            if status != "completed" or not any(_place(each) == _place(entry) for each in result):
                result.append(entry)
    return result


def _moved(visit: Visit, stored: list[Json], entry: Json) -> list[Json]:
    """The patient is at this place; temporary places and others do not end each other."""
    kind = _is_temporary(entry)
    active = [each for each in stored if each.get("status") == "active" and _is_temporary(each) == kind]
    if any(_place(each) == _place(entry) for each in active):
        return stored
    if visit.event in _WITHDRAWING:
        kept = [each for each in stored if each not in active]
        for back in reversed(kept):
            if _place(back) == _place(entry) and _is_temporary(back) == kind:
                back["status"] = "active"
                period = {name: bound for name, bound in back.get("period", {}).items() if name == "start"}
                back.pop("period", None)
                if period:
                    back["period"] = period
                return kept
        return [*kept, entry]
    fresh = {**entry, "period": {"start": visit.moment}} if visit.moment and stored else entry
    left = [each if each not in active else _closed([each], visit.moment)[0] for each in stored]
    return [*left, fresh]


def _closed(places: list[Json], end: str | None) -> list[Json]:
    """Those who were there have left."""
    result = []
    for entry in places:
        if entry.get("status") not in {"active", "completed"} or (entry.get("period", {}).get("end")):
            result.append(entry)
            continue
        start = entry.get("period", {}).get("start")
        left = {**entry, "status": "completed"}
        if (
            end
            and entry["status"] == "active"
            and not (start and date_interval(start).start > date_interval(end).start)
        ):
            left["period"] = {**entry.get("period", {}), "end": end}
        result.append(left)
    return result
