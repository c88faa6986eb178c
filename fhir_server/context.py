"""What an interaction is given and what it gives back: `Context`, `FhirRequest`, `Result`.

The core knows no HTTP: `rest` makes a `FhirRequest` of an HTTP request, `system` of a Bundle entry,
`importers` of a message, and all go the same way from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from resources.codec import Json

if TYPE_CHECKING:
    from fhir_server.search.site import Site
    from fhir_server.settings import Settings
    from fhir_server.store.store import Store
    from fhir_server.store.unit import Unit
    from importers.dicom.answers import Answer
    from importers.dicom.dicom import Dicom
    from importers.dicom.header import Header
    from importers.hl7v2.feed import Feed
    from resources.outcome import FHIRError, Issue

Query = tuple[tuple[str, str], ...]


@dataclass(slots=True, frozen=True)
class Agent:
    """Who asks, as far as it is known: network address, user agent, and an identity once there is one."""

    address: str | None = None
    user_agent: str | None = None
    who: Json | None = None
    """`AuditEvent.agent.who`, a Reference; None is an unknown caller."""


@dataclass(slots=True, frozen=True)
class Prefer:
    """http://hl7.org/fhir/R4/http.html#ops, http://hl7.org/fhir/R4/search.html#errors"""

    return_: str | None = None
    """`minimal`, `representation` or `OperationOutcome`"""
    lenient: bool = False


@dataclass(slots=True, frozen=True)
class Hl7v2:
    """A body that is HL7 v2: its bytes, the charset that Content-Type names, and whether FHIR is wanted in answer."""

    raw: bytes
    charset: str | None = None
    fhir: bool = False


@dataclass(slots=True)
class FhirRequest:
    """One interaction asked for, by its `restful-interaction` code; fields it has no use for are None."""

    interaction: str
    resource_type: str | None = None
    id: str | None = None
    version_id: str | None = None
    compartment: tuple[str, str] | None = None
    """(type, id) of the compartment that is searched"""
    query: Query = ()
    form: Query | None = None
    """The end of `query` that came in the body of a POST to `_search`; None where it is no such"""
    resource: Json | None = None
    patch: Json | list[Any] | None = None
    """FHIRPath Patch (Parameters) or JSON Patch (array of operations)"""
    if_match: frozenset[str] | None = None
    """Version ids; `*` stands for any"""
    if_none_match: frozenset[str] | None = None
    if_none_exist: str | None = None
    if_modified_since: datetime | None = None
    prefer: Prefer = field(default_factory=Prefer)
    agent: Agent = field(default_factory=Agent)
    request_id: str = ""
    validated: bool = False
    """The resource has been checked already, with the Bundle it came in"""
    assigned_id: str | None = None
    """The id a create inside a transaction was given before, so that others could refer to it"""
    large: bool = False
    """Worth judging beside the event loop"""
    warnings: tuple[Issue, ...] = ()
    """What was found when the resource was checked, and does not forbid it"""
    plain: bool = False
    """A Bundle whose criteria are those of R4 alone, that changes no SearchParameter, and whose PUTs without If-Match are
    of what is new"""
    key: str | None = None
    """What is marked as done under this key, with the writes it made, is not done again"""

    dicom: Sequence[Header | Answer] | None = None
    """Instances as they were read, or why they could not be, where the operation takes such"""
    hl7v2: Hl7v2 | None = None
    """Messages, where the operation takes such"""
    operation: str | None = None
    """Without `$`, where the interaction is `operation`"""
    path: str = ""
    """What was asked for, while it is not known which interaction that is"""

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), None)

    @property
    def where(self) -> str:
        """`Patient/1`, `Patient` or `the whole system`, for messages."""
        if self.resource_type is None:
            return "the whole system"
        return f"{self.resource_type}/{self.id}" if self.id else self.resource_type


@dataclass(slots=True)
class Result:
    """What came of an interaction."""

    status: int
    resource: Json | None = None
    resource_type: str | None = None
    id: str | None = None
    version: int | None = None
    last_modified: datetime | None = None
    created: bool = False
    changed: bool = True
    """False where a write found nothing to do"""
    repeated: bool = False
    """The key of the request was marked as done: nothing was done now"""
    outcome: Json | None = None
    """An OperationOutcome that goes along (information, warnings)"""
    body: bytes | None = None
    """An answer that is no FHIR, in the media type that was asked in"""
    headers: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    """Further versions the interaction wrote or showed, `Patient/1/_history/2`, for the audit trail"""
    patients: tuple[str, ...] = ()
    """`Patient/…` references the access was about, for the audit trail"""
    studies: tuple[tuple[str, int], ...] = ()
    """Study Instance UIDs the access was about, with how many instances of each"""

    @property
    def location(self) -> str | None:
        """`Patient/1/_history/2` of what was written."""
        if self.id is None or self.version is None:
            return None
        return f"{self.resource_type}/{self.id}/_history/{self.version}"


class Parameters(Protocol):
    """The search parameters as they are now; `fhir_server.interactions.own_parameters` knows them."""

    async def recent(self) -> Site:
        """As they were at most a second ago."""

    async def newest(self) -> Site: ...

    def forget(self) -> None:
        """They may have been changed."""


class Audit(Protocol):
    """Leaves an AuditEvent of each interaction; `fhir_server.audit.writer` does it."""

    def success(self, unit: Unit, request: FhirRequest, result: Result) -> None:
        """Adds the event to the unit of work that it commits with."""

    async def failure(self, request: FhirRequest, fault: FHIRError) -> None:
        """Returns when the event of a refusal or failure is durable."""


@dataclass(slots=True, frozen=True)
class Context:
    """What the server has at hand; made once by `app`, passed to every interaction."""

    settings: Settings
    store: Store
    audit: Audit
    site: Site
    """Base URL, time zone and search parameters"""
    parameters: Parameters
    secret: bytes
    """Signs paging cursors; the same in every worker"""
    feed: Feed | None = None
    """Messages of HL7 v2; None where none are taken (while something is loaded, say)"""
    dicom: Dicom | None = None
    """Instances of DICOM, and the studies they become; None as for messages"""

    def at(self, site: Site) -> Context:
        """The same with the search parameters of this site."""
        return self if site is self.site else replace(self, site=site)

    @property
    def base_url(self) -> str:
        """Without a slash at its end, for example http://127.0.0.1:8080/fhir"""
        return self.site.base_url
