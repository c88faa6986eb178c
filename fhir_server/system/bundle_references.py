"""References between the entries of a transaction: found, and rewritten to what the entries became.

http://hl7.org/fhir/R4/http.html#trules: "Servers SHALL replace all matching links in the bundle": in
references, in elements of type uri and url (not canonical), in narrative links, in extensions and contained
resources. Elements of type oid and uuid are named there, too, but cannot hold what they would be replaced by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from resources import validation
from resources.codec import Json
from resources.registry import Element, is_primitive, is_resource, json_members

Path = tuple[str, Any]
"""A JSON name and the path of the object it is a member of; None stands above a resource"""

Place = tuple[Json, Path]
"""An object with a `reference`, and its path"""

LINKS = frozenset({"uri", "url"})
NAMES = frozenset({"fullUrl"})
"""Elements that give a thing its name rather than point to one"""

_NARRATIVE_LINK = re.compile(r"""(\b(?:href|src)\s*=\s*)("[^"]*"|'[^']*')""")


class Rewriting:
    """Rewrites the links that are keys of `targets` to their values; what holds none is shared, not copied.

    `conditional` are the places of references such as `Practitioner?identifier=…`, by their text: `settle` puts in what
    they match.
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self.conditional: dict[str, list[Place]] = {}
        self._doubtful = False
        """A reference now points to a type that its element may not allow"""

    def resource(self, resource: Json) -> Json:
        """A copy with its links rewritten; 400 where a reference now points to a type that may not stand there."""
        changed = self._members(resource, (resource["resourceType"], None))
        self._check(changed)
        return changed

    def patch(self, operations: list[Any], resource_type: str) -> list[Any]:
        """The operations of a JSON Patch with the links in their values rewritten."""
        return [self._operation(each, resource_type) for each in operations]

    def settle(self, found: Mapping[str, str], resource: Json | None) -> None:
        """Puts `Practitioner/1` in place of each conditional reference, in what was rewritten; 400 as `resource`."""
        for text, places in self.conditional.items():
            for holder, path in places:
                holder["reference"] = found[text]
                self._doubt(found[text], path)
        if resource is not None:
            self._check(resource)

    def _check(self, resource: Json) -> None:
        if self._doubtful:
            validation.check(resource)

    def _members(self, value: Json, path: Path) -> Json:
        targets = self._targets
        changed: Json | None = None
        for name, member in value.items():
            kind = type(member)
            new: Any = member
            if kind is str:
                if name == "reference" and "?" in member and self._is_conditional(member):
                    changed = changed or dict(value)
                    self.conditional.setdefault(member, []).append((changed, path))
                elif member in targets or name in {"reference", "div"}:
                    new = self._text(member, (name, path))
            elif kind is dict:
                here = (member["resourceType"], None) if "resourceType" in member else (name, path)
                new = self._members(member, here)
            elif kind is list:
                new = self._items(member, (name, path))
            if new is not member:
                changed = changed or dict(value)
                changed[name] = new
        return changed or value

    def _items(self, value: list[Any], path: Path) -> list[Any]:
        changed: list[Any] | None = None
        for position, item in enumerate(value):
            new: Any = item
            if isinstance(item, dict):
                here = (item["resourceType"], None) if "resourceType" in item else path
                new = self._members(item, here)
            elif isinstance(item, str) and item in self._targets:
                new = self._text(item, path)
            if new is not item:
                changed = changed or list(value)
                changed[position] = new
        return changed or value

    def _is_conditional(self, reference: str) -> bool:
        """http://hl7.org/fhir/R4/http.html#trules: `Practitioner?identifier=…` where a reference should stand"""
        return reference not in self._targets and is_resource(reference.partition("?")[0])

    def _text(self, text: str, path: Path) -> str:
        if path[0] == "reference":
            return self._reference(text, path)
        if path[0] == "div":
            return _NARRATIVE_LINK.sub(self._link, text) if "href" in text or "src" in text else text
        element = _element(path) if text in self._targets and path[0] not in NAMES else None
        return self._targets[text] if element and element.json_names[path[0]] in LINKS else text

    def _reference(self, text: str, path: Path) -> str:
        """Also where it names a version or a part of what it points to: those are matched without."""
        base, mark, fragment = text.partition("#")
        unversioned = base.partition("/_history/")[0]
        target = self._targets.get(text) or self._targets.get(unversioned)
        if target is None or target == unversioned:
            return text  # what keeps its name keeps the version that is meant, too
        self._doubt(target, path[1])
        return target + mark + fragment if text not in self._targets else target

    def _doubt(self, target: str, holder: Path | None) -> None:
        element = None if holder is None else _element(holder)
        if element is not None and element.targets and target.partition("/")[0] not in element.targets:
            self._doubtful = True

    def _link(self, link: re.Match[str]) -> str:
        attribute, quoted = link.groups()
        target = self._targets.get(quoted[1:-1])
        return link.group() if target is None else f"{attribute}{quoted[0]}{target}{quoted[0]}"

    def _operation(self, operation: Any, resource_type: str) -> Any:
        if not isinstance(operation, dict) or "value" not in operation:
            return operation
        path: Path = (resource_type, None)
        for step in str(operation.get("path", "")).split("/")[1:]:
            if not step.isdigit() and step != "-":
                path = (step, path)
        value = operation["value"]
        new = value
        if isinstance(value, dict):
            new = self._members(value, path)
        elif isinstance(value, list):
            new = self._items(value, path)
        elif isinstance(value, str):
            new = self._text(value, path)
        return operation if new is value else {**operation, "value": new}


def _element(path: Path) -> Element | None:
    """The element at a path of JSON names; None where there is no such element."""
    name, owner = path
    owner_type = None if owner is None else _type_of(owner)
    if owner_type is None or is_primitive(owner_type):
        return None
    return json_members(owner_type).get(name)


def _type_of(path: Path) -> str | None:
    name, owner = path
    if owner is None:
        return name
    element = _element(path)
    return None if element is None else element.json_names[name]


class Names:
    """What the entries of a Bundle became, by the texts that other entries refer to them with.

    A relative reference resolves against the base of its own entry's fullUrl.

    http://hl7.org/fhir/R4/bundle.html#references
    """

    def __init__(self) -> None:
        self._absolute: dict[str, str] = {}
        self._relative: dict[str | None, dict[str, str]] = {}
        self._merged: dict[str | None, dict[str, str]] = {}

    def add(self, full_url: str | None, resource: Json | None, resource_type: str, became: str) -> None:
        """Names an entry that became `Patient/1`: its fullUrl; without one the id it was sent with."""
        if full_url is not None:
            self._absolute[full_url] = became
            base = base_of(full_url)
            if base is not None:
                self._relative.setdefault(base, {})[full_url[len(base) + 1 :]] = became
        elif resource is not None and isinstance(resource.get("id"), str):
            self._relative.setdefault(None, {})[f"{resource_type}/{resource['id']}"] = became

    def seen_from(self, full_url: str | None) -> Mapping[str, str]:
        """Text → `Patient/1`, for the references inside the entry with this fullUrl."""
        base = None if full_url is None else base_of(full_url)
        if base not in self._merged:
            self._merged[base] = self._absolute | self._relative.get(base, {})
        return self._merged[base]


def base_of(full_url: str) -> str | None:
    """`http://x/fhir` of `http://x/fhir/Patient/1`; None for a urn and whatever is no RESTful URL."""
    parts = full_url.rsplit("/", 2)
    if "://" not in full_url or len(parts) != 3 or not is_resource(parts[1]):
        return None
    return parts[0]
