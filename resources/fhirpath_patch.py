"""FHIRPath Patch: a Parameters resource of operations (add, insert, delete, replace, move) on a resource.

http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resources import element_content, element_path, outcome
from resources.codec import MAX_DEPTH, Json
from resources.element_content import Slots, content_of
from resources.element_path import Budget, Path, Place
from resources.json_patch import MAX_OPERATIONS, measure
from resources.outcome import FHIRError
from resources.registry import Element

_PARTS = {"type", "path", "name", "value", "index", "source", "destination"}
_NEEDED = {
    "add": ("path", "name", "value"),
    "insert": ("path", "index", "value"),
    "delete": ("path",),
    "replace": ("path", "value"),
    "move": ("path", "source", "destination"),
}


@dataclass(frozen=True, slots=True)
class _Operation:
    type: str
    path: Path
    parts: dict[str, Json]

    def integer(self, name: str) -> int:
        value = _scalar(self.parts[name])
        if isinstance(value, bool) or not isinstance(value, int):
            raise outcome.bad_request(f"'{name}' is not an integer (valueInteger)")
        return value


def apply(resource: Json, parameters: Json) -> Json:
    """The resource after all operations, in order; the resource and the parameters stay as they are.

    An element that a delete leaves empty goes too; what is replaced goes with its `_` sibling. Raises 400 where
    the patch is malformed or a path is not FHIRPath of R4 elements, 422 where an operation cannot be done (no
    such element, more than one, wrong type), 413 where it costs too much; the text names the operation and its
    path, the expression is `Parameters.parameter[i]`. Whether the result is valid is for the caller to check.

    http://hl7.org/fhir/R4/fhirpatch.html
    """
    budget = Budget()
    operations = _read(parameters, str(resource.get("resourceType")))
    patched = copy.deepcopy(resource)
    for index, operation in enumerate(operations):
        try:
            _ACTIONS[operation.type](operation, patched, budget)
        except FHIRError as error:
            raise _named(index, error, f"({operation.type} {operation.path.text[:200]})") from None
    if measure(patched)[0] > MAX_DEPTH:
        text = f"The patch nests the resource more than {MAX_DEPTH} levels deep"
        raise outcome.unprocessable(text, code="too-costly")
    return patched


def _read(parameters: Json, resource_type: str) -> list[_Operation]:
    given = parameters.get("parameter", [])
    if parameters.get("resourceType") != "Parameters" or not isinstance(given, list):
        raise outcome.bad_request(
            "A FHIRPath Patch is a Parameters resource with one parameter 'operation' each"
        )
    if len(given) > MAX_OPERATIONS:
        raise outcome.too_costly(
            f"The patch has {len(given)} operations; at most {MAX_OPERATIONS} are done at once"
        )
    operations = []
    for index, parameter in enumerate(given):
        try:
            operations.append(_operation(parameter, resource_type))
        except FHIRError as error:
            raise _named(index, error) from None
    return operations


def _operation(parameter: Any, resource_type: str) -> _Operation:
    if not isinstance(parameter, dict) or parameter.get("name") != "operation":
        raise outcome.bad_request("the parameter is not named 'operation'")
    parts = _parts(parameter.get("part"))
    kind = _scalar(parts.get("type", {}))
    if not isinstance(kind, str) or kind not in _NEEDED:
        raise outcome.bad_request(
            f"its 'type' is {kind!r}; expected is a valueCode of {', '.join(_NEEDED)}"[:300]
        )
    for needed in _NEEDED[kind]:
        if needed not in parts:
            raise outcome.bad_request(f"({kind}) has no part '{needed}'")
    path = _scalar(parts["path"])
    if not isinstance(path, str):
        raise outcome.bad_request(f"({kind}) has a 'path' that is not a valueString")
    return _Operation(kind, element_path.parse(path, resource_type), parts)


def _parts(given: Any) -> dict[str, Json]:
    parts: dict[str, Json] = {}
    for part in given if isinstance(given, list) else []:
        name = part.get("name") if isinstance(part, dict) else None
        if not isinstance(name, str) or name not in _PARTS:
            raise outcome.bad_request(f"a part is named {name!r}; known: {', '.join(sorted(_PARTS))}"[:300])
        if name in parts:
            raise outcome.bad_request(f"the part '{name}' stands twice")
        parts[name] = part
    return parts


def _scalar(part: Json) -> Any:
    """The value[x] of a part, whatever its type; None where there is not exactly one."""
    values = [value for member, value in part.items() if member.startswith("value")]
    return values[0] if len(values) == 1 else None


def _only(path: Path, resource: Json, budget: Budget) -> Place:
    places = path.places(resource, budget)
    if not places:
        raise outcome.unprocessable("nothing is found there", code="processing")
    if len(places) > 1:
        text = (
            f"{len(places)} elements are found there where exactly one is meant; add an index or where(...)"
        )
        raise outcome.unprocessable(text, code="processing")
    return places[0]


def _add(operation: _Operation, resource: Json, budget: Budget) -> None:
    place = _only(operation.path, resource, budget)
    name = _scalar(operation.parts["name"])
    if not isinstance(name, str):
        raise outcome.bad_request("its 'name' is not a valueString")
    element = element_path.element_of(place.elements_type, name)
    content = content_of(operation.parts["value"], element, budget)
    element_content.put(_holder(place, budget), element, content, budget)


def _holder(place: Place, budget: Budget) -> Json:
    """The object that takes elements of the place: for a primitive its `_` sibling, made where it is missing."""
    if not place.is_primitive:
        if not isinstance(place.value, dict):
            raise outcome.unprocessable(f"{place.type} is not an object there", code="processing")
        return place.value
    if place.index is None:
        sibling: Json = place.holder.setdefault("_" + place.member, {})
        return sibling
    slots = Slots.of(place.holder, place.member, budget)
    slots.siblings[place.index] = slots.siblings[place.index] or {}
    slots.store()
    found: Json = slots.siblings[place.index]
    return found


def _list(operation: _Operation, resource: Json, budget: Budget) -> tuple[Place, Element, str]:
    """The place that has the list, the list's element and its JSON name."""
    before, name = operation.path.split()
    place = _only(before, resource, budget)
    element = element_path.element_of(place.elements_type, name)
    if not element.repeats:
        raise outcome.unprocessable(f"{element.path} is not a list", code="processing")
    return place, element, name


def _insert(operation: _Operation, resource: Json, budget: Budget) -> None:
    place, element, name = _list(operation, resource, budget)
    content = content_of(operation.parts["value"], element, budget)
    slots = Slots.of(_holder(place, budget), name, budget)
    index = operation.integer("index")
    if not 0 <= index <= len(slots.values):
        text = f"index {index} is outside of the list: it may be 0 to {len(slots.values)}"
        raise outcome.unprocessable(text, code="processing")
    slots.values.insert(index, content.value)
    slots.siblings.insert(index, content.sibling)
    slots.store()


def _move(operation: _Operation, resource: Json, budget: Budget) -> None:
    place, _, name = _list(operation, resource, budget)
    slots = Slots.of(_holder(place, budget), name, budget)
    source, destination = operation.integer("source"), operation.integer("destination")
    for part, index in (("source", source), ("destination", destination)):
        if not 0 <= index < len(slots.values):
            text = f"{part} {index} is outside of the list, which has {len(slots.values)} items"
            raise outcome.unprocessable(text, code="processing")
    slots.values.insert(destination, slots.values.pop(source))
    slots.siblings.insert(destination, slots.siblings.pop(source))
    slots.store()


def _delete(operation: _Operation, resource: Json, budget: Budget) -> None:
    if operation.path.places(resource, budget):
        element_content.remove(_only(operation.path, resource, budget), budget)


def _replace(operation: _Operation, resource: Json, budget: Budget) -> None:
    place = _only(operation.path, resource, budget)
    if place.element is None:
        raise outcome.unprocessable("the resource itself cannot be replaced by a patch, only by an update")
    content = content_of(operation.parts["value"], place.element, budget)
    element_content.replace(place, content, budget)


_ACTIONS: dict[str, Callable[[_Operation, Json, Budget], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}


def _named(index: int, error: FHIRError, what: str = "") -> FHIRError:
    issue = error.issues[0]
    where = f"Operation {index} of the patch {what}".strip()
    text = f"{where}: {issue.diagnostics}"
    return outcome.error(error.status, issue.code, text, f"Parameters.parameter[{index}]")
