"""Versions that come along: a reference that names one leads to that version, not to the resource as it is now.

http://hl7.org/fhir/R4/search.html#include, http://hl7.org/fhir/R4/references.html#literal
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from capability.table import TABLE
from fhir_server.search.ask import Access, Ask, Found, Planning
from fhir_server.search.include_syntax import Include
from fhir_server.search.query import together
from fhir_server.search.reference import VERSIONED
from resources.reference import parse
from resources.search_parameters import SearchParameter

HISTORY = ".history"

Typed = tuple[str, Found]
Versions = Mapping[str, Mapping[str, frozenset[int]]]
"""By type and id, the versions that are wanted"""


def versioned(document: Found, parameter: SearchParameter) -> Iterator[str]:
    """Where a document refers to by a parameter, and says which version: `Patient/1/_history/2`."""
    value = document.get("s", {}).get(f"{parameter.code}:{VERSIONED}", ())
    return iter((value,) if isinstance(value, str) else value)


def wanted(includes: Iterable[Include], level: Iterable[Typed]) -> Versions:
    """The versions that a level refers to."""
    found: dict[str, dict[str, frozenset[int]]] = defaultdict(dict)
    forwards = [each for each in includes if not each.reverse]
    for resource_type, document in level if forwards else ():
        for include in forwards:
            for parameter in include.parameters(resource_type):
                for address in versioned(document, parameter):
                    meant = parse(address)
                    if not (meant.is_local and meant.type and meant.id and meant.version):
                        continue
                    if meant.version.isdigit() and include.leads_to(parameter, meant.type):
                        known = found[meant.type].get(meant.id, frozenset())
                        found[meant.type][meant.id] = known | {int(meant.version)}
    return found


def documents(versions: Versions, access: Access, limit: int) -> Planning[list[Typed]]:
    """These versions, as documents: the current one is that; `access` is asked about the resource as it is now.

    Those of what is deleted do not come along.
    """
    types = [each for each in versions if each in TABLE.types]
    if not types:
        return []
    asks = [
        Ask(each, together([{"_id": {"$in": list(versions[each])}}], access(each)), limit) for each in types
    ]
    answers = yield asks
    found: list[Typed] = []
    past: dict[str, list[dict[str, str | int]]] = defaultdict(list)
    for resource_type, some in zip(types, answers, strict=True):
        for document in some:
            for version in sorted(versions[resource_type][document["_id"]]):
                if version == document["v"]:
                    found.append((resource_type, document))
                else:
                    past[resource_type].append({"id": document["_id"], "v": version})
    if past:
        asks = [
            Ask(f"{each}{HISTORY}", {"_id": {"$in": keys}, "deleted": {"$ne": True}}, limit)
            for each, keys in past.items()
        ]
        answers = yield asks
        for ask, some in zip(asks, answers, strict=True):
            found += [(ask.resource_type.removesuffix(HISTORY), _as_current(each)) for each in some]
    return found


def _as_current(document: Found) -> Found:
    return {**document, "_id": document["_id"]["id"], "v": document["_id"]["v"], "version": True}


def address(typed: Typed) -> str:
    """`Patient/1`, or `Patient/1/_history/2` where it is not the current version."""
    resource_type, document = typed
    version = f"/_history/{document['v']}" if document.get("version") else ""
    return f"{resource_type}/{document['_id']}{version}"


def others(level: Sequence[str], document: Found, parameter: SearchParameter) -> Sequence[str]:
    """Of the addresses those that a document does not name a version of."""
    named = {each.partition("/_history/")[0] for each in versioned(document, parameter)}
    return [each for each in level if each not in named] if named else level
