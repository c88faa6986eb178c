"""All look-ups of a message at once: identifiers of one type in one query, answers told apart again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from importers.hl7v2.conversion import Draft
from importers.hl7v2.identifiers import token
from resources.codec import Json

Query = tuple[str, str]
"""Resource type and search query"""

_MOST_AT_ONCE = 40
_URL = re.compile(r"urn:uuid:[0-9a-f-]{36}")


@dataclass(slots=True)
class Names:
    """The urls of the drafts of a message, and by which reference those that have one are known."""

    urls: set[str] = field(default_factory=set)
    references: dict[str, str] = field(default_factory=dict)


def queries_of(draft: Draft, names: Names) -> list[str]:
    """The queries of a draft with references in place of urls; without those about what is new itself."""
    result = []
    for query in draft.match:
        asked = query
        if "urn:uuid:" in query:
            asked = _URL.sub(lambda url: names.references.get(url[0], url[0]), query)
        if "urn:uuid:" not in asked or names.urls.isdisjoint(_URL.findall(asked)):
            result.append(asked)
    return result


def mentioned(draft: Draft) -> list[str]:
    """What looks like the url of another draft in the queries of one."""
    return [url for query in draft.match if "urn:uuid:" in query for url in _URL.findall(query)]


def look_up(
    wave: Iterable[Draft], names: Names
) -> Generator[list[Query], list[list[Json]], dict[str, list[Json]]]:
    """The candidates of each draft, by its url: all queries of a wave at once, identifiers of one type in one."""
    wanted = {draft.url: (draft.resource["resourceType"], queries_of(draft, names)) for draft in wave}
    _make_few(wanted)
    every = dict.fromkeys((kind, query) for kind, queries in wanted.values() for query in queries)
    by_number = [each for each in every if each[1].startswith("identifier=") and "&" not in each[1]]
    asked: list[Query] = [
        each for each in every if not (each[1].startswith("identifier=") and "&" not in each[1])
    ]
    members = [[query] for _, query in asked]
    identifiers: dict[str, list[str]] = defaultdict(list)
    for kind, query in by_number:
        identifiers[kind].append(query)
    for kind, queries in identifiers.items():
        for start in range(0, len(queries), _MOST_AT_ONCE):
            some = queries[start : start + _MOST_AT_ONCE]
            asked.append(
                (kind, "identifier=" + ",".join(query.removeprefix("identifier=") for query in some))
            )
            members.append(some)
    if not asked:
        return {}
    answers = yield asked
    by_query: dict[Query, list[Json]] = defaultdict(list)
    for (kind, _), some, found in zip(asked, members, answers, strict=True):
        _sort(kind, some, found, by_query)
    return {url: _candidates(kind, queries, by_query) for url, (kind, queries) in wanted.items()}


def _make_few(wanted: dict[str, tuple[str, list[str]]]) -> None:
    """Where a message asks for very many codes of a patient, all that he has is asked for instead."""
    count = Counter(
        (kind, query.partition("&code=")[0])
        for kind, queries in wanted.values()
        for query in queries
        if "&code=" in query
    )
    many = {each for each, number in count.items() if number > _MOST_AT_ONCE}
    if many:
        for url, (kind, queries) in wanted.items():
            wanted[url] = (
                kind,
                [
                    query.partition("&code=")[0] if (kind, query.partition("&code=")[0]) in many else query
                    for query in queries
                ],
            )


def _sort(kind: str, queries: list[str], found: list[Json], by_query: dict[Query, list[Json]]) -> None:
    if len(queries) == 1:
        by_query[kind, queries[0]] += found
        return
    for resource in found:
        identifiers = resource.get("identifier", ())
        for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
            query = token(identifier) if "value" in identifier else ""
            if query in queries and resource not in by_query[kind, query]:
                by_query[kind, query].append(resource)


def _candidates(kind: str, queries: list[str], by_query: dict[Query, list[Json]]) -> list[Json]:
    """What the first query found that found anything; of patients what any found."""
    result: dict[str, Json] = {}
    for query in queries:
        for resource in by_query.get((kind, query), ()):
            result.setdefault(resource["id"], resource)
        if result and kind != "Patient":
            break
    return sorted(result.values(), key=lambda each: str(each["id"]))
