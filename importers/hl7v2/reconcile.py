"""Drafts of a message and what is stored → the smallest transaction that makes the store say what the message says.

What is equal is not written. What changes is a PUT with If-Match, what is new a PUT with If-None-Match under an id
made of its key (of a patient: a conditional PUT), so that of two messages at once one ends in 412 and is reconciled
again. Pure: `reconcile` yields queries and is sent what they found; `reconciled` does that with a `find`.

docs/hl7v2.md#updates, docs/adr/0020-hl7v2-reconciliation.md
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from importers.hl7v2 import merging
from importers.hl7v2.conversion import Draft
from importers.hl7v2.issue import Issue
from importers.hl7v2.look_up import Query
from importers.hl7v2.matching import Matches, UnclearError, is_loser, matched, reference_of
from importers.hl7v2.update import is_older, moment, same, updated, with_moment
from importers.submit import Find
from resources import validation
from resources.codec import Json

__all__ = ["Reconciled", "UnclearError", "reconcile", "reconciled"]


class Drafted(Protocol):
    """What was made of a message (a `Conversion`), or of what else is to be brought together with the store."""

    drafts: list[Draft]
    issues: list[Issue]


@dataclass(slots=True)
class Reconciled:
    """What is to be written. `bundle` has no entry where the store says all that already."""

    bundle: Json
    issues: list[Issue] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    """By the url of a draft: `Type/id`; of a patient that the server will name, the url itself"""
    merges: bool = False
    """Patients are joined"""
    unfinished: bool = False
    """Resources of a merged patient are left: submit, then reconcile again (under another key)"""

    @property
    def written(self) -> list[str]:
        """References to what the bundle writes, for a Provenance in the same transaction."""
        return [entry_reference(entry) for entry in self.bundle.get("entry", ())]


def entry_reference(entry: Json) -> str:
    """How other entries of the transaction refer to the resource of one."""
    url = str(entry["request"]["url"])
    return entry["fullUrl"] if "?" in url else url


async def reconciled(
    conversion: Drafted, find: Find, attempt: int = 0, own: Collection[str] = ()
) -> Reconciled:
    """`reconcile`, with a server's `find`; `attempt` counts how often the transaction ended in 409 or 412 before.

    `own` are the versions, `Patient/1/_history/2`, that this message wrote before: to itself it is never late.
    """
    steps = reconcile(conversion, attempt, own)
    answers: list[list[Json]] | None = None
    while True:
        try:
            queries = next(steps) if answers is None else steps.send(answers)
        except StopIteration as end:
            result: Reconciled = end.value
            return result
        answers = await find(queries)


def reconcile(
    conversion: Drafted, attempt: int = 0, own: Collection[str] = ()
) -> Generator[list[Query], list[list[Json]], Reconciled]:
    """Yields lists of queries, is sent a list of resources for each, returns what to write.

    Raises UnclearError where what is stored does not say who the message is about.
    """
    matches = Matches(attempt)
    yield from matched(conversion.drafts, matches)
    merges = yield from merging.losers(conversion.drafts, matches)
    writing = _Writing(matches, frozenset(own))
    absent = {
        draft.url for draft in conversion.drafts if draft.role == "known" and _is_absent(draft, matches)
    }
    matches.references.update(dict.fromkeys(absent, ""))
    for draft in conversion.drafts:
        if not is_loser(draft) and draft.url not in absent:
            writing.draft(draft)
    unfinished = False
    for merge in merges:
        writing.merge(merge)
        if merge.loser is not None:
            loser = reference_of(merge.loser)
            survivor = writing.references.get(merge.survivor, merge.survivor)
            unfinished |= yield from _move(writing, loser, {loser: survivor})
    for draft in conversion.drafts:
        if draft.moves:
            unfinished |= yield from _move_visit(writing, draft)
        elif draft.replaced_by is not None and not is_loser(draft):
            unfinished |= yield from _merge_visit(writing, draft)
    bundle: Json = {"resourceType": "Bundle", "type": "transaction"}
    if writing.entries:
        bundle["entry"] = list(writing.entries.values())
    urls = [draft.url for draft in conversion.drafts if draft.url not in absent]
    references = {url: writing.references.get(url, url) for url in urls}
    issues = [*conversion.issues, *matches.issues]
    return Reconciled(bundle, issues, references, merges=bool(merges), unfinished=unfinished)


def _is_absent(draft: Draft, matches: Matches) -> bool:
    return matches.stored.get(draft.url) is None


def _move(
    writing: _Writing, owner: str, targets: Mapping[str, str]
) -> Generator[list[Query], list[list[Json]], bool]:
    """Moves what is in the compartment of `owner`; whether some is left."""
    moved = yield from merging.dependents(owner)
    for resource in moved.resources:
        writing.moved(resource, targets)
    return moved.more


def _move_visit(writing: _Writing, draft: Draft) -> Generator[list[Query], list[list[Json]], bool]:
    """What belongs to a visit that is now of another patient is his, too."""
    stored = writing.matches.stored.get(draft.url)
    if stored is None or draft.resource["resourceType"] != "Encounter":
        return False
    before = stored.get("subject", {}).get("reference")
    after = writing.current(stored).get("subject", {}).get("reference")
    if before is None or before == after:
        return False
    more = yield from _move(writing, reference_of(stored), {before: after})
    if more:  # the visit itself comes last: until then it shows where to go on
        writing.entries.pop(reference_of(stored), None)
    return more


def _merge_visit(writing: _Writing, draft: Draft) -> Generator[list[Query], list[list[Json]], bool]:
    """What belongs to a visit that is part of another one belongs to that."""
    stored = writing.matches.stored.get(draft.url)
    survivor = writing.references.get(str(draft.replaced_by))
    if stored is None or survivor is None or survivor == reference_of(stored):
        return False
    return (yield from _move(writing, reference_of(stored), {reference_of(stored): survivor}))


class _Writing:
    """The entries of the transaction, one for each resource."""

    def __init__(self, matches: Matches, own: frozenset[str]) -> None:
        self.matches = matches
        self.own = own
        self.references: Mapping[str, str] = matches.references
        self.entries: dict[str, Json] = {}

    def draft(self, draft: Draft) -> None:
        told = rewritten(draft.resource, self.references)
        stored = self.matches.stored[draft.url]
        if stored is None:
            self._create(draft, told)
            return
        is_late = is_older(draft.moment, moment(stored)) and _version_of(stored) not in self.own
        older = draft.role == "reference" or is_late
        before = self.current(stored)
        merged = updated(before, told, newer=not older, clear=draft.clear)
        if draft.adjust is not None:
            merged = draft.adjust(before, merged, told, not older)
        if older and merged != before and not _is_valid(merged):
            merged = before  # what fills a gap goes with something that was changed since
        if older and draft.role == "fact":
            text = f"What is stored of this {told['resourceType']} is newer; only what was missing was added"
            self.matches.issues.append(Issue("", text, severity="information"))
        self.put(stored, merged if older else with_moment(merged, draft.moment))

    def _create(self, draft: Draft, told: Json) -> None:
        kind = told["resourceType"]
        told = updated({"resourceType": kind}, told, clear=draft.clear)
        if draft.adjust is not None:
            told = draft.adjust({}, told, told, True)
        if draft.role == "fact":
            told = with_moment(told, draft.moment)
        new_id = self.matches.new_ids[draft.url]
        if new_id is None:
            queries = [query for query in draft.match if query.startswith("identifier=")]
            criteria = ",".join(query.removeprefix("identifier=") for query in queries)
            request = {"method": "PUT", "url": f"{kind}?identifier={criteria}", "ifNoneMatch": "*"}
        else:
            told = {**told, "id": new_id}
            request = {"method": "PUT", "url": f"{kind}/{new_id}"}
            if draft.url in self.matches.unique:
                request["ifNoneMatch"] = "*"
        self.entries[draft.url] = {"fullUrl": draft.url, "resource": told, "request": request}

    def put(self, stored: Json, merged: Json) -> None:
        """A new version of a stored resource, unless it would say the same."""
        reference = reference_of(stored)
        if reference not in self.entries and same(stored, merged):
            return
        meta = {name: value for name, value in merged.get("meta", {}).items() if name not in _OF_THE_SERVER}
        resource = {name: value for name, value in merged.items() if name != "meta"}
        if meta:
            resource["meta"] = meta
        version = stored["meta"]["versionId"]
        self.entries[reference] = {
            "resource": resource,
            "request": {"method": "PUT", "url": reference, "ifMatch": f'W/"{version}"'},
        }

    def merge(self, merge: merging.Merge) -> None:
        """The loser becomes inactive, the survivor keeps its number as an old one; each knows of the other."""
        survivor = self.references.get(merge.survivor, merge.survivor)
        if merge.loser is None:
            stub, new_id = merging.stub(merge, survivor)
            request = {"method": "PUT", "url": f"Patient/{new_id}", "ifNoneMatch": "*"}
            self.entries[merge.url] = {"fullUrl": merge.url, "resource": stub, "request": request}
            loser = f"Patient/{new_id}"
        else:
            loser = reference_of(merge.loser)
            self.put(merge.loser, merging.replaced(self.current(merge.loser), survivor))
        stored = self.matches.stored.get(merge.survivor)
        if stored is None:
            entry = self.entries[merge.survivor]
            entry["resource"] = merging.replacing(entry["resource"], merge, loser)
        else:
            self.put(stored, merging.replacing(self.current(stored), merge, loser))

    def moved(self, resource: Json, targets: Mapping[str, str]) -> None:
        """What referred to one patient refers to another."""
        self.put(resource, rewritten(self.current(resource), targets))

    def current(self, stored: Json) -> Json:
        """A stored resource as this transaction has left it so far."""
        entry = self.entries.get(reference_of(stored))
        current: Json = stored if entry is None else entry["resource"]
        return current


def _version_of(stored: Json) -> str:
    return f"{reference_of(stored)}/_history/{stored.get('meta', {}).get('versionId', '')}"


def _is_valid(resource: Json) -> bool:
    return all(issue.severity not in {"error", "fatal"} for issue in validation.validate(resource))


_OF_THE_SERVER = {"versionId", "lastUpdated"}


def rewritten(value: Any, targets: Mapping[str, str]) -> Any:
    """A copy of a resource in which references to the keys of `targets` are references to their values.

    Where the value is empty there is nothing to refer to; the identifier beside the reference stays.
    """
    if isinstance(value, dict):
        return {
            name: targets.get(member, member)
            if name == "reference" and isinstance(member, str)
            else rewritten(member, targets)
            if isinstance(member, dict | list)
            else member
            for name, member in value.items()
            if name != "reference" or targets.get(str(member)) != ""
        }
    if isinstance(value, list):
        return [rewritten(item, targets) if isinstance(item, dict | list) else item for item in value]
    return value
