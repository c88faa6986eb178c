"""A message on its way to become FHIR: what has been made of it, and what is to be told about it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property

from importers.hl7v2 import identifiers, times
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.er7 import Message, Value
from importers.hl7v2.issue import OTHER_ERROR, Issue, Severity
from importers.hl7v2.tables import codes
from importers.hl7v2.tables.codes import Coding
from importers.hl7v2.update import rivals
from resources.codec import Json

__all__ = ["Conversion", "ConversionError", "Draft", "Issue"]

Same = Callable[[Json], bool]
Adjust = Callable[[Json, Json, Json, bool], Json]

_NAMESPACE = uuid.UUID("6f6e2d10-7d0b-4f6b-9c1a-2b6c3f0e7a41")


class ConversionError(Exception):
    """The message cannot become FHIR: `issue` says why; nothing of it is stored as clinical data."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.text)
        self.issue = issue


@dataclass(slots=True, eq=False)
class Draft:
    """A resource as the message has it, before it is compared with what is stored."""

    resource: Json
    """refers to other drafts by their `url`"""
    url: str
    """`urn:uuid:…`, the same whenever the same message is converted again"""
    match: tuple[str, ...] = ()
    """searches, each of which would find the same thing, in order; empty: it is always new"""
    clear: tuple[str, ...] = ()
    """names of elements that the sender deletes with `\"\"`"""
    moment: str | None = None
    """when, says the sender, these facts held: a FHIR dateTime"""
    role: str = "fact"
    """`fact`; `reference`: only to be pointed at, created if unknown, otherwise not changed but for gaps; or `known`:
    not created if unknown, so that of references to it only the identifier remains"""
    same: Same | None = None
    """which of the resources that `match` finds is the same thing; None: any"""
    adjust: Adjust | None = None
    """(stored, merged, told, newer) → what becomes of the stored resource, where that is more than its elements"""
    moves: bool = False
    """it may belong to another patient until now"""
    replaced_by: str | None = None
    """url of the patient, or the visit, into which this one is merged"""


@dataclass(slots=False, eq=False)
class Conversion:
    """What becomes of one message. `key` makes the urls of its drafts: the id of its row in the feed."""

    message: Message
    config: FeedConfig
    key: str = ""
    drafts: list[Draft] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    named: dict[Hashable, Draft] = field(default_factory=dict)
    """drafts of those who have no number, by what they are known by in this message"""
    units: dict[str, Json] = field(default_factory=dict)
    """units of quantities, by how they stand in the message"""
    _matched: dict[tuple[str, str], Draft] = field(default_factory=dict)
    _occurrences: dict[str, int] = field(default_factory=dict)
    _systems: dict[str, str] = field(default_factory=dict)

    @cached_property
    def moment(self) -> str | None:
        """When the facts of this message held, unless a segment says otherwise: EVN-2, else MSH-7.

        A moment in the future is none: it would make everything that is told until then an older message.
        """
        recorded = self.message.first("EVN")
        told = (recorded.text(2) if recorded is not None else "", self.message.datetime)
        found = (times.date_time(each, self.config.zone) for each in told)
        return next((each for each in found if each is not None and not times.is_future(each)), None)

    @cached_property
    def content(self) -> str:
        """Stands for the number of what has none: the same for a message that says the same at the same time, also where
        it was sent again under another MSH-10.
        """
        header = self.message.header.fields
        said = ["|".join((*header[:10], *header[11:])), *(each.line for each in self.message.segments[1:])]
        return hashlib.sha256("\r".join(said).encode("utf-8", "surrogatepass")).hexdigest()[:20]

    @cached_property
    def _urls(self) -> str:
        """What all urls begin with: a UUID of the key, without its last twelve digits, which count the drafts."""
        return f"urn:uuid:{uuid.uuid5(_NAMESPACE, self.key)}"[:-12]

    @cached_property
    def facility(self) -> str:
        """Whose numbers and local codes they are when nobody is named: MSH-4, else MSH-3."""
        return identifiers.facility(self.message)

    def add(
        self,
        resource: Json,
        match: tuple[str, ...] = (),
        *,
        clear: tuple[str, ...] = (),
        moment: str | None = None,
        role: str = "fact",
        same: Same | None = None,
    ) -> Draft:
        """A draft of the resource; one that matches an earlier draft of this message is that one, completed.

        With `same`, which tells apart what `match` finds, each is a draft of its own.
        """
        kind = resource["resourceType"]
        for query in match if same is None else ():
            known = self._matched.get((kind, query))
            if known is not None:
                return self._complete(known, resource, match, role)
        url = f"{self._urls}{len(self.drafts):012x}"
        draft = Draft(resource, url, match, clear, moment or self.moment, role, same)
        self.drafts.append(draft)
        for query in match if same is None else ():
            self._matched[kind, query] = draft
        return draft

    def occurrence(self, key: str) -> int:
        """How often a key has come up in this message, this time included."""
        number = self._occurrences[key] = self._occurrences.get(key, 0) + 1
        return number

    def _complete(self, known: Draft, resource: Json, match: tuple[str, ...], role: str) -> Draft:
        replaces = role == "fact" and known.role == "reference"
        if replaces:
            known.role = role
        kind = resource["resourceType"]
        for name, value in resource.items():
            others = [other for other in rivals(kind, name) if other in known.resource]
            if replaces or (name not in known.resource and not others):
                for other in others:
                    del known.resource[other]
                known.resource[name] = value
        known.match += tuple(query for query in match if query not in known.match)
        for query in match:
            self._matched[resource["resourceType"], query] = known
        return known

    def reference(self, draft: Draft) -> Json:
        """A Reference to a draft."""
        return {"reference": draft.url}

    def issue(self, place: str, text: str, code: str = OTHER_ERROR, severity: Severity = "warning") -> None:
        """Tells something about a place in the message (`Value.place`, or `Issue.place` by hand); no values in `text`."""
        self.issues.append(Issue(place, text, code, severity))

    def code(self, table: str, value: str) -> Coding | None:
        """The Coding of a code of an HL7 table (`0001`, `0004/status`), by the feed's own map first; None if unknown.

        The Coding is shared: copy it into a resource.
        """
        if not value:
            return None
        own = self.config.code_maps.get(table)
        if own is not None and (known := own.get(value)) is not None:
            return known
        return codes.lookup(table, value)

    def coding_system(self, name: str) -> str:
        """The URI of a coding system by its name in the message; local and unnamed ones get a derived one."""
        known = self._systems.get(name)
        if known is None:
            known = self._systems[name] = self._coding_system(name)
        return known

    def _coding_system(self, name: str) -> str:
        configured = self.config.code_systems.get(name)
        known = configured or (
            codes.system_uri(name) or identifiers.universal_uri(name, "") if name else None
        )
        return known or self.config.derived_uri("code", self.facility, name or "L")

    def identifier(self, value: Value, scope: str | None = None) -> Json | None:
        """An Identifier of a CX; see `identifiers.identifier`."""
        return identifiers.identifier(self, value, scope)
