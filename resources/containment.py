"""The rules of contained resources: ids, no nesting, every one referenced, every fragment resolved, to a type that
may stand there.

http://hl7.org/fhir/R4/references.html#contained (dom-2, dom-3, dom-4, dom-5, ref-1)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from resources import codec, reference_rules, registry
from resources.inside import inside
from resources.outcome import Issue
from resources.trail import Trail, path_of

Json = dict[str, Any]
_FRAGMENT = re.compile(rb'"#([^"]*)"')
_NOT_OURS = ("resource", "outcome")
"""Members that hold a resource which is a root of its own: in Bundle.entry and Parameters.parameter."""


def faults(resource: Json) -> list[Issue]:
    """What is wrong between a resource and those it contains. Malformed parts are passed over."""
    name = str(resource.get("resourceType"))
    contained = resource.get("contained")
    children = contained if isinstance(contained, list) else []
    if _is_certainly_right(resource, children):
        return []
    issues: list[Issue] = []
    ids: set[str] = set()
    for i, child in enumerate(children):
        if isinstance(child, dict):
            issues += _child_faults(child, f"{name}.contained[{i}]", ids)
            if isinstance(child.get("id"), str):
                ids.add(child["id"])
    fragments = list(_fragments(resource, name))
    used = {text[1:] for _, _, text in fragments}
    for i, child in enumerate(children):
        if isinstance(child, dict) and isinstance(child.get("id"), str) and not _is_linked(child, used):
            text = f"dom-3: nothing refers to the contained resource '{child['id'][:64]}' and it does not refer back"
            issues.append(_issue("invariant", f"{name}.contained[{i}]", text))
    for place, key, fragment in fragments:
        if key == "reference" and len(fragment) > 1 and fragment[1:] not in ids:
            known = ", ".join("#" + each for each in sorted(ids)) or "nothing"
            text = f"ref-1: '{fragment[:64]}' is not a contained resource; contained here: {known}"
            issues.append(_issue("invariant", place, text))
    return issues


def wrong_types(resource: Json, *, extensions: bool = True) -> list[Issue]:
    """References such as `#a` to a contained resource of a type that their element does not allow. Without `extensions`
    anywhere inside, fewer places have to be looked at.

    http://hl7.org/fhir/R4/references.html#contained
    """
    contained = resource.get("contained")
    children = contained if isinstance(contained, list) else []
    types = {"#": resource["resourceType"]}
    for child in children:
        if isinstance(child, dict) and isinstance(child.get("id"), str):
            types.setdefault(f"#{child['id']}", child.get("resourceType"))
    search = _Search(types, extensions)
    name = str(resource["resourceType"])
    search.within(resource, name, (None, name, None))
    for i, each in enumerate(children):
        kind = each.get("resourceType") if isinstance(each, dict) else None
        if isinstance(kind, str) and registry.is_resource(kind):
            search.within(each, kind, ((None, name, None), "contained", i))
    return search.issues


class _Search:
    """Looks for references to contained resources: `types` are theirs, by `#id`."""

    def __init__(self, types: dict[str, Any], extensions: bool) -> None:
        self.issues: list[Issue] = []
        self._types = types
        self._extensions = extensions

    def within(self, value: Json, type_name: str, trail: Trail) -> None:
        """Inside an object of that type."""
        known = _elements(type_name, self._extensions)
        for name, member in value.items():
            element = known.get(name)
            if element is None:
                continue
            several = isinstance(member, list)
            for i, each in enumerate(member if several else (member,)):
                if isinstance(each, dict):
                    self._look(
                        each, element, element.json_names[name], (trail, element.name, i if several else None)
                    )

    def _look(self, value: Json, element: registry.Element, kind: str, trail: Trail) -> None:
        if kind == "Reference" and isinstance(value.get("reference"), str):
            self.issues += _target(value["reference"], element, trail, self._types)
        self.within(value, kind, trail)


@cache
def _elements(type_name: str, extensions: bool) -> dict[str, registry.Element]:
    """The elements of a type, by JSON member, that hold References, or may do so in their extensions."""
    known = registry.json_members(type_name)
    return {name: each for name, each in known.items() if _may_refer(each.json_names[name], extensions)}


def _may_refer(kind: str, extensions: bool) -> bool:
    if kind == registry.ANY_RESOURCE or registry.is_primitive(kind):
        return False
    return extensions or "Reference" in inside(kind)


def _target(literal: str, element: registry.Element, trail: Trail, types: dict[str, Any]) -> list[Issue]:
    named = types.get(literal)
    if not isinstance(named, str) or not registry.is_resource(named):
        return []
    text = reference_rules.target_fault(literal, named, element.targets)
    if text is None:
        return []
    where = f"{path_of(trail)}.reference"
    severity = reference_rules.severity(f"{named}/", element.path)
    return [Issue(severity, "value", f"{where}: {text}", (where,))]


def _is_certainly_right(resource: Json, children: list[Any]) -> bool:
    """Each child has an id of its own, nothing it must not have, and every fragment in the text is one of the ids."""
    if not all(isinstance(child, dict) and isinstance(child.get("id"), str) for child in children):
        return False
    ids = {child["id"].encode(errors="replace") for child in children}
    if len(ids) < len(children) or any("contained" in child or "meta" in child for child in children):
        return False
    try:
        return set(_FRAGMENT.findall(codec.encode(resource))) == ids
    except UnicodeEncodeError:  # half of a surrogate pair, which is a fault for others to name
        return False


def _issue(code: str, path: str, text: str) -> Issue:
    return Issue("error", code, f"{path}: {text}", (path,))


def _child_faults(child: Json, path: str, ids: set[str]) -> Iterator[Issue]:
    if "id" not in child:
        yield _issue("required", f"{path}.id", "a contained resource needs an id to be referred to")
    elif isinstance(child["id"], str) and child["id"] in ids:
        yield _issue(
            "invariant", f"{path}.id", f"the id '{child['id'][:64]}' is used by two contained resources"
        )
    if "contained" in child:
        yield _issue("invariant", f"{path}.contained", "dom-2: a contained resource cannot contain resources")
    meta = child.get("meta")
    for element, key in (("versionId", "dom-4"), ("lastUpdated", "dom-4"), ("security", "dom-5")):
        if isinstance(meta, dict) and element in meta:
            yield _issue(
                "invariant", f"{path}.meta.{element}", f"{key}: a contained resource has no meta.{element}"
            )


def _is_linked(child: Json, used: set[str]) -> bool:
    return child["id"] in used or any(text == "#" for _, _, text in _fragments(child, ""))


def _fragments(value: Any, path: str, key: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, member name, text) of each string that begins with '#'."""
    if isinstance(value, str):
        if value.startswith("#"):
            yield path, key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NOT_OURS or not isinstance(inner, dict) or "resourceType" not in inner:
                yield from _fragments(inner, f"{path}.{name}", name)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _fragments(inner, f"{path}[{i}]", key)
