"""From the bytes of instances to the answers their sender gets, the same for every door."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Protocol

from pydicom.tag import BaseTag

from importers.dicom import answers, json_model, uids
from importers.dicom.answers import Answer
from importers.dicom.arrivals import Outcome
from importers.dicom.dataset import DEFAULT, contents, read
from importers.dicom.header import Header, NotDicom, Refused
from importers.dicom.sources import SourceConfig
from importers.dicom.spool import Spool
from resources.codec import Json

_TAGS = [BaseTag(0x00080016), BaseTag(0x00080018)]
_NAMES = ["00080016", "00080018"]
"""SOP Class and SOP Instance UID"""


class Arrive(Protocol):
    """Keeps instances durably; `importers.dicom.arrivals` does it."""

    async def add(self, headers: Sequence[Header], source: SourceConfig) -> list[Outcome]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """One instance as it came: the bytes of a file, of a data set in `transfer_syntax`, or a data set in DICOM JSON.

    `sop_class` and `sop_uid` are what the sender says beside it, if anything.
    """

    body: Spool | Json
    transfer_syntax: str | None = None
    sop_class: str = ""
    sop_uid: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to a part, and what became of it where it got as far as the store."""

    answer: Answer
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads headers beside the event loop, and keeps what they say."""

    arrivals: Arrive
    executor: Executor | None = None

    async def take(
        self, parts: Sequence[Part], source: SourceConfig, study_uid: str | None = None
    ) -> list[Taken]:
        """An answer to each, in order; with `study_uid` those of other studies are refused.

        What is answered as stored is durable. Parts are closed. Nothing is raised that is about one of them; a FHIRError
        with 503 says that the database is away, and that all may be sent again.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self.executor, read_all, parts, study_uid)
        headers = [each for each in found if isinstance(each, Header)]
        outcomes = iter(await self.arrivals.add(headers, source) if headers else ())
        return [
            Taken(answer(each, outcome := next(outcomes), source), outcome)
            if isinstance(each, Header)
            else Taken(each)
            for each in found
        ]


def enough(transfer_syntax: str | None = None) -> Spool:
    """A spool that keeps of an instance what its header needs."""

    def settled(head: bytes) -> bool:
        spool = Spool(lambda _: True)
        spool.write(head)
        try:
            header = read(spool, DEFAULT, transfer_syntax)
            # Where no pixels follow, nothing shows that the header is over, and of reports more than it is read.
            return header.complete and uids.has_pixels(header.sop_class)
        except NotDicom:
            return True
        except Refused:
            return False

    return Spool(settled)


def read_all(parts: Sequence[Part], study_uid: str | None = None) -> list[Header | Answer]:
    """The header of each, in order, or why it has none that can be taken; parts are closed."""
    return [opened(part, study_uid) for part in parts]


def opened(part: Part, study_uid: str | None = None) -> Header | Answer:
    """The header of a part, or why it has none that can be taken. The part is closed."""
    try:
        header = _header(part)
    except NotDicom as fault:
        return Answer(part.sop_class, part.sop_uid, answers.CANNOT_UNDERSTAND, text=str(fault))
    except Refused as fault:
        return replace(_who(part), failure=fault.status, text=fault.text)
    finally:
        if isinstance(part.body, Spool):
            part.body.close()
    if study_uid is not None and header.study_uid != study_uid:
        return _named(header, answers.OTHER_STUDY, "It is of another study than the one of the URL")
    if part.sop_uid and (header.sop_uid, header.sop_class) != (part.sop_uid, part.sop_class):
        told = "Class and UID of the data set are not those of the request"
        return Answer(part.sop_class, part.sop_uid, answers.REQUIRED_MISSING, text=told)
    return header


def _who(part: Part) -> Answer:
    """Which instance a part is, as far as it says so, though it cannot be taken."""
    if part.sop_uid:
        return Answer(part.sop_class, part.sop_uid)
    if not isinstance(part.body, Spool):
        return Answer(_text(part.body, _NAMES[0]), _text(part.body, _NAMES[1]))
    try:
        found = contents(part.body.opened(), DEFAULT, part.transfer_syntax, [*_TAGS], _TAGS[-1])
    except (NotDicom, Refused):
        return Answer()
    told = [found.dataset.get_item(tag) for tag in _TAGS]
    sop_class, sop_uid = ("" if each is None else _plain(each.value) for each in told)
    return Answer(sop_class, sop_uid)


def _text(dataset: Json, tag: str) -> str:
    """The value of a UID in DICOM JSON, whose elements may be anything."""
    element = dataset.get(tag)
    value = element.get("Value") if isinstance(element, dict) else None
    text = value[0] if isinstance(value, list) and value else ""
    return text if isinstance(text, str) and uids.is_uid(text) else ""


def _plain(value: object) -> str:
    text = value.decode("latin-1").strip("\0 ") if isinstance(value, bytes) else ""
    return text if uids.is_uid(text) else ""


def _header(part: Part) -> Header:
    if isinstance(part.body, Spool):
        if part.body.overflown:
            raise Refused(answers.OUT_OF_RESOURCES, "Its header is larger than this server reads")
        return read(part.body.opened(), DEFAULT, part.transfer_syntax)
    return json_model.read(part.body)


def _named(header: Header, failure: int, text: str) -> Answer:
    return Answer(header.sop_class, header.sop_uid, failure, text=text)


def answer(header: Header, outcome: Outcome, source: SourceConfig) -> Answer:
    """What is told of an instance that the store has decided about."""
    if outcome.status == "quarantined":
        return _named(header, answers.PROCESSING_FAILURE, outcome.reason)
    if not outcome.durable:
        return _named(header, answers.CANNOT_UNDERSTAND, outcome.reason)
    warning = None if source.index_only else answers.ELEMENTS_DISCARDED
    text = outcome.reason
    if outcome.status == "kept_first":
        warning = answers.DUPLICATE
    elif not header.complete and uids.has_pixels(header.sop_class):
        warning, text = answers.NO_MATCH, "An image was expected, but nothing comes after the header"
    return Answer(header.sop_class, header.sop_uid, warning=warning, text=text)
