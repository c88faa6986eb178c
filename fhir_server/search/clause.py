"""One parameter of a search, and which there are.

http://hl7.org/fhir/R4/search.html#table
"""

from __future__ import annotations

from dataclasses import dataclass

from capability.table import SEARCHABLE_TYPES, WITHOUT_EXPRESSION, Capability
from fhir_server.search import chain, include_syntax
from fhir_server.search import filter as filters
from fhir_server.search.values import split_or
from resources import outcome
from resources.search_parameters import SearchParameter

PRESENTATION = frozenset({"_format", "_pretty"})
"""How the answer is written: read by who writes it."""

LIST = "_list"
"""http://hl7.org/fhir/R4/search.html#list"""

CONTENT = "_content"
"""http://hl7.org/fhir/R4/search.html#content"""

JOINING = frozenset({chain.HAS, filters.NAME, LIST, CONTENT, *include_syntax.NAMES})
"""Parameters that lead to other resources, or combine others."""

LATER = frozenset({"_contained", "_containedType", "_query", "_score"})
"""Parameters of R4 that this server does not answer yet."""

CONTROL = frozenset({"_count", "_total", "_summary", "_elements", "_sort", "_cursor"})


@dataclass(frozen=True, slots=True)
class Clause:
    """One parameter of a search: any of `values` has to match. Values keep their escapes and prefixes."""

    parameter: SearchParameter
    modifier: str | None
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """As written in the query: `code` or `code:not`."""
        return self.parameter.code if self.modifier is None else f"{self.parameter.code}:{self.modifier}"

    @property
    def field(self) -> str:
        """Where the values lie that a stored document is found by."""
        return f"s.{self.parameter.code}"


def parameter_of(
    table: Capability, resource_type: str, name: str, *, lenient: bool = False
) -> SearchParameter | None:
    """The parameter a name stands for; where there is none, None if `lenient`, otherwise FHIRError 400."""
    known = table.parameters(resource_type)
    code = name.partition(":")[0].partition(".")[0]
    parameter = known.get(code)
    refusal = None
    if code in LATER:
        refusal = outcome.not_supported(f"Parameter '{name}': this server does not support {code} yet")
    elif code == CONTENT:
        text = f"Parameter '{name}': {CONTENT} is answered without modifier, and only about what is searched itself"
        refusal = outcome.not_supported(text)
    elif parameter is None:
        codes = {each.code for each in claimed(table, resource_type)}
        possible = codes | PRESENTATION | JOINING | CONTROL - {"_cursor"}
        refusal = outcome.unknown_parameter(name, possible, resource_type)
    elif parameter.type not in SEARCHABLE_TYPES:
        text = (
            f"Parameter '{name}': this server does not support search parameters of type {parameter.type} yet"
        )
        refusal = outcome.not_supported(text)
    elif parameter.expression is None and code not in WITHOUT_EXPRESSION:
        text = f"Parameter '{name}': this server does not support it, for R4 does not say which element it is about"
        refusal = outcome.not_supported(text)
    if refusal is None:
        return parameter
    if lenient:
        return None
    raise refusal


def claimed(table: Capability, resource_type: str) -> tuple[SearchParameter, ...]:
    """What a type can be searched by; for `Resource` what every type can be."""
    return table.search_parameters(resource_type) or table.common_search_parameters


def clause_of(parameter: SearchParameter, name: str, value: str) -> Clause:
    """What `name=value` asks of the parameter; FHIRError 400 for an empty value or modifier."""
    values = tuple(split_or(value))
    if not all(values):
        raise outcome.bad_parameter(
            name, "has no value" if values == ("",) else "has an empty value between commas"
        )
    _, mark, modifier = name.partition(":")
    if mark and not modifier:
        raise outcome.bad_parameter(name, "has a colon but no modifier")
    return Clause(parameter, modifier or None, values)
