"""The query of a search taken apart: clauses, and how the result is wanted.

http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from capability.table import TABLE, WITHOUT_EXPRESSION, Capability
from fhir_server.search import chain, include_syntax, joining
from fhir_server.search.clause import CONTROL, PRESENTATION, Clause, claimed, clause_of, parameter_of
from resources import outcome
from resources.outcome import FHIRError

MAX_CLAUSES = 100
MAX_VALUES = 500
MAX_LENGTH = 8 * 1024

TOTALS = ("none", "estimate", "accurate")
SUMMARIES = ("true", "text", "data", "count", "false")
SORTABLE = ("_id", "_lastUpdated")
"""Sorted by what every stored document has."""

WITHOUT_ORDER = ("composite", "special")


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
    presentation: tuple[tuple[str, str], ...] = ()
    """How the answer is written: `_format`, `_pretty`"""
    compartment: tuple[str, str] | None = None
    """(type, id): only what is in this compartment"""
    table: Capability = field(default=TABLE, compare=False, repr=False)
    """Where its parameters are defined"""

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
        return [*pairs, ("_count", str(self.count)), *self.presentation]


def parse(
    resource_type: str,
    query: Iterable[tuple[str, str]],
    *,
    table: Capability = TABLE,
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
    presentation: list[tuple[str, str]] = []
    for name, value in query:
        _check_text(name, value)
        if name in PRESENTATION:
            presentation.append((name, value))
        elif name in CONTROL:
            if name in control:
                raise outcome.bad_parameter(name, "is given twice; once was expected")
            control[name] = value
        elif joining.is_joining(name) or include_syntax.is_include(name):
            try:
                if include_syntax.is_include(name):
                    includes.append(include_syntax.parse(table, name, value))
                else:
                    joins.append(joining.join(table, resource_type, name, value))
            except FHIRError as refusal:
                if not lenient or refusal.issues[0].code != "not-supported":
                    raise
                ignored.append(name)
        elif (parameter := parameter_of(table, resource_type, name, lenient=lenient)) is None:
            ignored.append(name)
        else:
            clauses.append(clause_of(parameter, name, value))
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
        sort=_sort(control.get("_sort"), table, resource_type),
        cursor=control.get("_cursor"),
        ignored=tuple(ignored),
        joins=tuple(joins),
        includes=tuple(dict.fromkeys(includes)),
        presentation=tuple(presentation),
        table=table,
    )


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


def _sort(text: str | None, table: Capability, resource_type: str) -> tuple[tuple[str, int], ...]:
    if text is None:
        return ()
    keys: list[tuple[str, int]] = []
    possible = [p.code for p in claimed(table, resource_type) if p.type not in WITHOUT_ORDER]
    for key in text.split(","):
        name, way = (key[1:], -1) if key.startswith("-") else (key, 1)
        if name not in possible or name in WITHOUT_EXPRESSION:
            raise outcome.not_supported(
                f"Parameter '_sort': cannot sort by '{name[:64]}'. Possible: {', '.join(possible)}"
            )
        if name in dict(keys):
            raise outcome.bad_parameter("_sort", f"'{name}' is given twice")
        keys.append((name, way))
    return tuple(keys)
