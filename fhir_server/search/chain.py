"""Chained parameters and `_has`, taken apart: what a resource refers to, and what refers to it.

    subject:Patient.name=x                 Chained(Observation, subject, ((Patient, name=x),))
    _has:Observation:patient:code=y        Referred(Observation, patient, code=y)

Both can stand in each other, to a bounded depth.

http://hl7.org/fhir/R4/search.html#chaining, http://hl7.org/fhir/R4/search.html#has
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from capability.table import TABLE, Capability
from resources import outcome, registry
from resources.outcome import FHIRError
from resources.search_parameters import SearchParameter

if TYPE_CHECKING:
    from fhir_server.search.clause import Clause
    from fhir_server.search.content_syntax import Content
    from fhir_server.search.filter import Compared, Logical

HAS = "_has"

MOST_LINKS = 8
"""Steps from one resource to the next in one parameter."""

MOST_LOOKUPS = 100
"""Types that are looked into for one search: a step that may lead to any type leads to many."""


@dataclass(frozen=True, slots=True)
class Chained:
    """Resources of `source` that refer by `parameter` to one that meets the criterion of its type."""

    source: str
    parameter: SearchParameter
    targets: tuple[tuple[str, Criterion], ...]


@dataclass(frozen=True, slots=True)
class Referred:
    """Resources of `target` that one of `source` refers to by `parameter`, which meets the criterion."""

    target: str
    source: str
    parameter: SearchParameter
    criterion: Criterion


Criterion = Union["Clause", "Compared", "Content", "Logical", Chained, Referred]

Leaf = Callable[[str, str], Criterion]
"""(resource type, `name` or `name:modifier`) → the criterion at the end of a chain; FHIRError if there is none."""


@dataclass(frozen=True, slots=True)
class Join:
    """A parameter that other resources are needed for, as written, and what it means."""

    name: str
    value: str
    criterion: Criterion


def is_join(name: str) -> bool:
    """Whether the name of a parameter leads to other resources."""
    return "." in name or name.partition(":")[0] == HAS


def parse(table: Capability, resource_type: str, name: str, leaf: Leaf, *, within: str = "") -> Criterion:
    """What a chained name (`within` another parameter) stands for.

    FHIRError 400 says which types and parameters are possible.
    """
    try:
        return _Parser(table, within + name, leaf).criterion(resource_type, name, MOST_LINKS)
    except FHIRError as fault:
        raise named(fault, within + name) from None


def named(fault: FHIRError, name: str) -> FHIRError:
    """The fault, with the whole name of the parameter: what is wrong may be known by the end of it only."""
    (issue, *_) = fault.issues
    if name in issue.diagnostics:
        return fault
    return outcome.error(fault.status, issue.code, f"Parameter '{name}', at its end: {issue.diagnostics}")


def lookups(joins: Iterable[Join]) -> int:
    """How many types are looked into to answer all of them."""
    found = 0
    for join in joins:
        inside = list(nodes(join.criterion))
        found += sum(isinstance(each, Referred) for each in inside)
        chained = [each for each in inside if isinstance(each, Chained)]
        found += len({(target, id(inner)) for each in chained for target, inner in each.targets})
    return found


def nodes(criterion: Criterion) -> Iterator[Criterion]:
    """The criterion and all inside it; what several types share is given once."""
    seen: set[int] = set()
    waiting = [criterion]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += _inside(each)


def _inside(criterion: Criterion) -> Sequence[Criterion]:
    if isinstance(criterion, Chained):
        return [inner for _, inner in criterion.targets]
    if isinstance(criterion, Referred):
        return [criterion.criterion]
    return getattr(criterion, "parts", ())


def reference(table: Capability, resource_type: str, code: str, name: str) -> SearchParameter:
    """The reference parameter of a type; FHIRError 400 that names those there are, in terms of the parameter `name`."""
    parameter = table.parameters(resource_type).get(code)
    if parameter is not None and parameter.type == "reference" and parameter.expression is not None:
        return parameter
    possible = [each.code for each in table.search_parameters(resource_type) if each.type == "reference"]
    told = f"is of type {parameter.type}, not a reference" if parameter else "is not known"
    text = (
        f"Parameter '{name[:256]}': '{code[:64]}' of {resource_type} {told}. References of {resource_type}: "
    )
    raise outcome.not_supported(text + (", ".join(possible) or "none"))


def targets(parameter: SearchParameter) -> tuple[str, ...]:
    """The types a reference can lead to that are stored here."""
    return tuple(
        each for each in parameter.target or sorted(registry.resource_types()) if each in TABLE.types
    )


class _Parser:
    """Of one name: each rest of it is parsed once for each type."""

    def __init__(self, table: Capability, name: str, leaf: Leaf) -> None:
        self._table = table
        self._name = name
        self._leaf = leaf
        self._known: dict[tuple[str, str], Criterion | FHIRError] = {}

    def criterion(self, resource_type: str, rest: str, links: int) -> Criterion:
        key = (resource_type, rest)
        if key not in self._known:
            try:
                self._known[key] = self._fresh(resource_type, rest, links)
            except FHIRError as refusal:
                self._known[key] = refusal
        known = self._known[key]
        if isinstance(known, FHIRError):
            raise known
        return known

    def _fresh(self, resource_type: str, rest: str, links: int) -> Criterion:
        if rest.partition(":")[0] == HAS:
            self._step(links)
            return self._referred(resource_type, rest, links)
        head, dot, tail = rest.partition(".")
        if not dot:
            return self._leaf(resource_type, rest)
        self._step(links)
        return self._chained(resource_type, head, tail, links)

    def _step(self, links: int) -> None:
        if not links:
            raise outcome.bad_parameter(
                self._name, f"leads over more than {MOST_LINKS} references, which is all that is followed"
            )

    def _chained(self, resource_type: str, head: str, tail: str, links: int) -> Chained:
        code, mark, wanted = head.partition(":")
        parameter = reference(self._table, resource_type, code, self._name)
        possible = targets(parameter)
        if mark and wanted not in possible:
            raise outcome.bad_parameter(
                self._name,
                f"'{code}' of {resource_type} cannot refer to '{wanted[:64]}', only to {_some(possible)}",
            )
        fitting: list[tuple[str, Criterion]] = []
        refusal = None
        for each in (wanted,) if mark else possible:
            try:
                fitting.append((each, self.criterion(each, tail, links - 1)))
            except FHIRError as fault:
                if fault.issues[0].code != "not-supported":
                    raise
                refusal = fault
        if fitting:
            return Chained(resource_type, parameter, tuple(fitting))
        if (refusal is not None and len(possible) == 1) or (mark and refusal is not None):
            raise refusal
        text = (
            f"Parameter '{self._name}': none of the types that '{code}' of {resource_type} can refer to has "
        )
        raise outcome.not_supported(f"{text}'{tail}': {_some(possible)}")

    def _referred(self, resource_type: str, rest: str, links: int) -> Referred:
        parts = rest.split(":", 3)
        if len(parts) < 4 or not all(parts):
            raise outcome.bad_parameter(
                self._name,
                "is not _has:[type]:[reference]:[parameter], such as _has:Observation:patient:code",
            )
        _, source, code, tail = parts
        if source not in TABLE.types:
            raise outcome.bad_parameter(self._name, f"'{source[:64]}' is not a resource type")
        parameter = reference(self._table, source, code, self._name)
        if resource_type not in targets(parameter):
            text = (
                f"'{code}' of {source} cannot refer to {resource_type}, only to {_some(targets(parameter))}"
            )
            raise outcome.bad_parameter(self._name, text)
        return Referred(resource_type, source, parameter, self.criterion(source, tail, links - 1))


def _some(types: tuple[str, ...]) -> str:
    return ", ".join(types) if len(types) < 30 else f"one of {len(types)} types"
