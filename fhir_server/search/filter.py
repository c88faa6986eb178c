"""`_filter`: a small language of tests with and, or, not and parentheses.

    given eq "peter" and (birthdate ge 2014-10-10 or not(active eq true))

Evaluated from left to right, without precedence between `and` and `or`.

http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from resources import outcome

if TYPE_CHECKING:
    from fhir_server.search.chain import Criterion
    from fhir_server.search.clause import Clause

NAME = "_filter"

MOST_TESTS = 50
MOST_DEPTH = 10

OPERATORS = {"and": "$and", "or": "$or", "not": "$nor"}

_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb")
_TESTS: dict[str, dict[str, str]] = {
    "string": {
        "eq": "=",
        "ne": "=",
        "co": "contains",
        "sw": "",
        "ew": "=",
        "gt": "=",
        "lt": "=",
        "ge": "=",
        "le": "=",
    },
    "token": {"eq": "", "ne": "=", "ss": "below", "sb": "above", "in": "in", "ni": "not-in"},
    "reference": {"eq": "", "re": ""},
    "uri": {"eq": "", "ss": "below", "sb": "above"},
    "date": {**dict.fromkeys(_PREFIXES, "prefix"), "po": "=", "co": "="},
    "number": dict.fromkeys(_PREFIXES, "prefix"),
    "quantity": dict.fromkeys(_PREFIXES, "prefix"),
    "composite": {"eq": ""},
}
"""Parameter type → operator → the modifier that says the same, `prefix` where it is a prefix, `=` where it is neither.

http://hl7.org/fhir/R4/search_filter.html#ops
"""

_BESIDE: dict[str, dict[str, str]] = {
    "_id": {"eq": "", "ne": "not"},
    "_lastUpdated": dict.fromkeys(_PREFIXES, "prefix"),
    "_text": {"co": ""},
}
"""The same of what is not stored as others of its type are."""

_ALL = (
    "eq",
    "ne",
    "co",
    "sw",
    "ew",
    "gt",
    "lt",
    "ge",
    "le",
    "ap",
    "sa",
    "eb",
    "pr",
    "po",
    "ss",
    "sb",
    "in",
    "ni",
    "re",
)
SYSTEMS = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "ucum": "http://unitsofmeasure.org",
}
"""May be written for the system of a token, as in `loinc|1234-5`."""

_SPACE = re.compile(r"\s+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TOKEN = re.compile(r"[^\s)\]]+")
_WORD = re.compile(r"(and|or|not)(?=[\s(])")
_PATH = re.compile(r"[^\s()\[\]\"]+")

Test = Callable[[str, str, str], "Criterion"]
"""(path, operator, value) → what it means; `made` says it for a parameter."""


@dataclass(frozen=True, slots=True)
class Logical:
    """All (`and`) or any (`or`) of the parts; `not`: not the one part."""

    operator: str
    parts: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """An item of the parameter's values that compares so; in `text` the value is without escapes."""

    clause: Clause
    operator: str
    text: str


def parse(text: str, test: Test) -> Criterion:
    """The criterion a filter stands for; FHIRError 400 says at which character it cannot be understood."""
    return _Parser(text, test).whole()


def meaning(parameter_type: str, name: str, operator: str) -> str:
    """The modifier an operator stands for, `prefix` or `=`; FHIRError 400 names the possible operators."""
    possible = _BESIDE.get(name) or _TESTS.get(parameter_type, {})
    if operator not in possible:
        told = ", ".join([*possible, "pr"])
        raise outcome.not_supported(
            f"Parameter '{NAME}': '{operator}' is not possible for {name}, which is of type {parameter_type}. "
            f"Possible: {told}"
        )
    return possible[operator]


class _Parser:
    def __init__(self, text: str, test: Test) -> None:
        self._text = text
        self._test = test
        self._at = 0
        self._tests = 0

    def whole(self) -> Criterion:
        found = self._filter(MOST_DEPTH)
        if self._at < len(self._text):
            raise self._fault("and, or, or the end was expected")
        return found

    def _filter(self, depth: int) -> Criterion:
        if not depth:
            raise outcome.bad_parameter(NAME, f"is nested more than {MOST_DEPTH} deep")
        found = self._part(depth)
        while (word := self._word()) in {"and", "or"}:
            part = self._part(depth)
            if isinstance(found, Logical) and found.operator == word:
                found = Logical(word, (*found.parts, part))
            else:
                found = Logical(word, (found, part))
        if word is not None:
            raise self._fault("and, or, or the end was expected before not")
        return found

    def _part(self, depth: int) -> Criterion:
        self._skip()
        if self._peek() == "(":
            return self._group(depth)
        if (word := self._word()) == "not":
            self._skip()
            if self._peek() != "(":
                raise self._fault("after not, ( was expected")
            return Logical("not", (self._group(depth),))
        if word is not None:
            raise self._fault(f"a test was expected before '{word}'")
        return self._one()

    def _group(self, depth: int) -> Criterion:
        self._at += 1
        found = self._filter(depth - 1)
        if self._peek() != ")":
            raise self._fault(") was expected")
        self._at += 1
        self._skip()
        return found

    def _one(self) -> Criterion:
        self._tests += 1
        if self._tests > MOST_TESTS:
            raise outcome.bad_parameter(NAME, f"has more than {MOST_TESTS} tests")
        path = self._take(_PATH, "the name of a parameter was expected")
        if self._peek() == "[":
            raise outcome.not_supported(
                f"Parameter '{NAME}': {path[:64]}[…]: filters inside of a path are not supported"
            )
        operator = self._take(_TOKEN, f"an operator was expected: {', '.join(_ALL)}")
        if operator not in _ALL:
            raise outcome.bad_parameter(
                NAME, f"'{operator[:32]}' is not one of the operators {', '.join(_ALL)}"
            )
        if self._peek() == '"':
            return self._test(path, operator, self._string())
        return self._test(path, operator, self._take(_TOKEN, "a value was expected"))

    def _string(self) -> str:
        raw = self._take(_STRING, 'a text in "…" was expected')
        try:
            return msgspec.json.decode(raw, type=str)
        except msgspec.DecodeError:
            raise outcome.bad_parameter(NAME, f"{raw[:64]} is not a JSON string") from None

    def _take(self, pattern: re.Pattern[str], expected: str) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._fault(expected)
        self._at = match.end()
        self._skip()
        return match[0]

    def _word(self) -> str | None:
        self._skip()
        match = _WORD.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        self._skip()
        return match[1]

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _fault(self, expected: str) -> outcome.FHIRError:
        rest = self._text[self._at : self._at + 32]
        return outcome.bad_parameter(NAME, f"at character {self._at + 1} ('{rest}'): {expected}")
