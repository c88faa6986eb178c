"""Writes the AuditEvent of each access: with the write it is about, or before the answer leaves.

An access whose event cannot be written is refused: the store's 503 reaches the caller instead of the answer.

http://hl7.org/fhir/R4/auditevent.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from fhir_server.audit.codes import Outcome, outcome_of
from fhir_server.audit.event import Access, Source, audit_event, description, search_values
from fhir_server.context import FhirRequest, Result
from fhir_server.store.documents import Document, document, new_id, now, stamped
from resources.patients import patients_of

if TYPE_CHECKING:
    from fhir_server.search.site import Site
    from fhir_server.store.store import Store
    from fhir_server.store.unit import Unit
    from resources.outcome import FHIRError

SEARCHES = {"search-type", "search-system"}
METHODS = {
    "search-type": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "dicom-store": "POST",
    "dicom-delete": "DELETE",
}

ASKING = {"explain", "feed", "feed-message", "reindex-status", "instances"}
"""Operations that change nothing"""


class AuditWriter:
    """Makes AuditEvents and brings them into the store."""

    def __init__(self, store: Store, source: Source, site: Site) -> None:
        self._store = store
        self._source = source
        self._site = site

    def success(self, unit: Unit, request: FhirRequest, result: Result) -> None:
        """Adds the event of an interaction to the unit of work that it commits with."""
        found = self._access(
            request,
            "0",
            entities=_entities(request, result),
            patients=tuple(_patients(result)),
            studies=result.studies,
        )
        unit.record(self._stored(found))

    async def failure(self, request: FhirRequest, fault: FHIRError) -> None:
        """Stores the event of an interaction that was refused or failed."""
        found = self._access(request, outcome_of(fault.status), outcome_desc=description(fault.issues))
        await self._store.append([self._stored(found)])

    def _access(self, request: FhirRequest, outcome: Outcome, **told: Any) -> Access:
        """What the request says of itself, with what is told of its end."""
        return Access(
            interaction=request.interaction or None,
            recorded=now(),
            outcome=outcome,
            source=self._source,
            agent=request.agent,
            request_id=request.request_id,
            resource_type=request.resource_type,
            id=request.id,
            version=request.version_id,
            query=asked(request, self._site.base_url),
            **told,
        )

    def _stored(self, access: Access) -> Document:
        event = audit_event(access)
        values = search_values(access, event)
        return document(stamped(event, new_id(), 1, access.recorded), values, access.recorded)


def asked(request: FhirRequest, base_url: str) -> str | None:
    """Method and URL of a request that carries criteria; None for one that names its resource by id."""
    if request.path.startswith("/"):
        # DICOMweb is beside FHIR, not below its base.
        query = f"?{urlencode(request.query)}" if request.query else ""
        return f"{METHODS.get(request.interaction, 'GET')} {urljoin(base_url, request.path)}{query}"
    if not request.interaction:
        return f"{base_url}/{request.path}"
    if request.operation is not None:
        query = f"?{urlencode(request.query)}" if request.query else ""
        method = "GET" if request.operation in ASKING else "POST"
        return f"{method} {base_url}/${request.operation}{query}"
    if not request.query and request.if_none_exist is None and request.interaction not in SEARCHES:
        return None
    what = request.resource_type or ("*" if request.compartment else None)
    where = "/".join(part for part in (base_url, *(request.compartment or ()), what, request.id) if part)
    query = f"?{urlencode(request.query)}" if request.query else ""
    if request.form is not None:
        sent = request.query[: len(request.query) - len(request.form)]
        query = f"/_search{'?' if sent else ''}{urlencode(sent)} {urlencode(request.form)}".rstrip()
        return f"POST {where}{query}"
    condition = f" If-None-Exist: {request.if_none_exist}" if request.if_none_exist else ""
    return f"{METHODS.get(request.interaction, 'GET')} {where}{query}{condition}"


def _entities(request: FhirRequest, result: Result) -> tuple[str, ...]:
    return (*((result.location,) if result.location else ()), *result.also)


def _patients(result: Result) -> dict[str, None]:
    """The patients an answer is about, each once: of the resource, or of those in a Bundle."""
    found: dict[str, None] = dict.fromkeys(result.patients)
    resource = result.resource
    if resource is None:
        return found
    if resource["resourceType"] == "Bundle" and resource.get("type") in {"searchset", "history"}:
        for entry in resource.get("entry", ()):
            for patient in patients_of(entry["resource"]) if "resource" in entry else ():
                found[patient] = None
    else:
        found.update(dict.fromkeys(patients_of(resource)))
    return found
