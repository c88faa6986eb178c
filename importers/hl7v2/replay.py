"""What a message would change now, element by element: the look before a replay is committed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from importers.hl7v2.feed import Feed
from importers.hl7v2.issue import Issue
from importers.hl7v2.process import Refused
from importers.hl7v2.rows import Row
from resources.codec import Json

_OF_THE_FEED = {"Provenance", "MessageHeader"}
_OF_THE_SERVER = {"meta.versionId", "meta.lastUpdated"}


@dataclass(frozen=True, slots=True)
class Change:
    """One element; `before` is None where it is new, `after` where it goes."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One resource; `reference` is the type alone where it is new and its id is not known yet."""

    reference: str
    is_new: bool
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a replay of a row would do: change resources, nothing, or be refused again."""

    row: Row
    differences: tuple[Difference, ...] = ()
    issues: tuple[Issue, ...] = ()
    refused: bool = False
    patients: tuple[str, ...] = ()


async def outlook(feed: Feed, row: Row) -> Outlook:
    """What a replay of this row would do now; writes nothing."""
    try:
        raw = await feed.store.raw(row.id)
        rehearsed = await feed.rehearse(raw, row.charset or None, row.written)
    except Refused as refused:
        return Outlook(row, issues=refused.issues, refused=True)
    meaning = rehearsed.meaning
    entries = [] if meaning.bundle is None else meaning.bundle["entry"]
    differences = [await _difference(feed, entry) for entry in entries if not _is_of_the_feed(entry)]
    return Outlook(row, tuple(differences), meaning.issues, patients=meaning.found)


def _is_of_the_feed(entry: Json) -> bool:
    return entry["resource"]["resourceType"] in _OF_THE_FEED


async def _difference(feed: Feed, entry: Json) -> Difference:
    resource, url = entry["resource"], entry["request"]["url"].partition("?")[0]
    stored = []
    if "/" in url:
        [stored] = await feed.find([(resource["resourceType"], f"_id={url.partition('/')[2]}")])
    before = stored[0] if stored else {}
    changes = tuple(each for each in differing(before, resource) if each.path not in _OF_THE_SERVER)
    return Difference(url, not stored, changes)


def differing(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """The elements in which two JSON values differ, as paths such as `name[0].family`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            inside = f"{path}.{name}" if path else name
            yield from differing(before.get(name), after.get(name), inside)
    elif isinstance(before, list) and isinstance(after, list):
        for position in range(max(len(before), len(after))):
            yield from differing(_at(before, position), _at(after, position), f"{path}[{position}]")
    elif before != after:
        yield Change(path, before, after)


def _at(values: list[Any], position: int) -> Any:
    return values[position] if position < len(values) else None
