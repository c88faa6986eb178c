"""The query of a search taken apart: clauses, and how the result is wanted.

http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from capability.table import SEARCHABLE_TYPES, TABLE, WITHOUT_EXPRESSION
from fhir_server.search import chain, include_syntax
from fhir_server.search import filter as filters
from fhir_server.search.values import split_or
from resources import outcome
from resources.outcome import FHIRError
from resources.search_parameters import SearchParameter, parameters

MAX_CLAUSES = 100
MAX_VALUES = 500
MAX_LENGTH = 8 * 1024

PRESENTATION = frozenset({"_format", "_pretty"})
"""How the answer is written: read by who writes it."""

LIST = "_list"
"""http://hl7.org/fhir/R4/search.html#list"""

JOINING = frozenset({chain.HAS, filters.NAME, LIST, *include_syntax.NAMES})
"""Parameters that lead to other resources, or combine others."""

LATER = frozenset({"_contained", "_containedType", "_query", "_content", "_score"})
"""Parameters of R4 that this server does not answer yet."""

TOTALS = ("none", "estimate", "accurate")
SUMMARIES = ("true", "text", "data", "count", "false")
SORTABLE = ("_id", "_lastUpdated")
"""Sorted by what every stored document has."""

WITHOUT_ORDER = ("composite", "special")


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


@dataclass(frozen=True, slots=True)
class Search:
    """A search of one type: all `clauses` have to match; `sort` holds (parameter, 1 or -1), `count` resources make
    a page (0: only the total is wanted), `ignored` names what a lenient search left out.
    """

    resource_type: str
    clauses: tuple[Clause, ...]
    count: int
    total: str = "none"
    summary: str | None = None
    elements: tuple[str, ...] = ()
    sort: tuple[tuple[str, int], ...] = ()
    cursor: str | None = None
    ignored: tuple[str, ...] = ()
    joins: tuple[chain.Join, ...] = ()
    """What other resources are needed for: resolved by `search.joins` before the search can be planned"""
    includes: tuple[include_syntax.Include, ...] = ()
    compartment: tuple[str, str] | None = None
    """(type, id): only what is in this compartment"""

    @property
    def path(self) -> str:
        """Where it is asked for, relative to the base."""
        if self.compartment is None:
            return self.resource_type
        return f"{self.compartment[0]}/{self.compartment[1]}/{self.resource_type}"

    @property
    def only_total(self) -> bool:
        """http://hl7.org/fhir/R4/search.html#count: `_count=0` is the same as `_summary=count`."""
        return self.count == 0 or self.summary == "count"

    def normalized(self) -> str:
        """The criteria in one spelling: searches that say the same in another order give the same text."""
        pairs = {(clause.name, ",".join(sorted(set(clause.values)))) for clause in self.clauses}
        pairs |= {(join.name, join.value) for join in self.joins}
        return f"{self.path}?{urlencode(sorted(pairs))}"

    def applied(self) -> list[tuple[str, str]]:
        """The query as it was really applied, without cursor.

        http://hl7.org/fhir/R4/search.html#conformance: the server says which parameters it used, in the self link.
        """
        pairs = [(clause.name, ",".join(clause.values)) for clause in self.clauses]
        pairs += [(join.name, join.value) for join in self.joins]
        pairs += [(include.name, include.value) for include in self.includes]
        if self.sort:
            pairs.append(("_sort", ",".join(("-" if way < 0 else "") + name for name, way in self.sort)))
        if self.total != "none":
            pairs.append(("_total", self.total))
        if self.summary is not None:
            pairs.append(("_summary", self.summary))
        if self.elements:
            pairs.append(("_elements", ",".join(self.elements)))
        return [*pairs, ("_count", str(self.count))]


def parse(
    resource_type: str,
    query: Iterable[tuple[str, str]],
    *,
    lenient: bool = False,
    default_count: int = 20,
    max_count: int = 1000,
) -> Search:
    """The decoded (name, value) pairs of a query as a Search.

    Strict refuses what it does not know, lenient leaves it out and names it in `ignored`; what is malformed, and
    modifiers that are not supported, are always refused. FHIRError 400.
    """
    clauses: list[Clause] = []
    joins: list[chain.Join] = []
    includes: list[include_syntax.Include] = []
    control: dict[str, str] = {}
    ignored: list[str] = []
    for name, value in query:
        _check_text(name, value)
        if name in PRESENTATION:
            continue
        if name in _CONTROL:
            if name in control:
                raise outcome.bad_parameter(name, "is given twice; once was expected")
            control[name] = value
        elif chain.is_join(name) or name in {filters.NAME, LIST} or include_syntax.is_include(name):
            try:
                _add(resource_type, name, value, joins, includes)
            except FHIRError as refusal:
                if not lenient or refusal.issues[0].code != "not-supported":
                    raise
                ignored.append(name)
        elif (parameter := _parameter(resource_type, name, lenient=lenient)) is None:
            ignored.append(name)
        else:
            clauses.append(_clause(parameter, name, value))
    _check_size(clauses, joins, includes)
    if includes and control.get("_summary") == "text":
        raise outcome.bad_parameter("_summary", f"text cannot be mixed with {includes[0].name}")
    count = _count(control.get("_count"), default_count, max_count)
    return Search(
        resource_type=resource_type,
        clauses=tuple(clauses),
        count=count,
        total=_one_of("_total", control.get("_total", "none"), TOTALS),
        summary=_one_of("_summary", control["_summary"], SUMMARIES) if "_summary" in control else None,
        elements=_elements(control.get("_elements")),
        sort=_sort(control.get("_sort"), resource_type),
        cursor=control.get("_cursor"),
        ignored=tuple(ignored),
        joins=tuple(joins),
        includes=tuple(dict.fromkeys(includes)),
    )


_CONTROL = frozenset({"_count", "_total", "_summary", "_elements", "_sort", "_cursor"})


def _check_text(name: str, value: str) -> None:
    if "\0" in name or "\0" in value:
        raise outcome.bad_parameter(
            name[:64].replace("\0", "?"), "holds a NUL character, which no FHIR text may"
        )
    if len(name) > 256:
        raise outcome.bad_parameter(f"{name[:64]}…", "its name is longer than any search parameter's")
    try:
        length = len(value.encode())
        name.encode()
    except UnicodeEncodeError:
        raise outcome.bad_parameter(ascii(name)[1:-1], "is not UTF-8") from None
    if length > MAX_LENGTH:
        raise outcome.bad_parameter(name, f"its value is longer than {MAX_LENGTH} bytes")


def _check_size(
    clauses: list[Clause], joins: list[chain.Join], includes: list[include_syntax.Include]
) -> None:
    count = len(clauses) + len(joins) + len(includes)
    if count > MAX_CLAUSES:
        raise outcome.bad_request(f"The search has {count} parameters; at most {MAX_CLAUSES} are answered")
    inside = [each for join in joins for each in chain.nodes(join.criterion) if isinstance(each, Clause)]
    values = sum(len(clause.values) for clause in (*clauses, *inside))
    if values > MAX_VALUES:
        raise outcome.bad_request(f"The search has {values} values; at most {MAX_VALUES} are answered")
    lookups = chain.lookups(joins)
    if lookups > chain.MOST_LOOKUPS:
        text = f"leads through {lookups} types, at most {chain.MOST_LOOKUPS} in one search; say which, as subject:Patient"
        raise outcome.bad_parameter(max(joins, key=lambda join: chain.lookups([join])).name, text)


def _add(
    resource_type: str,
    name: str,
    value: str,
    joins: list[chain.Join],
    includes: list[include_syntax.Include],
) -> None:
    """Takes apart what other resources are needed for."""
    if include_syntax.is_include(name):
        includes.append(include_syntax.parse(name, value))
    elif name == LIST:
        joins.append(chain.Join(name, value, _in_list(resource_type, value)))
    elif name == filters.NAME:
        joins.append(chain.Join(name, value, filters.parse(value, _test_of(resource_type))))
    else:
        joins.append(chain.Join(name, value, chain.parse(resource_type, name, _leaf_of(name, value))))


def _in_list(resource_type: str, value: str) -> chain.Criterion:
    """What a List names is what a List refers to, that has the id."""
    if "$" in value:
        text = f"Parameter '{LIST}': this server does not support functional lists such as '{value[:64]}'"
        raise outcome.not_supported(f"{text}; the id of a List was expected")
    meant = f"{chain.HAS}:List:item:_id"
    ids = value.replace("List/", "")
    if not all(split_or(ids)):
        raise outcome.bad_parameter(LIST, "has no id of a List, or an empty one between commas")
    return chain.parse(resource_type, meant, _leaf_of(meant, ids))


def _leaf_of(whole: str, value: str) -> chain.Leaf:
    """The clause at the end of a chained parameter."""

    def leaf(resource_type: str, name: str) -> Clause:
        parameter = _parameter(resource_type, name, lenient=False)
        assert parameter is not None
        return _clause(parameter, name, value)

    return leaf


def _test_of(resource_type: str) -> filters.Test:
    """A test of `_filter`, as the clause that says the same."""

    def test(path: str, operator: str, value: str) -> chain.Criterion:
        def leaf(leaf_type: str, name: str) -> chain.Criterion:
            return _compared(leaf_type, name, operator, value)

        return chain.parse(resource_type, path, leaf, within=f"{filters.NAME} … ")

    return test


def _compared(resource_type: str, name: str, operator: str, value: str) -> chain.Criterion:
    code = "_id" if name == "id" else name
    parameter = _parameter(resource_type, code, lenient=False)
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
    if modifier == "=":
        return filters.Compared(Clause(parameter, None, (escaped,)), operator, value)
    if modifier == "prefix":
        return Clause(parameter, None, (operator + escaped,))
    if parameter.type == "token":
        system, bar, rest = escaped.partition("|")
        escaped = f"{filters.SYSTEMS.get(system, system)}{bar}{rest}"
    return Clause(parameter, modifier or None, (escaped,))


def _parameter(resource_type: str, name: str, *, lenient: bool) -> SearchParameter | None:
    """The parameter a name stands for; None if it is to be ignored."""
    known = parameters(resource_type)
    code = name.partition(":")[0].partition(".")[0]
    parameter = known.get(code)
    refusal = None
    if code in LATER:
        refusal = outcome.not_supported(f"Parameter '{name}': this server does not support {code} yet")
    elif parameter is None:
        claimed = {each.code for each in _claimed(resource_type)}
        possible = claimed | PRESENTATION | JOINING | _CONTROL - {"_cursor"}
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


def _claimed(resource_type: str) -> tuple[SearchParameter, ...]:
    """What a type can be searched by; for `Resource` what every type can be."""
    return TABLE.search_parameters(resource_type) or TABLE.common_search_parameters


def _clause(parameter: SearchParameter, name: str, value: str) -> Clause:
    values = tuple(split_or(value))
    if not all(values):
        raise outcome.bad_parameter(
            name, "has no value" if values == ("",) else "has an empty value between commas"
        )
    _, mark, modifier = name.partition(":")
    if mark and not modifier:
        raise outcome.bad_parameter(name, "has a colon but no modifier")
    return Clause(parameter, modifier or None, values)


def _count(text: str | None, default: int, most: int) -> int:
    if text is None:
        return min(default, most)
    if not (text.isascii() and text.isdigit()):
        raise outcome.bad_parameter("_count", f"'{text[:32]}' is not a whole number of 0 or more")
    return most if len(text) > 9 else min(int(text), most)


def _one_of(name: str, text: str, possible: tuple[str, ...]) -> str:
    if text not in possible:
        raise outcome.bad_parameter(name, f"'{text[:32]}' is not one of {', '.join(possible)}")
    return text


def _elements(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(text.split(","))
    if not all(name.isascii() and name.isalnum() for name in names):
        raise outcome.bad_parameter(
            "_elements", f"'{text[:64]}' is not a list of element names, such as id,name"
        )
    return names


def _sort(text: str | None, resource_type: str) -> tuple[tuple[str, int], ...]:
    if text is None:
        return ()
    keys: list[tuple[str, int]] = []
    possible = [p.code for p in _claimed(resource_type) if p.type not in WITHOUT_ORDER]
    for key in text.split(","):
        name, way = (key[1:], -1) if key.startswith("-") else (key, 1)
        if name not in possible or name == "_text":
            raise outcome.not_supported(
                f"Parameter '_sort': cannot sort by '{name[:64]}'. Possible: {', '.join(possible)}"
            )
        if name in dict(keys):
            raise outcome.bad_parameter("_sort", f"'{name}' is given twice")
        keys.append((name, way))
    return tuple(keys)
