"""msgspec types generated from the definitions at first use, one for each type as an element uses it.

They take what is frequent and right. They refuse what is rare too (`_value[x]` beside a choice element, null in an array,
blanks in base64, an Extension with an id), and leave to others what bytes show faster: empty objects and control
characters. So they are used by `resources.structure` only.

http://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from types import GenericAlias
from typing import Annotated, Any, Literal, NamedTuple, Self

import msgspec
from msgspec import UNSET, Meta

from resources import bindings, narrative, primitives, reference_rules, registry
from resources.registry import ANY_RESOURCE, Element

_URI = re.compile(primitives.PATTERNS["uri"])

_TEXT = Annotated[str, Meta(min_length=1, max_length=primitives.MAX_STRING)]
_PLAIN: dict[str, Any] = {
    "base64Binary": Annotated[bytes, Meta(min_length=1)],
    "boolean": bool,
    "decimal": float,
    "markdown": _TEXT,
    "string": _TEXT,
}
_PLAIN |= {name: Annotated[int, Meta(ge=low, le=high)] for name, (low, high) in primitives.RANGES.items()}
_PLAIN |= {name: Annotated[str, Meta(pattern=pattern)] for name, pattern in primitives.PATTERNS.items()}


@cache
def decoder(resource_type: str) -> msgspec.json.Decoder[Any]:
    """The decoder of a resource type, made at first use; KeyError if there is no such type.

    It raises `msgspec.ValidationError` where it refuses. What it decodes is of no use: decimals are floats.
    """
    if not registry.is_resource(resource_type):
        raise KeyError(resource_type)
    return msgspec.json.Decoder(_struct(_Kind(resource_type)), dec_hook=_read)


class _Kind(NamedTuple):
    """A type as one element uses it: the targets of a Reference, a Quantity without comparator."""

    type_name: str
    targets: tuple[str, ...] = ()
    simple: bool = False


class _Deferred:
    """A part of a type that msgspec hands over to `check`, which raises ValueError where it refuses."""

    @classmethod
    def check(cls, value: Any) -> None:
        raise NotImplementedError

    @classmethod
    def read(cls, value: Any) -> Self:
        cls.check(value)
        return cls()


def _read(kind: type[_Deferred], value: Any) -> _Deferred:
    return kind.read(value)


def _convert(value: Any, kind: Any) -> None:
    msgspec.convert(value, kind, dec_hook=_read)


class _Xhtml(_Deferred):
    @classmethod
    def check(cls, value: Any) -> None:
        if not isinstance(value, str) or narrative.fault(value) is not None:
            raise ValueError("not the div of a Narrative")


class _Extension(_Deferred):
    """A url and one value or further extensions: its 50 value types are looked up, not held as 50 fields."""

    @classmethod
    def check(cls, value: Any) -> None:
        if not isinstance(value, dict) or len(value) != 2:
            raise ValueError("more than a url and a value")
        url = value.get("url")
        if not isinstance(url, str) or not _URI.match(url):
            raise ValueError("no url")
        for name, content in value.items():
            if name != "url":
                _convert(content, _extension_content(name))


@cache
def _extension_content(name: str) -> Any:
    element = registry.json_members("Extension").get(name)
    if element is None or name == "id":
        raise ValueError(f"an Extension has no {name}")
    return _annotation(element, element.json_names[name])


class _PrimitiveElement(msgspec.Struct, forbid_unknown_fields=True):
    """What stands under `_birthDate`: http://hl7.org/fhir/R4/json.html#primitive."""

    extension: Annotated[list[_Extension], Meta(min_length=1)]
    id: _TEXT = ""


_building: list[_Kind] = []


@cache
def _deferred(kind: _Kind) -> type[_Deferred]:
    """A type inside itself (`Questionnaire.item.item`), resolved when it is met."""

    class Deferred(_Deferred):
        @classmethod
        def check(cls, value: Any) -> None:
            _convert(value, _struct(kind))

    return Deferred


@cache
def _bound_concept(value_set: str) -> type[_Deferred]:
    class Bound(_Deferred):
        @classmethod
        def check(cls, value: Any) -> None:
            _convert(value, _struct(_Kind("CodeableConcept")))
            if bindings.concept_fault(value, value_set):
                raise ValueError("not in the value set")

    return Bound


def _annotation(element: Element, type_name: str) -> Any:
    """The type of an element's JSON value, a list where it repeats."""
    one = _single(element, type_name)
    return Annotated[GenericAlias(list, one), Meta(min_length=1)] if element.repeats else one


def _single(element: Element, type_name: str) -> Any:
    codes = registry.codes(element.binding) if element.binding else None
    if type_name == "code" and codes is not None:
        return Literal[tuple(sorted(codes))]
    if type_name in _PLAIN:
        return _PLAIN[type_name]
    if type_name == "CodeableConcept" and element.binding:
        return _bound_concept(element.binding)
    special = {"Extension": _Extension, "xhtml": _Xhtml, ANY_RESOURCE: dict[str, msgspec.Raw]}
    if type_name in special:
        return special[type_name]
    kind = _Kind(
        type_name,
        element.targets if type_name == "Reference" else (),
        simple=type_name == "Quantity" and "SimpleQuantity" in element.profiles,
    )
    return _deferred(kind) if kind in _building else _struct(kind)


@cache
def _struct(kind: _Kind) -> type[msgspec.Struct]:
    _building.append(kind)
    try:
        return _define(kind)
    finally:
        _building.pop()


class _Fields:
    """The fields of a struct: attributes are numbered, since JSON names may be Python keywords."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        self.names: dict[str, str] = {}

    def add(self, name: str, annotation: Any, *, required: bool = False) -> str:
        attribute = f"f{len(self.fields)}"
        self.names[attribute] = name
        self.fields.append((attribute, annotation) if required else (attribute, annotation, UNSET))
        return attribute


_Check = Callable[[Any], None]


def _define(kind: _Kind) -> type[msgspec.Struct]:
    fields = _Fields()
    checks: list[_Check] = []
    if registry.is_resource(kind.type_name):
        fields.add("resourceType", Literal[kind.type_name], required=True)
    for element in registry.elements(kind.type_name).values():
        if kind.simple and element.name == "comparator":
            continue
        if element.is_choice:
            attributes = [fields.add(name, _annotation(element, t)) for name, t in element.json_names.items()]
            checks.append(_one_of(attributes, required=element.min > 0))
        elif kind.type_name == "Reference" and element.name == "reference":
            fields.add("reference", Annotated[str, Meta(pattern=reference_rules.pattern(kind.targets))])
        else:
            _add(fields, element)
    if kind.type_name == "Reference":
        checks.append(_untyped(fields))
    namespace = {"__post_init__": _all(checks)} if checks else {}
    return msgspec.defstruct(
        "Of" + kind.type_name.replace(".", ""),
        fields.fields,
        namespace=namespace,
        rename=fields.names,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def _add(fields: _Fields, element: Element) -> None:
    (type_name,) = element.types
    fields.add(element.name, _annotation(element, type_name), required=element.min > 0)
    if registry.is_primitive(type_name) and not element.repeats and element.takes_extensions:
        fields.add("_" + element.name, _PrimitiveElement)


def _one_of(attributes: list[str], *, required: bool) -> _Check:
    values, absent = attrgetter(*attributes), len(attributes)

    def check(struct: Any) -> None:
        given = absent - values(struct).count(UNSET)
        if given > 1 or (required and not given):
            raise ValueError("one value was expected")

    return check


def _untyped(fields: _Fields) -> _Check:
    """References with a `type` are rare: whether it agrees is left to `resources.faults`."""
    attribute = next(attribute for attribute, name in fields.names.items() if name == "type")
    declared = attrgetter(attribute)

    def check(struct: Any) -> None:
        if declared(struct) is not UNSET:
            raise ValueError("a declared type")

    return check


def _all(checks: list[_Check]) -> _Check:
    if len(checks) == 1:
        return checks[0]

    def check_all(struct: Any) -> None:
        for check in checks:
            check(struct)

    return check_all
