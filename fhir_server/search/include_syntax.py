"""`_include` and `_revinclude` taken apart.

http://hl7.org/fhir/R4/search.html#include
"""

from __future__ import annotations

from dataclasses import dataclass

from capability.table import TABLE, Capability
from fhir_server.search.chain import reference, targets
from resources import outcome
from resources.search_parameters import SearchParameter

NAMES = ("_include", "_revinclude")
ANY = "*"


@dataclass(frozen=True, slots=True)
class Include:
    """`source` and `parameter` None: any; `target` None: whatever type the reference leads to.

    `name` and `value` are as written. With `reverse` what refers to the matches is included, otherwise what they
    refer to; with `iterate` what refers, or is referred to by, what was included as well.
    """

    name: str
    value: str
    reverse: bool
    iterate: bool
    source: str | None = None
    parameter: SearchParameter | None = None
    target: str | None = None

    def parameters(self, source: str) -> tuple[SearchParameter, ...]:
        """The reference parameters of a type that it follows; none if it is about another type.

        `*` means those that are built in: one of this server's own may not be indexed everywhere yet.
        """
        if self.source not in {None, source}:
            return ()
        if self.parameter is not None:
            return (self.parameter,)
        return tuple(each for each in TABLE.search_parameters(source) if each.type == "reference")

    def leads_to(self, parameter: SearchParameter, target: str) -> bool:
        return self.target in {None, target} and target in targets(parameter)


def is_include(name: str) -> bool:
    return name.partition(":")[0] in NAMES


def parse(table: Capability, name: str, value: str) -> Include:
    """One `_include` or `_revinclude`; FHIRError 400 that says what would be possible."""
    kind, mark, modifier = name.partition(":")
    if mark and modifier != "iterate":
        raise outcome.not_supported(
            f"Parameter '{name}': ':{modifier}' is not supported here. Possible: :iterate"
        )
    made = Include(name, value, kind == "_revinclude", bool(mark))
    if value == ANY:
        return made
    source, mark, rest = value.partition(":")
    code, _, target = rest.partition(":")
    if not (mark and source and code) or (rest.endswith(":")):
        example = "Observation:patient, Observation:patient:Patient or Observation:*"
        raise outcome.bad_parameter(
            name, f"'{value[:128]}' is not [type]:[reference]:[target type], such as {example}"
        )
    if source not in TABLE.types:
        raise outcome.bad_parameter(name, f"'{source[:64]}' is not a resource type")
    parameter = None if code == ANY else reference(table, source, code, name)
    _check_target(name, target, parameter)
    return Include(name, value, made.reverse, made.iterate, source, parameter, target or None)


def _check_target(name: str, target: str, parameter: SearchParameter | None) -> None:
    if not target:
        return
    possible = TABLE.types if parameter is None else targets(parameter)
    if target in possible:
        return
    if target not in TABLE.types or parameter is None:
        raise outcome.bad_parameter(name, f"'{target[:64]}' is not a resource type")
    raise outcome.bad_parameter(
        name, f"'{parameter.code}' does not refer to {target}, only to {', '.join(possible)}"
    )
