"""Where in a resource a FHIRPath points: not the values it selects but their places.

A patch changes elements, so it needs the object that has them, the member and the index. Paths are read here:
members, `[n]`, `first() last() tail() skip(n) take(n) single()`, `ofType(T)`, `as`, `extension(url)` and
`where(criterion)`. A criterion only answers yes or no: that is left to the FHIRPath engine.

http://hl7.org/fhir/R4/fhirpatch.html, http://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from resources import outcome, registry
from resources.codec import Json
from resources.element_criterion import Criterion, read_criterion
from resources.element_path_syntax import Syntax, Token
from resources.registry import Element

MAX_WORK = 2_000_000
"""Steps (about a microsecond each) that may be spent on the paths of one patch."""


@dataclass(slots=True)
class Budget:
    """What is left to spend: a short path can ask for a long walk."""

    left: int = MAX_WORK

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise outcome.too_costly(
                "The paths of the patch visit too many elements; send several smaller patches"
            )


@dataclass(frozen=True, slots=True)
class Place:
    """One element: `holder[member]`, or item `index` of it where the element repeats.

    `type` is a name of `resources.registry`; `value` is None where a primitive has only an `_` sibling. The
    place of the resource itself has no `parent`.
    """

    type: str
    value: Any
    holder: Json = field(default_factory=dict)
    member: str = ""
    index: int | None = None
    parent: Place | None = None
    element: Element | None = None

    @property
    def is_primitive(self) -> bool:
        return registry.is_primitive(self.type)

    @property
    def elements_type(self) -> str:
        """The type whose elements it may have: a primitive has `id` and `extension`, in its `_` sibling."""
        return "Element" if self.is_primitive else self.type

    @property
    def content(self) -> Json:
        """The object with its elements; empty where there is none."""
        value = self.value
        if self.is_primitive:
            value = self.holder.get("_" + self.member)
            if self.index is not None:
                value = value[self.index] if isinstance(value, list) and self.index < len(value) else None
        return value if isinstance(value, dict) else {}


class Step(Protocol):
    def __call__(self, places: list[Place], budget: Budget, /) -> list[Place]: ...


@dataclass(frozen=True, slots=True)
class Member:
    """The step to an element by its FHIRPath name."""

    name: str

    def __call__(self, places: list[Place], budget: Budget) -> list[Place]:
        return [child for place in places for child in _children(place, self.name, budget)]


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was understood; `text` is how it was written."""

    text: str
    steps: tuple[Step, ...]

    def places(self, resource: Json, budget: Budget) -> list[Place]:
        """The places it selects in the resource, in order; 413 where that takes too long."""
        places = [Place(resource["resourceType"], resource)]
        for step in self.steps:
            budget.spend(len(places) + 1)
            places = step(places, budget)
        return places

    def split(self) -> tuple[Path, str]:
        """The path before its last member and that member; 400 where the path does not end with a member."""
        if not self.steps or not isinstance(self.steps[-1], Member):
            raise outcome.bad_request(f"The path '{self.text}' does not end with the name of a list")
        return Path(self.text, self.steps[:-1]), self.steps[-1].name


def element_of(type_name: str, name: str) -> Element:
    """The element of the type by its FHIRPath name; 400 that says what is known where there is none."""
    found = registry.element(type_name, name)
    if found is not None:
        return found
    try:
        choice = registry.json_members(type_name).get(name)
        known = ", ".join(registry.elements(type_name))
    except KeyError:
        raise outcome.bad_request(f"'{type_name[:64]}' is not a FHIR R4 type") from None
    if choice is not None:
        raise outcome.bad_request(
            f"'{name}' is written '{choice.name}' in a path: it is the choice {choice.path}"
        )
    raise outcome.bad_request(f"{type_name} has no element '{name[:64]}'. It has: {known}")


def parse(text: str, resource_type: str) -> Path:
    """The path for resources of the type; 400 that says what is not understood, or no element of R4."""
    if not registry.is_resource(resource_type):
        raise outcome.unknown_type(resource_type)
    return _Parser(Syntax(text), resource_type).parse()


def _children(place: Place, name: str, budget: Budget) -> Iterator[Place]:
    element = registry.element(place.elements_type, name)
    if element is None:
        return
    holder = place.content
    budget.spend(len(element.json_names))
    for member, type_name in element.json_names.items():
        value = holder.get(member)
        sibling = holder.get("_" + member) if registry.is_primitive(type_name) else None
        if value is None and sibling is None:
            continue
        if not element.repeats:
            yield Place(_type_of(value, type_name), value, holder, member, None, place, element)
            continue
        values = value if isinstance(value, list) else []
        size = max(len(values), len(sibling) if isinstance(sibling, list) else 0)
        budget.spend(size)
        for index in range(size):
            item = values[index] if index < len(values) else None
            yield Place(_type_of(item, type_name), item, holder, member, index, place, element)


def _type_of(value: Any, declared: str) -> str:
    if declared == registry.ANY_RESOURCE and isinstance(value, dict):
        found = value.get("resourceType")
        return found if isinstance(found, str) and registry.is_resource(found) else declared
    return declared


@dataclass(slots=True)
class _Parser:
    """Reads the tokens into steps, and follows the types so that a misspelt element is found without data."""

    syntax: Syntax
    resource_type: str
    types: frozenset[str] = frozenset()
    steps: list[Step] = field(default_factory=list)

    def parse(self) -> Path:
        self._expression(depth=0)
        if self.syntax.peek() is not None:
            raise self.syntax.unexpected("'.', '[' or the end")
        return Path(self.syntax.text, tuple(self.steps))

    def _expression(self, depth: int) -> None:
        if self.syntax.accept("("):
            if depth > 20:
                raise outcome.bad_request("The path has too many parentheses")
            self._expression(depth + 1)
            self.syntax.expect(")")
        else:
            self._start(self.syntax.expect_kind("name", "variable"))
        while True:
            if self.syntax.accept("["):
                self._take_item(self.syntax.integer())
                self.syntax.expect("]")
            elif self.syntax.accept("."):
                self._invocation(self.syntax.expect_kind("name"))
            elif self.syntax.accept("as"):
                self._of_type()
            else:
                return

    def _start(self, token: Token) -> None:
        self.types = frozenset({self.resource_type})
        if token.kind == "variable":
            if token.text not in {"%resource", "%context", "$this"}:
                raise self.syntax.unexpected("a path that starts with the resource type", token)
        elif not registry.is_a(self.resource_type, token.text):
            self._invocation(token)

    def _invocation(self, token: Token) -> None:
        if not token.quoted and self.syntax.accept("("):
            self._function(token)
            self.syntax.expect(")")
        else:
            self._member(token.text)

    def _member(self, name: str) -> None:
        self.steps.append(Member(name))
        if registry.ANY_RESOURCE in self.types or not self.types:
            self.types = frozenset()  # whatever resource lies there: only the data can tell
            return
        owners = {"Element" if registry.is_primitive(each) else each for each in self.types}
        found = [
            element for element in (registry.element(owner, name) for owner in owners) if element is not None
        ]
        if not found:
            element_of(min(owners), name)
        self.types = frozenset(type_name for element in found for type_name in element.types)

    def _function(self, token: Token) -> None:
        match token.text:
            case "where":
                self.steps.append(_where(read_criterion(self.syntax)))
            case "first":
                self._slice(slice(0, 1))
            case "last":
                self._slice(slice(-1, None))
            case "tail":
                self._slice(slice(1, None))
            case "skip":
                self._slice(slice(self.syntax.integer(), None))
            case "take":
                self._slice(slice(0, self.syntax.integer()))
            case "single":
                self.steps.append(_single)
            case "ofType" | "as":
                self._of_type()
            case "extension":
                self._member("extension")
                self.steps.append(_with_url(self.syntax.string()))
            case other:
                known = "where, first, last, tail, skip, take, single, ofType, as, extension"
                raise outcome.bad_request(f"The path uses {other}(), which selects no place. Usable: {known}")

    def _slice(self, part: slice) -> None:
        self.steps.append(lambda places, _: places[part])

    def _take_item(self, index: int) -> None:
        self._slice(slice(index, index + 1))

    def _of_type(self) -> None:
        name = self.syntax.expect_kind("name").text
        if name == "FHIR" and self.syntax.accept("."):
            name = self.syntax.expect_kind("name").text
        if not (registry.is_primitive(name) or registry.is_resource(name) or name in registry.data_types()):
            raise outcome.bad_request(f"'{name}' is not a FHIR R4 type")
        self.types = frozenset({name})
        self.steps.append(lambda places, _: [place for place in places if registry.is_a(place.type, name)])


def _single(places: list[Place], _: Budget) -> list[Place]:
    if len(places) > 1:
        raise outcome.unprocessable(f"single() stands on {len(places)} elements", code="processing")
    return places


def _with_url(url: str) -> Step:
    return lambda places, _: [place for place in places if place.content.get("url") == url]


def _where(criterion: Criterion) -> Step:
    def step(places: list[Place], budget: Budget) -> list[Place]:
        selected = []
        for place in places:
            budget.spend(criterion.cost(place.value))
            if place.value is not None and criterion.holds(place.value, place.type):
                selected.append(place)
        return selected

    return step
