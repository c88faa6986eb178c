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

LINKS = frozenset({"uri", "url"})
NAMES = frozenset({"fullUrl"})
"""Elements that give a thing its name rather than point to one"""

_NARRATIVE_LINK = re.compile(r"""(\b(?:href|src)\s*=\s*)("[^"]*"|'[^']*')""")


def rewritten(resource: Json, targets: Mapping[str, str]) -> Json:
    """A copy of the resource in which every link that is a key of `targets` is its value.

    What holds no such link is shared with the original, not copied. A reference that now points to a type
    that may not stand there is a 400.
    """
    if not targets:
        return resource
    rewriting = _Rewriting(targets)
    changed = rewriting.members(resource, (resource["resourceType"], None))
    if rewriting.doubtful:
        validation.check(changed)
    return changed


def rewritten_patch(operations: Any, resource_type: str, targets: Mapping[str, str]) -> Any:
    """The operations of a JSON Patch with the links in their values rewritten."""
    if not isinstance(operations, list) or not targets:
        return operations
    rewriting = _Rewriting(targets)
    return [rewriting.operation(each, resource_type) for each in operations]


class _Rewriting:
    """Walks a resource; `doubtful` once a reference points to a type that its element may not allow."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self.doubtful = False

    def members(self, value: Json, path: Path) -> Json:
        targets = self._targets
        changed: Json | None = None
        for name, member in value.items():
            kind = type(member)
            new: Any = member
            if kind is str:
                if member in targets or name in {"reference", "div"}:
                    new = self.text(member, (name, path))
            elif kind is dict:
                here = (member["resourceType"], None) if "resourceType" in member else (name, path)
                new = self.members(member, here)
            elif kind is list:
                new = self.items(member, (name, path))
            if new is not member:
                changed = changed or dict(value)
                changed[name] = new
        return changed or value

    def items(self, value: list[Any], path: Path) -> list[Any]:
        changed: list[Any] | None = None
        for position, item in enumerate(value):
            new: Any = item
            if isinstance(item, dict):
                here = (item["resourceType"], None) if "resourceType" in item else path
                new = self.members(item, here)
            elif isinstance(item, str) and item in self._targets:
                new = self.text(item, path)
            if new is not item:
                changed = changed or list(value)
                changed[position] = new
        return changed or value

    def text(self, text: str, path: Path) -> str:
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
        element = _element(path[1]) if path[1] is not None else None
        if element is not None and element.targets and target.partition("/")[0] not in element.targets:
            self.doubtful = True
        return target + mark + fragment if text not in self._targets else target

    def _link(self, link: re.Match[str]) -> str:
        attribute, quoted = link.groups()
        target = self._targets.get(quoted[1:-1])
        return link.group() if target is None else f"{attribute}{quoted[0]}{target}{quoted[0]}"

    def operation(self, operation: Any, resource_type: str) -> Any:
        if not isinstance(operation, dict) or "value" not in operation:
            return operation
        path: Path = (resource_type, None)
        for step in str(operation.get("path", "")).split("/")[1:]:
            if not step.isdigit() and step != "-":
                path = (step, path)
        value = operation["value"]
        new = value
        if isinstance(value, dict):
            new = self.members(value, path)
        elif isinstance(value, list):
            new = self.items(value, path)
        elif isinstance(value, str):
            new = self.text(value, path)
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


def conditional_references(resource: Any) -> set[str]:
    """Each `Practitioner?identifier=…` that stands where a reference should.

    http://hl7.org/fhir/R4/http.html#trules, "conditional references"
    """
    found: set[str] = set()
    open_: list[Any] = [resource] if isinstance(resource, dict | list) else []
    while open_:
        value = open_.pop()
        members = value.values() if isinstance(value, dict) else value
        open_ += [member for member in members if type(member) in {dict, list}]
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str) and "?" in reference and is_resource(reference.split("?", 1)[0]):
            found.add(reference)
    return found


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
