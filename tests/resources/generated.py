"""Resources made from the definitions: of any type, structurally valid, and the same with one defect."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from resources import registry
from resources.registry import Element

Json = dict[str, Any]

_SAMPLES: dict[str, list[Any]] = {
    "base64Binary": ["aGVsbG8="],
    "boolean": [True, False],
    "canonical": ["http://example.org/x|1"],
    "code": ["a-code", "two words"],
    "date": ["2024", "2024-02", "2024-02-29"],
    "dateTime": ["2024", "2024-02-29T10:00:60.5+01:00"],
    "decimal": [1, Decimal("6.30")],
    "id": ["an.id-1"],
    "instant": ["2024-02-29T10:00:00Z"],
    "integer": [-5, 0],
    "markdown": ["*text*"],
    "oid": ["urn:oid:1.2.3"],
    "positiveInt": [1],
    "string": ["text", 'with "quotes" \\ and \n lines', "a [] {b} #"],
    "time": ["10:00:00"],
    "unsignedInt": [0, 7],
    "uri": ["http://example.org", "urn:x"],
    "url": ["http://example.org"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "xhtml": ['<div xmlns="http://www.w3.org/1999/xhtml">text</div>'],
}
_RUBBISH: list[Any] = [
    None,
    "",
    " ",
    "x",
    "a  b",
    0,
    -1,
    2**40,
    True,
    Decimal("1.5"),
    [],
    {},
    [None],
    [{}],
    {"id": "x"},
]
_RUBBISH += [
    {"foo": 1},
    "Patient/1",
    "#x",
    "a\x01",
    "2023-02-29",
    {"extension": [{"url": "u", "valueCode": "c"}]},
]


def resource(type_name: str, rng: random.Random) -> Json:
    """A structurally valid resource without resources inside; constraints may be broken."""
    return {"resourceType": type_name, **_members(type_name, rng, 0)}


def mutated(original: Json, rng: random.Random) -> Json:
    """The resource with one change somewhere, that may or may not be a defect. `original` is not changed."""
    changed: Json = _copy(original)
    holder, key = rng.choice(list(_places(changed)))
    kind = rng.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice(["_" + key, key + "x", "valueString", "_valueCode", "extension", "id"])] = holder[
            key
        ]
    elif kind == 2 and isinstance(holder, dict):
        holder["_" + key] = rng.choice([*_RUBBISH, {"id": "x"}, [{"id": "x"}]])
    elif kind == 3:
        holder[key] = [holder[key]]
    elif kind == 4 and isinstance(holder[key], list) and holder[key]:
        holder[key] = holder[key][0]
    else:
        holder[key] = rng.choice(_RUBBISH)
    return changed


def _members(type_name: str, rng: random.Random, depth: int) -> Json:
    elements = [e for e in registry.elements(type_name).values() if not _is_avoided(e, type_name)]
    chosen = [e for e in elements if e.min or rng.random() < 0.25 / (depth + 1)]
    if not any(e.name != "id" for e in chosen):
        chosen.append(
            rng.choice([e for e in elements if e.name not in {"id", "extension", "modifierExtension"}])
        )
    members: Json = {}
    for element in chosen:
        name = rng.choice(list(element.json_names))
        value = _value(element, element.json_names[name], rng, depth)
        members[name] = [value] if element.repeats else value
    return members


def _is_avoided(element: Element, type_name: str) -> bool:
    """No resources inside, and of an Extension a value only."""
    inside = registry.ANY_RESOURCE in element.types
    return inside or (type_name == "Extension" and element.name in {"id", "extension"})


def _value(element: Element, kind: str, rng: random.Random, depth: int) -> Any:
    if element.path == "Extension.value[x]" and not registry.is_primitive(kind):
        depth += 2
    codes = registry.codes(element.binding) if element.binding else None
    if codes:
        code = rng.choice(sorted(codes))
        if kind == "code":
            return code
        systems = registry.systems(str(element.binding)) or {}
        return {
            "coding": [{"system": s, "code": code} for s, some in systems.items() if code in (some or ())]
        }
    if registry.is_primitive(kind):
        return rng.choice(_SAMPLES[kind])
    if kind == "Reference":
        return {"reference": f"{rng.choice(element.targets or ('Patient',))}/1"}
    if kind == "Quantity" and element.profiles:
        return {"value": 1}
    members = _members(kind, rng, depth + 1)
    if kind == "Extension":
        members.setdefault("valueString", "x") if not any(n.startswith("value") for n in members) else None
    return members


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(inner)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value
