"""An access as AuditEvent, after the IHE Basic Audit Log Patterns; pure.

An event is built for every request, so parts that say the same in many events are built once and shared. Whoever
gets an event may add members at its top (id, meta), and may change nothing inside it.

http://hl7.org/fhir/R4/auditevent.html, https://profiles.ihe.net/ITI/BALP/
"""

from __future__ import annotations

import ipaddress
import re
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, get_args

import msgspec

from fhir_server.audit import codes
from fhir_server.context import Agent
from fhir_server.search import reference, string, token
from fhir_server.search.index import search_document
from fhir_server.search.site import Site
from resources import registry
from resources.outcome import Issue
from resources.reference import parse

Json = dict[str, Any]

MAX_TEXT = 1000
"""Characters of what a client says about itself, and of the description of an outcome."""

MAX_QUERY = 16_384
"""Characters of a request that are kept; a URL is shorter, the body of a POST _search may not be."""

_ANONYMOUS = {"display": "anonymous"}
_PATIENT = re.compile(r"Patient/[A-Za-z0-9\-.]{1,64}")
_NOT_AN_ID = re.compile(r"[^A-Za-z0-9\-.]")


class Source:
    """The server as its events name it: `name` of the process or host, its FHIR `base_url`, its `site` (a place).

    Make one at start: it holds what all events of the server share.

    http://hl7.org/fhir/R4/auditevent-definitions.html#AuditEvent.source
    """

    __slots__ = ("element", "found", "here", "outcomes", "servers")

    def __init__(self, name: str, base_url: str, site: str | None = None) -> None:
        self.here = Site(base_url)
        observer = {"type": "Device", "display": name}
        network = {"address": base_url, "type": codes.URI}
        self.element: Json = {} if site is None else {"site": site}
        self.element |= {"observer": observer, "type": [codes.APPLICATION_SERVER]}
        self.servers: dict[str | None, Json] = {
            interaction: {"type": kind.server, "who": observer, "requestor": False, "network": network}
            for interaction, kind in codes.KINDS.items()
        }
        self.found = {code: search_document(self._skeleton(code), self.here) for code in codes.KINDS}
        self.outcomes = {
            outcome: search_document({"resourceType": "AuditEvent", "outcome": outcome}, self.here)["outcome"]
            for outcome in get_args(codes.Outcome)
        }

    def _skeleton(self, interaction: str | None) -> Json:
        """What all events of an interaction have in common."""
        kind = codes.KINDS[interaction]
        event: Json = {"resourceType": "AuditEvent", "type": kind.type, "action": kind.action}
        event |= {"agent": [self.servers[interaction]], "source": self.element}
        return {**event, "subtype": kind.subtype} if kind.subtype else event


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction that was carried out, or tried.

    `interaction` is a restful-interaction code, None for a request that is none; `recorded` is an aware datetime;
    `query` is method and URL as sent (`GET /Patient?name=x`, for POST _search with its body), for interactions that
    carry criteria; `entities` are the versions written or shown (`Patient/1/_history/2`), without them `resource_type`,
    `id` and `version` say what was asked for; `patients` are references to the patients it was about, as they stand in
    resources: those to patients elsewhere, or to nothing, are passed over.
    """

    interaction: str | None
    recorded: datetime
    outcome: codes.Outcome
    source: Source
    agent: Agent
    outcome_desc: str | None = None
    request_id: str = ""
    resource_type: str | None = None
    id: str | None = None
    version: int | str | None = None
    query: str | None = None
    entities: Sequence[str] = ()
    patients: Sequence[str] = ()
    studies: Sequence[tuple[str, int]] = ()
    """Study Instance UIDs, and how many instances of each it was about"""


def audit_event(access: Access) -> Json:
    """The AuditEvent of an access, without id and meta, which the store adds; KeyError: no such interaction.

    http://hl7.org/fhir/R4/auditevent.html
    """
    kind = codes.KINDS[access.interaction]
    event: Json = {"resourceType": "AuditEvent", "type": kind.type}
    if kind.subtype:
        event["subtype"] = kind.subtype
    event["action"] = kind.action
    event["recorded"] = access.recorded.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    event["outcome"] = access.outcome
    if access.outcome_desc and (told := _text(access.outcome_desc)):
        event["outcomeDesc"] = told
    event["agent"] = [_client(kind, access.agent), access.source.servers[access.interaction]]
    event["source"] = access.source.element
    if entities := _entities(access):
        event["entity"] = entities
    return event


def description(issues: Sequence[Issue]) -> str:
    """What failed, for `outcome_desc`: no more about patients than the request itself said.

    Diagnostics about a body quote values of it, so for those only the code and the place are told.
    """
    told = dict.fromkeys(_told(issue) for issue in issues if issue.severity in {"error", "fatal"})
    return "; ".join(told)[:MAX_TEXT]


def _told(issue: Issue) -> str:
    if issue.expression:
        return f"{issue.code} at {', '.join(issue.expression)}"
    return issue.code if issue.code == "structure" else f"{issue.code}: {issue.diagnostics}"


def _client(kind: codes.Kind, agent: Agent) -> Json:
    client: Json = {"type": kind.client, "who": agent.who or _ANONYMOUS}
    if agent.user_agent and (name := _text(agent.user_agent)):
        client["name"] = name
    client["requestor"] = True
    if agent.address:
        client["network"] = _network(agent.address)
    return client


@lru_cache(4096)
def _network(address: str) -> Json:
    # http://hl7.org/fhir/R4/valueset-network-type.html
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return {"address": _text(address) or "unknown", "type": codes.MACHINE_NAME}
    return {"address": address, "type": codes.IP_ADDRESS}


def _entities(access: Access) -> list[Json]:
    found: list[Json] = []
    if access.query:
        query = b2a_base64(
            access.query[:MAX_QUERY].encode("utf-8", "backslashreplace"), newline=False
        ).decode()
        found.append({"type": codes.SYSTEM_OBJECT, "role": codes.QUERY, "query": query})
    for each in access.entities or _target(access):
        what = {"reference": each}
        found.append({"what": what, "type": codes.SYSTEM_OBJECT, "role": codes.DOMAIN_RESOURCE})
    patients = dict.fromkeys(_patient(each, access.source.here) for each in access.patients)
    found += [
        {"what": {"reference": each}, "type": codes.PERSON, "role": codes.PATIENT}
        for each in patients
        if each
    ]
    found += [_study(uid, count) for uid, count in access.studies]
    if access.request_id and (request_id := _text(access.request_id)):
        found.append({"what": {"identifier": {"value": request_id}}, "type": codes.REQUEST_ID})
    return found


def _study(uid: str, instances: int) -> Json:
    return {
        "what": {"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}},
        "type": codes.SYSTEM_OBJECT,
        "role": codes.REPORT,
        "detail": [{"type": "instances", "valueString": str(instances)}],
    }


def _patient(text: str, here: Site) -> str | None:
    """`Patient/id` of a reference as a client may have written it; None if it leads to no patient of this server."""
    if _PATIENT.fullmatch(text):
        return text
    parsed = parse(text).relative_to(here.base_url)
    return parsed.address if parsed.type == "Patient" and parsed.is_local else None


def _target(access: Access) -> tuple[str, ...]:
    """What was asked for, where it can be a reference: anything may stand in a URL."""
    if access.id is None or access.resource_type is None or not registry.is_resource(access.resource_type):
        return ()
    version = "" if access.version is None else str(access.version)
    if _NOT_AN_ID.search(access.id + version) or not 0 < len(access.id) <= 64 or len(version) > 64:
        return ()
    target = f"{access.resource_type}/{access.id}"
    return (f"{target}/_history/{version}" if version else target,)


def _text(value: str) -> str:
    """A FHIR string of what may be any text: no control characters, no halves of surrogate pairs; may be empty."""
    cut = value[:MAX_TEXT]
    if not cut.isprintable():
        cut = "".join(sign if sign.isprintable() else " " for sign in cut)
    return cut.strip()


def search_values(access: Access, event: Json) -> Json:
    """What the event of the access is found by: the same as `search.index.search_document(event)`, for less.

    http://hl7.org/fhir/R4/auditevent.html#search
    """
    source = access.source
    found = dict(source.found[access.interaction])
    found["outcome"] = source.outcomes[access.outcome]
    moment = access.recorded.astimezone(UTC)
    start = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    found["date"] = {"s": start, "e": start + _MILLISECOND}
    client = event["agent"][0]
    if "name" in client:
        found["agent-name"] = _text_values(client["name"])[0]
    if "network" in client:
        found["address"] = _values([*_text_values(client["network"]["address"]), found["address"]])
    if access.agent.who is not None:
        _add_who(found, access.agent.who, source.here)
    if "entity" in event:
        _add_entities(found, event["entity"])
    return found


_MILLISECOND = timedelta(milliseconds=1)
_ENTITY_TYPES = {
    each["code"]: token.terms(**each) for each in (codes.PERSON, codes.SYSTEM_OBJECT, codes.REQUEST_ID)
}
_ENTITY_ROLES = {
    each["code"]: token.terms(**each)
    for each in (codes.PATIENT, codes.DOMAIN_RESOURCE, codes.QUERY, codes.REPORT)
}


@lru_cache(4096)
def _text_values(text: str) -> list[str]:
    return string.index("string", text, Site(""))


def _values(values: Sequence[str]) -> Any:
    """As the index keeps them: one value alone, several as a list, none as null."""
    distinct = list(dict.fromkeys(values))
    return None if not distinct else distinct[0] if len(distinct) == 1 else distinct


def _add_who(found: Json, who: Json, here: Site) -> None:
    values = {"": reference.index("Reference", who, here)}
    values |= {f":{name}": some for name, some in reference.further("Reference", who, here).items()}
    parsed = parse(who.get("reference", ""))
    kind = parsed.type if parsed.id else who.get("type")
    for parameter in ("agent", "patient") if kind == "Patient" else ("agent",):
        found.update({parameter + suffix: _values(some) for suffix, some in values.items()})


def _add_entities(found: Json, entities: Sequence[Json]) -> None:
    """Their references are `Type/id` or `Type/id/_history/v`: this server wrote them itself."""
    types = dict.fromkeys(each["type"]["code"] for each in entities)
    roles = dict.fromkeys(each["role"]["code"] for each in entities if "role" in each)
    found["entity-type"] = [term for code in types for term in _ENTITY_TYPES[code]]
    if roles:
        found["entity-role"] = [term for code in roles for term in _ENTITY_ROLES[code]]
    addresses: list[str] = []
    versions: list[str] = []
    identifiers: list[str] = []
    for entity in entities:
        what = entity.get("what")
        if what is None:
            continue
        if "reference" in what:
            text = what["reference"]
            addresses.append(text.partition("/_history/")[0])
            if len(addresses[-1]) != len(text):
                versions.append(text)
        else:
            identifier = what["identifier"]
            identifiers += token.terms(identifier.get("system"), identifier["value"])
    if identifiers:
        found["entity:identifier"] = list(dict.fromkeys(identifiers))
    if addresses or identifiers:
        found["entity"] = _values(addresses)
    if versions:
        found["entity:versioned"] = _values(versions)
    _add_patients(found, "patient", addresses)
    _add_patients(found, "patient:versioned", versions)


def _add_patients(found: Json, parameter: str, references: Sequence[str]) -> None:
    patients = [each for each in references if each.startswith("Patient/")]
    if patients:
        present = found.get(parameter) or []
        found[parameter] = _values([*(present if isinstance(present, list) else [present]), *patients])
