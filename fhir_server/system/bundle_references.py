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

LINKS = frozenset({"uri", "url", "oid", "uuid"})
_NARRATIVE_LINK = re.compile(r"""(\b(?:href|src)\s*=\s*)("[^"]*"|'[^']*')""")


def rewritten(resource: Json, targets: Mapping[str, str]) -> Json:
    """A copy of the resource in which every link that is a key of `targets` is its value.

    What holds no such link is shared with the original, not copied.
    """
    if not targets:
        return resource
    changed = _value(resource, targets, (resource["resourceType"],))
    assert isinstance(changed, dict)
    return changed


def _value(value: Any, targets: Mapping[str, str], path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return _members(value, targets, path)
    if isinstance(value, list):
        items = [_value(item, targets, path) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, str):
        return _text(value, targets, path)
    return value


def _members(value: Json, targets: Mapping[str, str], path: tuple[str, ...]) -> Json:
    if "resourceType" in value and len(path) > 1:
        path = (value["resourceType"],)
    changed = {}
    for name, member in value.items():
        new = _value(member, targets, (*path, name))
        if new is not member:
            changed[name] = new
    return {**value, **changed} if changed else value


def _text(text: str, targets: Mapping[str, str], path: tuple[str, ...]) -> str:
    if text in targets:
        return targets[text] if _is_link(path) else text
    if path[-1] == "div" and ("href" in text or "src" in text):
        return _NARRATIVE_LINK.sub(lambda link: _link(link, targets), text)
    base, mark, fragment = text.partition("#")
    if mark and base in targets and path[-1] == "reference":
        return f"{targets[base]}#{fragment}"
    return text


def _link(link: re.Match[str], targets: Mapping[str, str]) -> str:
    attribute, quoted = link.groups()
    target = targets.get(quoted[1:-1])
    return link.group() if target is None else f"{attribute}{quoted[0]}{target}{quoted[0]}"


def _is_link(path: tuple[str, ...]) -> bool:
    """Whether the element at a path of JSON names is one whose links are replaced."""
    if path[-1] == "reference":
        return True
    type_name: str | None = path[0]
    for name in path[1:]:
        if type_name is None or is_primitive(type_name):
            return False
        element = json_members(type_name).get(name)
        type_name = None if element is None else element.json_names[name]
    return type_name in LINKS


def conditional_references(resource: Any) -> Iterator[str]:
    """Each `Practitioner?identifier=…` that stands where a reference should.

    http://hl7.org/fhir/R4/http.html#trules, "conditional references"
    """
    if isinstance(resource, dict):
        for name, member in resource.items():
            if name == "reference" and isinstance(member, str):
                if "?" in member and is_resource(member.split("?", 1)[0]):
                    yield member
            elif isinstance(member, dict | list):
                yield from conditional_references(member)
    elif isinstance(resource, list):
        for member in resource:
            yield from conditional_references(member)


def names_of(full_url: str | None, resource: Json | None, resource_type: str, base_url: str) -> Iterator[str]:
    """The texts by which other entries may refer to an entry: its fullUrl, and `Type/id` as it was sent.

    http://hl7.org/fhir/R4/bundle.html#references
    """
    if full_url is not None:
        yield full_url
        kind, _, logical_id = "/".join(full_url.rsplit("/", 2)[-2:]).partition("/")
        if "://" in full_url and kind == resource_type and logical_id:
            yield f"{kind}/{logical_id}"
    if resource is not None and isinstance(resource.get("id"), str):
        yield f"{resource_type}/{resource['id']}"
        yield f"{base_url}/{resource_type}/{resource['id']}"
