"""References between the entries of a transaction: found, and rewritten to what the entries became.

http://hl7.org/fhir/R4/http.html#trules: "Servers SHALL replace all matching links in the bundle": in
references, in elements of type uri, url, oid and uuid (not canonical), in narrative links, in extensions and
contained resources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from resources.codec import Json
from resources.registry import is_primitive, is_resource, json_members

Path = tuple[str, Any]
"""A JSON name and the path of the object it is a member of; None stands above a resource"""

LINKS = frozenset({"uri", "url", "oid", "uuid"})
_NARRATIVE_LINK = re.compile(r"""(\b(?:href|src)\s*=\s*)("[^"]*"|'[^']*')""")


def rewritten(resource: Json, targets: Mapping[str, str]) -> Json:
    """A copy of the resource in which every link that is a key of `targets` is its value.

    What holds no such link is shared with the original, not copied.
    """
    return _members(resource, targets, (resource["resourceType"], None)) if targets else resource


def _members(value: Json, targets: Mapping[str, str], path: Path) -> Json:
    changed: Json | None = None
    for name, member in value.items():
        kind = type(member)
        new: Any = member
        if kind is str:
            if member in targets or name == "div" or (name == "reference" and "#" in member):
                new = _text(member, targets, (name, path))
        elif kind is dict:
            here = (member["resourceType"], None) if "resourceType" in member else (name, path)
            new = _members(member, targets, here)
        elif kind is list:
            new = _items(member, targets, (name, path))
        if new is not member:
            changed = changed or dict(value)
            changed[name] = new
    return changed or value


def _items(value: list[Any], targets: Mapping[str, str], path: Path) -> list[Any]:
    changed: list[Any] | None = None
    for position, item in enumerate(value):
        new: Any = item
        if isinstance(item, dict):
            here = (item["resourceType"], None) if "resourceType" in item else path
            new = _members(item, targets, here)
        elif isinstance(item, str) and item in targets:
            new = _text(item, targets, path)
        if new is not item:
            changed = changed or list(value)
            changed[position] = new
    return changed or value


def _text(text: str, targets: Mapping[str, str], path: Path) -> str:
    if text in targets:
        return targets[text] if _is_link(path) else text
    if path[0] == "div":
        return _NARRATIVE_LINK.sub(lambda link: _link(link, targets), text)
    base, _, fragment = text.partition("#")
    return f"{targets[base]}#{fragment}" if base in targets else text


def _link(link: re.Match[str], targets: Mapping[str, str]) -> str:
    attribute, quoted = link.groups()
    target = targets.get(quoted[1:-1])
    return link.group() if target is None else f"{attribute}{quoted[0]}{target}{quoted[0]}"


def _is_link(path: Path) -> bool:
    """Whether the element at a path of JSON names is one whose links are replaced."""
    name, owner = path
    return name == "reference" or (owner is not None and _type_of(path) in LINKS)


def _type_of(path: Path) -> str | None:
    """The type of the element at a path of JSON names; None where there is no such element."""
    name, owner = path
    if owner is None:
        return name
    owner_type = _type_of(owner)
    if owner_type is None or is_primitive(owner_type):
        return None
    element = json_members(owner_type).get(name)
    return None if element is None else element.json_names[name]


def conditional_references(resource: Json) -> set[str]:
    """Each `Practitioner?identifier=…` that stands where a reference should.

    http://hl7.org/fhir/R4/http.html#trules, "conditional references"
    """
    found: set[str] = set()
    open_: list[Any] = [resource]
    while open_:
        value = open_.pop()
        members = value.values() if isinstance(value, dict) else value
        open_ += [member for member in members if type(member) in {dict, list}]
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str) and "?" in reference and is_resource(reference.split("?", 1)[0]):
            found.add(reference)
    return found


def names_of(full_url: str | None, resource: Json | None, resource_type: str, base_url: str) -> Iterator[str]:
    """The texts by which other entries may refer to an entry: its fullUrl, and what a relative reference
    beside it resolves to; without a fullUrl the id it was sent with.

    http://hl7.org/fhir/R4/bundle.html#references
    """
    if full_url is not None:
        yield full_url
        kind, _, logical_id = "/".join(full_url.rsplit("/", 2)[-2:]).partition("/")
        if "://" in full_url and kind == resource_type and logical_id:
            yield f"{kind}/{logical_id}"
    elif resource is not None and isinstance(resource.get("id"), str):
        yield f"{resource_type}/{resource['id']}"
        yield f"{base_url}/{resource_type}/{resource['id']}"
