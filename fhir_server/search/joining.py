"""The parameters of a search that other resources are needed for, taken apart: chains, `_has`, `_list`, `_filter`.

http://hl7.org/fhir/R4/search.html#chaining, http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

from capability.table import NOT_SEARCHED, Capability
from fhir_server.search import chain, content_syntax
from fhir_server.search import filter as filters
from fhir_server.search.clause import CONTENT, LIST, Clause, clause_of, parameter_of
from fhir_server.search.values import split_or
from resources import outcome


def is_joining(name: str) -> bool:
    """Whether other resources, or a combination of parameters, are meant."""
    return chain.is_join(name) or name in {LIST, CONTENT, filters.NAME}


def join(table: Capability, resource_type: str, name: str, value: str) -> chain.Join:
    """FHIRError 400 says what cannot be followed, and what could be."""
    if name == LIST:
        return chain.Join(name, value, _in_list(table, resource_type, value))
    if name == CONTENT:
        if (resource_type, name) in NOT_SEARCHED:
            text = f"Parameter '{name}': this server does not support it for {resource_type}, for not all of them are read"
            raise outcome.not_supported(text)
        return chain.Join(name, value, content_syntax.parse(value))
    if name == filters.NAME:
        return chain.Join(name, value, filters.parse(value, _test_of(table, resource_type)))
    return chain.Join(name, value, chain.parse(table, resource_type, name, _leaf_of(table, name, value)))


def _in_list(table: Capability, resource_type: str, value: str) -> chain.Criterion:
    """What a List names is what a List refers to, that has the id."""
    if "$" in value:
        text = f"Parameter '{LIST}': this server does not support functional lists such as '{value[:64]}'"
        raise outcome.not_supported(f"{text}; the id of a List was expected")
    meant = f"{chain.HAS}:List:item:_id"
    ids = value.replace("List/", "")
    if not all(split_or(ids)):
        raise outcome.bad_parameter(LIST, "has no id of a List, or an empty one between commas")
    return chain.parse(table, resource_type, meant, _leaf_of(table, meant, ids))


def _leaf_of(table: Capability, whole: str, value: str) -> chain.Leaf:
    """The clause at the end of a chained parameter."""

    def leaf(resource_type: str, name: str) -> Clause:
        parameter = parameter_of(table, resource_type, name, lenient=False)
        assert parameter is not None
        return clause_of(parameter, name, value)

    return leaf


def _test_of(table: Capability, resource_type: str) -> filters.Test:
    """A test of `_filter`, as the clause that says the same."""

    def test(path: str, operator: str, value: str) -> chain.Criterion:
        def leaf(leaf_type: str, name: str) -> chain.Criterion:
            return _compared(table, leaf_type, name, operator, value)

        return chain.parse(table, resource_type, path, leaf, within=f"{filters.NAME} … ")

    return test


def _compared(table: Capability, resource_type: str, name: str, operator: str, value: str) -> chain.Criterion:
    code = "_id" if name == "id" else name
    parameter = parameter_of(table, resource_type, code, lenient=False)
    assert parameter is not None
    if ":" in code or not value:
        raise outcome.bad_parameter(
            filters.NAME, f"{code[:64]}: a name without modifier, and a value, were expected"
        )
    if operator == "pr":
        missing = {"true": "false", "false": "true"}.get(value)
        if missing is None:
            raise outcome.bad_parameter(filters.NAME, f"{code} pr is followed by true or false")
        return Clause(parameter, "missing", (missing,))
    modifier = filters.meaning(parameter.type, code, operator)
    escaped = value.replace("\\", "\\\\").replace(",", "\\,")
    if modifier == "prefix":
        return Clause(parameter, None, (operator + escaped,))
    if parameter.type == "token":
        system, bar, rest = escaped.partition("|")
        escaped = f"{filters.SYSTEMS.get(system, system)}{bar}{rest}"
    if modifier == "=":
        return filters.Compared(Clause(parameter, None, (escaped,)), operator, value)
    return Clause(parameter, modifier or None, (escaped,))
