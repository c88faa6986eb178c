"""One message from what it says to what is written: interpreted, submitted, and again where somebody came in between."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Protocol

from importers.hl7v2.er7 import Message
from importers.hl7v2.issue import OTHER_ERROR, Issue
from importers.hl7v2.rows import Row, Status
from importers.submit import Find, Sender, Submit
from resources.codec import Json
from resources.outcome import FHIRError

CONFLICTS = 8
"""How often a message is reconciled again because others wrote what it is about"""
MOST_PARTS = 1000
"""Transactions of one merge"""
_IN_BETWEEN = {409, 412}
_AWAY = 503


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a message says, against what is stored: the transaction that makes it so (None: nothing changes)."""

    bundle: Json | None
    issues: tuple[Issue, ...] = ()
    found: tuple[str, ...] = ()
    """`Patient/…` that it is about"""
    merges: bool = False
    """It joins patients, which may take several transactions"""
    unfinished: bool = False
    """It takes another one after this"""


class Refused(Exception):
    """A message that is not processed; `status` is `error` (AE) or `rejected` (AR)."""

    def __init__(self, status: Status, issues: tuple[Issue, ...]) -> None:
        super().__init__("; ".join(issue.text for issue in issues))
        self.status = status
        self.issues = issues


class Interpret(Protocol):
    """Converts and reconciles; pure but for `find`."""

    async def __call__(self, message: Message, row: Row, find: Find, attempt: int = 0) -> Meaning: ...


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a message."""

    issues: tuple[Issue, ...] = ()
    written: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    status: Status = field(default="processed")


@dataclass(frozen=True, slots=True)
class Process:
    """What a message goes through: `interpret` says what it means, `find` what is stored, `submit` writes."""

    interpret: Interpret
    find: Find
    submit: Submit

    async def __call__(self, message: Message, row: Row, key: str) -> Done:
        """Interprets and submits once and for all (`key`); a FHIRError only while the database is away (503)."""
        try:
            return await self._parts(message, row, key)
        except Refused as refused:
            return Done(refused.issues, status=refused.status)
        except FHIRError as fault:
            if fault.status == _AWAY:
                raise
            return Done(_told(fault), status="error")

    async def _parts(self, message: Message, row: Row, key: str) -> Done:
        """One transaction; a merge of patients with much about them takes more, each with a key of its own."""
        written: list[str] = []
        part = 0
        while True:
            meaning, response = await self._submitted(message, row, f"{key}/{part}" if part else key)
            if meaning.bundle is not None and response is not None:
                written += versions(meaning.bundle, response)
            if not (meaning.unfinished or (meaning.merges and response is None)) or part == MOST_PARTS:
                break
            part += 1
        if not written:  # nothing was to be done; or who did it died before it could say so
            written += await _written_before(row, self.find)
        patients = dict.fromkeys(meaning.found)
        patients.update(dict.fromkeys(_address(each) for each in written if each.startswith("Patient/")))
        return Done(meaning.issues, tuple(written), tuple(patients))

    async def _submitted(self, message: Message, row: Row, key: str) -> tuple[Meaning, Json | None]:
        """What was asked and answered, reconciled again as often as others came in between."""
        for attempt in range(CONFLICTS):
            meaning = await self.interpret(message, row, self.find, attempt)
            if meaning.bundle is None:
                return meaning, None
            try:
                return meaning, await self.submit(meaning.bundle, sender_of(row), key)
            except FHIRError as fault:
                if fault.status not in _IN_BETWEEN:
                    raise
                last = fault
            await asyncio.sleep(random.uniform(0.5, 1) * min(0.01 * 2**attempt, 0.5))  # noqa: S311
        raise last


def versions(bundle: Json, response: Json) -> tuple[str, ...]:
    """The versions that came into being; not what a conditional create found to be there."""
    found = []
    for asked, answered in zip(bundle["entry"], response.get("entry", ()), strict=True):
        told = answered["response"]
        is_there = asked["request"]["method"] == "POST" and not told["status"].startswith("201")
        if "location" in told and not is_there:
            found.append(told["location"])
    return tuple(found)


async def _written_before(row: Row, find: Find) -> tuple[str, ...]:
    """What the Provenance of the message names, if there is one."""
    [found] = await find([("Provenance", f"entity:identifier={MESSAGE_SYSTEM}|{row.id}")])
    told = [f"Provenance/{each['id']}/_history/{each['meta']['versionId']}" for each in found]
    return tuple([target["reference"] for each in found for target in each["target"]] + told)


def _address(version: str) -> str:
    return version.partition("/_history/")[0]


SENDER_SYSTEM = "urn:fhir-server:hl7v2:sender"
"""System of the identifier of a sender: MSH-3 and MSH-4, with a bar between"""
MESSAGE_SYSTEM = "urn:fhir-server:hl7v2:message"
"""System of the identifier by which a Provenance names the stored message: the id of its row in the feed"""


def sender_of(row: Row) -> Sender:
    """Whom the audit trail names: the sending application, as it calls itself."""
    software = f"HL7 v2 over {row.peer.door} {row.peer.software or ''}".strip()
    who: Json = {"display": row.sender or "unknown sender"}
    if row.sender:
        who["identifier"] = {"system": SENDER_SYSTEM, "value": row.sender}
    return Sender(row.peer.address, software, who)


def _told(fault: FHIRError) -> tuple[Issue, ...]:
    """What was wrong with the resources, without the values in them."""
    return tuple(
        Issue(
            "",
            f"Cannot be stored: {each.code} at {', '.join(each.expression) or 'the whole'}",
            OTHER_ERROR,
            "error",
        )
        for each in fault.issues
        if each.severity in {"error", "fatal"}
    )
