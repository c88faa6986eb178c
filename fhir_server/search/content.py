"""The parameter `_content`: words anywhere in a resource.

Nothing is stored for it: the resources that everything else in the search leaves are read, if they are not too many
(docs/adr/0018-content-by-reading.md).

http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fhir_server.search.ask import Ask, Found, Planning
from fhir_server.search.clause import CONTENT
from fhir_server.search.content_syntax import Content
from fhir_server.search.query import together
from fhir_server.search.site import Condition
from fhir_server.search.text import plain, words_of
from resources import outcome

MOST = 10_000
"""Resources that are read for one search"""
MOST_BYTES = 32 * 1024 * 1024
"""Of these resources together, as MongoDB keeps them"""
AT_ONCE = 1024 * 1024
"""Bytes that are read at a time, if it is not one resource that is larger"""

_UNREADABLE = frozenset({"data"})
"""Base64: no words for a reader"""


def condition(
    resource_type: str, narrowed: Sequence[Condition], access: Sequence[Condition], wanted: Sequence[Content]
) -> Planning[Condition]:
    """The documents among those that meet all that is `narrowed`, and the access clauses, whose resource has the words.

    FHIRError 413 (too-costly) where these are too many, or too large, to be read.
    """
    sizes: dict[str, Any] = {"_id": 1, "n": {"$bsonSize": "$r"}}
    (found,) = yield [Ask(resource_type, together(narrowed, access), MOST + 1, sizes)]
    if len(found) > MOST or sum(each["n"] for each in found) > MOST_BYTES:
        text = (
            f"Parameter '{CONTENT}': it is answered by reading what the rest of the search leaves, which is more than {MOST:,} "
            f"resources of {resource_type}, or {MOST_BYTES // 2**20} MB. Narrow it, for example by a patient or a date"
        )
        raise outcome.too_costly(text)
    ids: list[str] = []
    for some in _portions(found):
        (documents,) = yield [Ask(resource_type, {"_id": {"$in": some}}, len(some), {"r": 1})]
        ids += [each["_id"] for each in documents if _has(each.get("r", {}), wanted)]
    return {"_id": {"$in": ids}}


def _portions(found: Sequence[Found]) -> Iterator[list[str]]:
    portion: list[str] = []
    size = 0
    for each in found:
        if portion and size + each["n"] > AT_ONCE:
            yield portion
            portion, size = [], 0
        portion.append(each["_id"])
        size += each["n"]
    if portion:
        yield portion


def _has(resource: dict[str, Any], wanted: Iterable[Content]) -> bool:
    words = words_of(" ".join(_texts(resource)))
    return all(any(some <= words for some in each.alternatives) for each in wanted)


def _texts(resource: dict[str, Any]) -> Iterator[str]:
    waiting: list[Any] = [resource]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            for name, value in each.items():
                if name == "div" and isinstance(value, str):
                    yield plain(value)
                elif name not in _UNREADABLE:
                    waiting.append(value)
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str):
            yield each
