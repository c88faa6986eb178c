"""What a message changes in a resource that is stored already.

An element that is sent replaces, one that is absent is kept, `""` removes. Facts that are older than those stored
fill gaps and overwrite nothing. Lists that several senders add to are merged by key.

HL7 v2.8.2 chapter 2.5.3.2 (null and absent), docs/hl7v2.md#updates
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from importers.hl7v2.times import is_backwards
from resources import registry
from resources.codec import Json
from resources.datatypes import date_interval

MOMENT = "urn:fhir-server:hl7v2:moment"
"""Extension of meta: since when the sender knows what the resource says, as dateTime"""
CLEARED = "urn:fhir-server:hl7v2:cleared"
"""Extension of meta: an element that a sender deleted, so that an older message does not bring it back"""

_KEPT = {"resourceType", "id", "meta"}
_MORE_EXACT = {"deceasedBoolean": "deceasedDateTime", "multipleBirthBoolean": "multipleBirthInteger"}
"""Elements of which a mere yes is true, but less than what is stored"""
_WHOLE_IN_PARTS = {"hospitalization", "period"}
"""Elements whose own elements are sent separately: an end of a stay comes without its beginning"""


def updated(stored: Json, told: Json, *, newer: bool = True, clear: Iterable[str] = ()) -> Json:
    """The stored resource after the message; shares what does not change with its arguments.

    `told` holds the elements that were sent, `clear` the names of those to be deleted (`period.end` inside
    another, `telecom.home` and `extension.http://…` of a list by use, url or system). Unless `newer`, gaps are filled
    and nothing is deleted.
    """
    merged = dict(stored)
    forgotten = set(_values(stored, CLEARED))
    for name, value in told.items():
        if name in _KEPT:
            continue
        if newer:
            if name.startswith("_") and name[1:] not in told:
                merged.pop(name[1:], None)  # what was sent is no code of FHIR's: it stands beside the element
            _replace(merged, name, value)
            forgotten -= {path for path in forgotten if path.partition(".")[0] == name}
        elif not any(path.partition(".")[0] == name for path in forgotten):
            _fill(merged, name, value)
    if newer:
        for path in clear:
            if path.partition(".")[0] not in told or "." in path:
                _remove(merged, path)
                forgotten.add(path)
    _label(merged, told.get("meta", {}), forgotten)
    return merged


def same(one: Json, other: Json) -> bool:
    """Whether two states of a resource say the same: their version and moment aside."""
    return _content(one) == _content(other)


def moment(resource: Json) -> str | None:
    """Since when the facts of a stored resource hold, as its sender said."""
    return next(iter(_values(resource, MOMENT)), None)


def with_moment(resource: Json, value: str | None) -> Json:
    """The resource with the moment of its facts in meta."""
    if value is None:
        return resource
    meta = dict(resource.get("meta", {}))
    others = [each for each in meta.get("extension", ()) if each.get("url") != MOMENT]
    meta["extension"] = [*others, {"url": MOMENT, "valueDateTime": value}]
    return {**resource, "meta": meta}


def is_older(told: str | None, stored: str | None) -> bool:
    """Whether facts of one moment are older than those of another; not so where either is unknown.

    A moment that is less precise counts from its end: a message of a day is not older than one of that day.
    """
    if told is None or stored is None or told == stored:
        return False
    return date_interval(told).end <= date_interval(stored).start


def _content(resource: Json) -> Json:
    meta = {
        name: value
        for name, value in resource.get("meta", {}).items()
        if name in {"profile", "security", "tag"}
    }
    extensions = [each for each in resource.get("meta", {}).get("extension", ()) if each.get("url") != MOMENT]
    return {**resource, "meta": {**meta, "extension": extensions}}


def _values(resource: Json, url: str) -> Iterable[str]:
    for extension in resource.get("meta", {}).get("extension", ()):
        if extension.get("url") == url:
            yield str(extension.get("valueDateTime") or extension.get("valueString"))


def _label(merged: Json, told: Json, forgotten: set[str]) -> None:
    """Joins the tags, labels and profiles, and notes which elements were deleted."""
    meta = dict(merged.get("meta", {}))
    for name in ("profile", "security", "tag"):
        if name in told:
            stored = meta.get(name, [])
            meta[name] = [*stored, *(each for each in told[name] if each not in stored)]
    others = [each for each in meta.get("extension", ()) if each.get("url") != CLEARED]
    extensions = others + [{"url": CLEARED, "valueString": path} for path in sorted(forgotten)]
    meta.pop("extension", None)
    if extensions:
        meta["extension"] = extensions
    merged.pop("meta", None)
    if meta:
        merged["meta"] = meta


def _replace(merged: Json, name: str, value: Any) -> None:
    stored = merged.get(name)
    key = _KEYS.get(name)
    if isinstance(key, _Identifiers) and isinstance(value, list):
        merged[name] = key.merged(stored or [], value, newer=True)
    elif key is not None and isinstance(stored, list) and isinstance(value, list):
        merged[name] = key.merged(stored, value, newer=True)
    elif name in _WHOLE_IN_PARTS and isinstance(stored, dict) and isinstance(value, dict):
        merged[name] = _in_parts(stored, value, value)
    elif not (value is True and _MORE_EXACT.get(name) in merged):
        if stored != value and not name.startswith("_"):
            merged.pop(f"_{name}", None)
        for rival in rivals(merged["resourceType"], name):
            merged.pop(rival, None)
            merged.pop(f"_{rival}", None)
        merged[name] = value


def _fill(merged: Json, name: str, value: Any) -> None:
    stored = merged.get(name)
    key = _KEYS.get(name)
    if key is not None and isinstance(stored, list) and isinstance(value, list):
        merged[name] = key.merged(stored, value, newer=False)
    elif name in _WHOLE_IN_PARTS and isinstance(stored, dict) and isinstance(value, dict):
        merged[name] = _in_parts(value, stored, stored)
    elif (
        stored is None
        and name.removeprefix("_") not in merged
        and not any(rival in merged for rival in rivals(merged["resourceType"], name))
    ):
        merged[name] = value


def _in_parts(below: Json, above: Json, rather: Json) -> Json:
    """Both together; where they make a Period that ends before it begins, one of them."""
    both = {**below, **above}
    return rather if is_backwards(both.get("start"), both.get("end")) else both


def _remove(merged: Json, path: str) -> None:
    name, _, inner = path.partition(".")
    if inner:
        part = merged.get(name)
        rest: Any = None
        if isinstance(part, dict):
            rest = {key: value for key, value in part.items() if key != inner}
        elif isinstance(part, list):
            rest = [
                item for item in part if inner not in (item.get("use"), item.get("url"), item.get("system"))
            ]
        if rest:
            merged[name] = rest
        else:
            merged.pop(name, None)
        return
    for gone in (name, *rivals(merged["resourceType"], name)):
        merged.pop(gone, None)
        merged.pop(f"_{gone}", None)


@cache
def rivals(resource_type: str, name: str) -> tuple[str, ...]:
    """The other JSON names of a choice element: `deceasedBoolean` of `deceasedDateTime`."""
    element = registry.json_members(resource_type).get(name)
    if element is None or not element.is_choice:
        return ()
    return tuple(each for each in element.json_names if each != name)


class _Group:
    """Items of a list with the same key are replaced together by those that are sent."""

    def __init__(self, key: Callable[[Json], Hashable]) -> None:
        self.key = key

    def merged(self, stored: list[Json], told: list[Json], *, newer: bool) -> list[Json]:
        groups: dict[Hashable, list[Json]] = {}
        for item in told:
            groups.setdefault(self.key(item), []).append(item)
        known = {self.key(item) for item in stored}
        if not newer:
            return stored + [item for item in told if self.key(item) not in known]
        result: list[Json] = []
        for item in stored:
            group = groups.get(self.key(item))
            if group is None:
                result.append(item)
            elif group:
                result.append(group.pop(0))
        rest = {id(item) for group in groups.values() for item in group}
        return result + [item for item in told if id(item) in rest]


class _Identifiers(_Group):
    """Identifiers are joined by system and value; one that is marked as old stays old."""

    def merged(self, stored: list[Json], told: list[Json], *, newer: bool) -> list[Json]:
        sent: dict[Hashable, Json] = {}
        for item in told:
            sent[self.key(item)] = {**sent.get(self.key(item), {}), **item}
        result = []
        for item in stored:
            other = sent.pop(self.key(item), None)
            if other is None or not newer:
                result.append(item)
            else:
                result.append({**item, **other, **({"use": "old"} if item.get("use") == "old" else {})})
        return result + list(sent.values())


def _use(item: Json) -> Hashable:
    return item.get("system"), item.get("use")


def _name(item: Json) -> Hashable:
    """Names without a use are the official ones."""
    return str(item.get("use", "official"))


def identifier_key(item: Json) -> tuple[str, str]:
    return str(item.get("system", "")), str(item.get("value", ""))


def _person(item: Json) -> Hashable:
    name = item.get("name", {})
    organization = item.get("organization", {})
    return (
        str(name.get("family", name.get("text", ""))).casefold(),
        tuple(str(each).casefold() for each in name.get("given", ())[:1]),
        organization.get("reference", organization.get("display")),
    )


def _codes(concepts: Iterable[Json]) -> Hashable:
    """The first coding (or text) of each concept."""
    return tuple(
        (concept["coding"][0].get("system"), concept["coding"][0].get("code"))
        if concept.get("coding")
        else concept.get("text")
        for concept in concepts
    )


def _part(item: Json) -> Hashable:
    """Appointments know who takes part, care teams in which role; of an Encounter there is one group for each role."""
    actor = item.get("actor")
    if actor is not None:
        return _reference(actor)
    if "member" in item:
        return _codes(item.get("role", ())), _reference(item["member"])
    return _codes(item.get("type", ()))


def _reference(item: Json) -> Hashable:
    return str(item.get("reference") or item.get("display"))


_KEYS: Mapping[str, _Group] = MappingProxyType(
    {
        "identifier": _Identifiers(identifier_key),
        "extension": _Group(lambda item: str(item.get("url"))),
        "name": _Group(_name),
        "telecom": _Group(_use),
        "address": _Group(lambda item: str(item.get("use"))),
        "contact": _Group(_person),
        "participant": _Group(_part),
        "link": _Group(lambda item: (item.get("type"), _reference(item.get("other", {})))),
        "diagnosis": _Group(lambda item: _reference(item.get("condition", {}))),
        "result": _Group(_reference),
        "account": _Group(_reference),
    }
)
"""Element → how its items are told apart, of whatever resource; all other lists are replaced as a whole"""
