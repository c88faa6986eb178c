"""What must hold whatever was killed: the ledger of the clients against what MongoDB has."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from pymongo import MongoClient
from pymongo.read_concern import ReadConcern

from fhir_server.store.documents import CODEC_OPTIONS
from resources import codec
from tests.durability.load import SYSTEM, Attempt, Ledger
from tests.durability.server import mongo

Version = tuple[str, str, int]

ANSWERS = {200, 201, 204, 404, 409, 410, 412, 503}
"""What the load may be answered; a 500 or anything else is a violation"""


@dataclass(slots=True)
class Stored:
    """Everything in the database, and the AuditEvents by what they are about."""

    versions: dict[Version, dict[str, Any]] = field(default_factory=dict)
    twice: list[Version] = field(default_factory=list)
    current: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    by_token: dict[str, list[Version]] = field(default_factory=lambda: defaultdict(list))


def read_all(client: MongoClient[dict[str, Any]], database: str = "fhir") -> Stored:
    stored = Stored()
    db = client.get_database(database, codec_options=CODEC_OPTIONS, read_concern=ReadConcern("majority"))
    for name in db.list_collection_names():
        if not name[:1].isupper() or name == "AuditEvent.history":
            continue
        if name == "AuditEvent":
            stored.events += [document["r"] for document in db[name].find()]
            continue
        resource_type = name.removesuffix(".history")
        for document in db[name].find():
            if name.endswith(".history"):
                version = (resource_type, document["_id"]["id"], document["_id"]["v"])
            else:
                version = (resource_type, document["_id"], document["v"])
                stored.current[resource_type, document["_id"]] = document
            if version in stored.versions:
                stored.twice.append(version)
            stored.versions[version] = document
            for identifier in document.get("r", {}).get("identifier", ()):
                if identifier["system"] == SYSTEM:
                    stored.by_token[identifier["value"]].append(version)
    return stored


def judged(ledger: Ledger, uri: str, database: str = "fhir") -> Stored:
    """What is stored, when no promise is broken; fails with the first of those that are."""
    with mongo(uri) as client:
        stored = read_all(client, database)
    found = violations(ledger, stored)
    print(ledger.summary(), f"{len(stored.versions)} versions, {len(stored.events)} events")
    assert not found, "\n".join([f"{len(found)} violations:", *found[:20]])
    assert len(ledger.of(200, 201, 204)) > 100, ledger.figures()
    return stored


def violations(ledger: Ledger, stored: Stored) -> list[str]:
    """Every broken promise, in words; empty when all were kept."""
    return [
        *_answers(ledger),
        *_acknowledged(ledger, stored),
        *_all_or_nothing(ledger, stored),
        *_versions(stored),
        *_audited_writes(stored),
        *_audited_requests(ledger, stored),
        *_no_duplicates(ledger, stored),
    ]


def _answers(ledger: Ledger) -> list[str]:
    wrong = []
    for attempt in ledger.attempts:
        if attempt.status is not None and attempt.status not in ANSWERS:
            wrong.append(f"{attempt.kind} answered {attempt.status}: {attempt.outcome[:300]}")
        if attempt.status == 503 and (
            attempt.retry_after is None or "OperationOutcome" not in attempt.outcome
        ):
            wrong.append(f"503 without Retry-After or OperationOutcome: {attempt.outcome[:300]}")
    return wrong


def _acknowledged(ledger: Ledger, stored: Stored) -> list[str]:
    wrong = []
    for attempt in ledger.of(200, 201):
        if attempt.kind in {"create", "update", "conditional create", "conditional update", "read"}:
            wrong += _same(attempt.kind, codec.decode(attempt.body), stored)
        elif attempt.kind in {"transaction", "batch"}:
            wrong += _same_entries(attempt, stored)
    for attempt in ledger.of(204):
        if attempt.kind == "delete" and not any(
            attempt.request_id in request_ids(e) for e in _deletions(stored)
        ):
            wrong.append(f"an acknowledged delete has no event: {attempt.request_id}")
    return wrong


def _deletions(stored: Stored) -> list[dict[str, Any]]:
    return [event for event in stored.events if event["action"] == "D"]


def _same(kind: str, resource: dict[str, Any], stored: Stored) -> list[str]:
    version = (resource["resourceType"], resource["id"], int(resource["meta"]["versionId"]))
    document = stored.versions.get(version)
    if document is None:
        return [f"{kind}: {version} was acknowledged and is lost"]
    if codec.encode(document.get("r", {})) != codec.encode(resource):
        return [f"{kind}: {version} is not what was acknowledged"]
    return []


def _same_entries(attempt: Attempt, stored: Stored) -> list[str]:
    wrong = []
    for entry in codec.decode(attempt.body)["entry"]:
        response = entry["response"]
        status = int(response["status"][:3])
        if status not in ANSWERS:
            wrong.append(f"an entry of a {attempt.kind} answered {response}")
        if status in {200, 201}:
            resource_type, logical_id, _, version = response["location"].split("/")[-4:]
            if (resource_type, logical_id, int(version)) not in stored.versions:
                wrong.append(f"{attempt.kind}: {response['location']} was acknowledged and is lost")
            if "resource" in entry:
                wrong += _same(attempt.kind, entry["resource"], stored)
    return wrong


def _all_or_nothing(ledger: Ledger, stored: Stored) -> list[str]:
    wrong = []
    for attempt in ledger.attempts:
        if not attempt.tokens:
            continue
        counts = [len(stored.by_token.get(token, ())) for token in attempt.tokens]
        about = f"{attempt.kind} (answer {attempt.status})"
        if max(counts) > 1:
            wrong.append(f"{about} was written {max(counts)} times")
        if len(set(counts)) != 1:
            wrong.append(f"{about} was written by half: {counts}")
        if attempt.status in {200, 201} and counts[0] == 0:
            wrong.append(f"{about} is lost")
        refused = attempt.status is not None and attempt.status >= 400
        if refused and counts[0] and (attempt.status != 503 or "nothing was" in attempt.outcome):
            wrong.append(f"{about} says that nothing was written, and it was: {attempt.outcome[:200]}")
    return wrong


def _versions(stored: Stored) -> list[str]:
    """Version 1 to the current one, each once."""
    wrong = [f"{version} is stored twice" for version in stored.twice]
    numbers: dict[tuple[str, str], set[int]] = defaultdict(set)
    for resource_type, logical_id, number in stored.versions:
        numbers[resource_type, logical_id].add(number)
    for resource, found in numbers.items():
        current = stored.current.get(resource)
        if current is None:
            wrong.append(f"{resource} has history and no current version")
        elif found != set(range(1, current["v"] + 1)):
            wrong.append(f"{resource} has versions {sorted(found)}")
    return wrong


def _audited_writes(stored: Stored) -> list[str]:
    told: set[Version] = set()
    wrong = []
    for event in stored.events:
        if event["action"] not in {"C", "U", "D"} or event["outcome"] != "0":
            continue
        for entity in event.get("entity", ()):
            reference = entity.get("what", {}).get("reference", "")
            if "/_history/" not in reference:
                continue
            resource_type, logical_id, _, number = reference.split("/")
            version = (resource_type, logical_id, int(number))
            told.add(version)
            if version not in stored.versions:
                wrong.append(f"an AuditEvent tells of {version}, which does not exist")
    wrong += [f"{version} has no AuditEvent" for version in stored.versions.keys() - told]
    return wrong


def request_ids(event: dict[str, Any]) -> list[str]:
    whats = [entity.get("what", {}) for entity in event.get("entity", ())]
    return [what["identifier"]["value"] for what in whats if "identifier" in what]


def _audited_requests(ledger: Ledger, stored: Stored) -> list[str]:
    """Whatever was answered has its event; a 503 is the answer where none could be written."""
    outcomes: dict[str, set[str]] = defaultdict(set)
    for event in stored.events:
        for request_id in request_ids(event):
            outcomes[request_id].add(event["outcome"])
    wrong = []
    for attempt in ledger.attempts:
        if attempt.status is None or attempt.status == 503:
            continue
        found = outcomes.get(attempt.request_id, set())
        if not found or (attempt.status < 300 and "0" not in found):
            wrong.append(f"{attempt.kind}, answered {attempt.status}, has no AuditEvent")
    return wrong


def _no_duplicates(ledger: Ledger, stored: Stored) -> list[str]:
    wrong = []
    for token, versions in stored.by_token.items():
        if token.startswith(("once-", "put-")) and len({version[:2] for version in versions}) > 1:
            wrong.append(f"{token} was created {len({version[:2] for version in versions})} times")
    wrong += [f"{key} was acknowledged and is not there" for key in ledger.keys if key not in stored.by_token]
    return wrong
