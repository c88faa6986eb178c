"""Elements as a patch gives them (value[x], nested parts), and putting them into an object or out of it.

A primitive is a JSON value and an `_` sibling with its id and extensions; in a list the two are kept in step.

http://hl7.org/fhir/R4/json.html#primitive, http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from resources import outcome, registry
from resources.codec import Json
from resources.element_path import Budget, Place, element_of
from resources.registry import Element

_PART_COST = 10


@dataclass(frozen=True, slots=True)
class Content:
    """What stands in a resource for one element: its JSON member name, value and `_` sibling."""

    member: str
    value: Any
    sibling: Any = None


@dataclass(slots=True)
class Slots:
    """A list and its `_` sibling list, item by item side by side."""

    holder: Json
    member: str
    values: list[Any]
    siblings: list[Any]

    @classmethod
    def of(cls, holder: Json, member: str, budget: Budget) -> Slots:
        values, siblings = holder.get(member), holder.get("_" + member)
        values = list(values) if isinstance(values, list) else []
        siblings = list(siblings) if isinstance(siblings, list) else []
        size = max(len(values), len(siblings))
        budget.spend(size // 10)
        values += [None] * (size - len(values))
        siblings += [None] * (size - len(siblings))
        return cls(holder, member, values, siblings)

    def store(self) -> None:
        """Write both lists back, leaving out one that has nothing."""
        for member, items in ((self.member, self.values), ("_" + self.member, self.siblings)):
            if any(item is not None for item in items):
                self.holder[member] = items
            else:
                self.holder.pop(member, None)


def content_of(part: Json, element: Element, budget: Budget) -> Content:
    """The content a part gives for the element; 400 where the part is malformed, 422 where its type is wrong."""
    budget.spend(_PART_COST)
    kinds = {member.removeprefix("_") for member in part} - {"name", "id", "extension", "modifierExtension"}
    if len(kinds) != 1:
        text = f"the part '{str(part.get('name'))[:64]}' needs exactly one of value[x], part and resource"
        raise outcome.bad_request(text)
    kind = kinds.pop()
    if kind == "part":
        return _built(part["part"], element, budget)
    if kind == "resource":
        if element.types != (registry.ANY_RESOURCE,):
            raise _wrong_type("a resource", element)
        return Content(element.name, copy.deepcopy(part["resource"]))
    value, sibling = part.get(kind), part.get("_" + kind)
    if value is None and sibling is None:
        raise outcome.bad_request(f"'{kind[:64]}' is null")
    return Content(_member_for(kind, element), copy.deepcopy(value), copy.deepcopy(sibling))


def _member_for(kind: str, element: Element) -> str:
    """The JSON name under which the element takes a `value[x]` of this kind.

    In a choice the type must be one of the choice. Elsewhere a type will do that specializes the element's
    (code for string) or that it specializes (string for code): JSON is the same, validation decides the rest.
    """
    given = registry.elements("Parameters.parameter")["value"].json_names.get(kind)
    if given is None:
        raise outcome.bad_request(f"'{kind[:64]}' is no value[x] of a parameter")
    for member, wanted in element.json_names.items():
        if wanted == given:
            return member
        related = registry.is_a(given, wanted) or registry.is_a(wanted, given)
        if not element.is_choice and (related or (wanted, given) == ("xhtml", "string")):
            return member
    raise _wrong_type(given, element)


def _built(parts: Any, element: Element, budget: Budget) -> Content:
    """An object put together from nested parts, each named like an element of the element's type."""
    (type_name, *others) = element.types
    if others or registry.is_primitive(type_name) or type_name == registry.ANY_RESOURCE:
        raise _wrong_type("parts", element)
    if not isinstance(parts, list) or not parts:
        raise outcome.bad_request("'part' is not a list of parts")
    built: Json = {}
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("name"), str):
            raise outcome.bad_request("a nested part has no 'name'")
        inner = element_of(type_name, part["name"])
        put(built, inner, content_of(part, inner, budget), budget)
    return Content(element.name, built)


def put(holder: Json, element: Element, content: Content, budget: Budget) -> None:
    """Append where the element repeats, set where it does not; 422 where it has a value already."""
    member, sibling = content.member, "_" + content.member
    if not element.repeats:
        if any(name in holder or "_" + name in holder for name in element.json_names):
            raise outcome.unprocessable(f"{element.path} has a value already; replace it", code="processing")
        holder.update(_members(content))
    elif content.sibling is None and sibling not in holder:
        holder.setdefault(member, []).append(content.value)
    else:
        slots = Slots.of(holder, member, budget)
        slots.values.append(content.value)
        slots.siblings.append(content.sibling)
        slots.store()


def replace(place: Place, content: Content, budget: Budget) -> None:
    """Put the content where the place is, in the order of the members; the old `_` sibling goes."""
    if place.index is not None:
        slots = Slots.of(place.holder, place.member, budget)
        slots.values[place.index] = content.value
        slots.siblings[place.index] = content.sibling
        slots.store()
        return
    new, replaced = _members(content), {}
    for member, value in place.holder.items():
        if member.removeprefix("_") == place.member:
            replaced.update(new)
        else:
            replaced[member] = value
    place.holder.clear()
    place.holder.update(replaced)


def remove(place: Place, budget: Budget) -> None:
    """Take the element out with its `_` sibling, and every element around it that is empty then."""
    if place.parent is None:
        raise outcome.unprocessable("the resource itself cannot be deleted by a patch")
    if place.index is None:
        place.holder.pop(place.member, None)
        place.holder.pop("_" + place.member, None)
    else:
        slots = Slots.of(place.holder, place.member, budget)
        del slots.values[place.index]
        del slots.siblings[place.index]
        slots.store()
    if not place.holder and place.parent.parent is not None:
        _remove_empty(place.parent, budget)


def _remove_empty(place: Place, budget: Budget) -> None:
    """The element has no elements left: a primitive that has a value only loses its sibling."""
    if not place.is_primitive or place.value is None:
        remove(place, budget)
    elif place.index is None:
        del place.holder["_" + place.member]
    else:
        slots = Slots.of(place.holder, place.member, budget)
        slots.siblings[place.index] = None
        slots.store()


def _members(content: Content) -> Json:
    members = {content.member: content.value, "_" + content.member: content.sibling}
    return {name: value for name, value in members.items() if value is not None}


def _wrong_type(given: str, element: Element) -> outcome.FHIRError:
    text = f"{element.path} takes {' | '.join(element.types)}, not {given}"
    return outcome.unprocessable(text, code="processing")
