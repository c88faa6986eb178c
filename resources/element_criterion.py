"""The criterion of a `where(...)` in a patch: whether an element is meant.

It is text of a stranger that the FHIRPath engine runs: only what costs no more than a walk over the element is
let through (no regular expressions, no repeat(), no descendants(), no way back to the whole resource).

http://hl7.org/fhirpath/N1/#wherecriteria-expression-collection
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fhirpathpy import compile as compile_fhirpath
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models

from resources import outcome
from resources.element_path_syntax import Syntax, Token
from resources.outcome import FHIRError

MAX_PARENTHESES = 10
"""Parentheses inside one another in a criterion."""

_FUNCTIONS = frozenset(
    {"where", "exists", "empty", "not", "all", "first", "last", "tail", "skip", "take", "single", "count"}
    | {"startsWith", "endsWith", "contains", "indexOf", "substring", "upper", "lower", "length"}
    | {"ofType", "as", "is", "extension", "toString", "toInteger", "toDecimal"}
)
_BEFORE_PARENTHESIS = _FUNCTIONS | {"and", "or", "xor", "implies", "in", "contains"}


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion that was understood; `names` is how many elements and functions it names."""

    text: str
    names: int

    def cost(self, value: Any) -> int:
        """About how many microseconds the engine takes for the element."""
        return (_size(value) + 10) * (self.names + 1)

    def holds(self, value: Any, type_name: str) -> bool:
        """Whether the element of this type meets it; 422 where that cannot be told (`'a' > 3`, several answers).

        A single answer that is not a boolean counts as true: http://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections
        """
        try:
            node = ResourceNode.create_node(value, type_name)  # type: ignore[no-untyped-call]
            answers = _compiled(self.text)(node, {})
        except Exception as reason:
            raise self._unanswered(type_name, str(reason)[:200]) from None
        if len(answers) > 1:
            raise self._unanswered(type_name, f"it gives {len(answers)} answers, not one")
        return bool(answers) and answers[0] is not False

    def _unanswered(self, type_name: str, reason: str) -> FHIRError:
        text = f"The criterion '{self.text}' cannot be answered for {type_name}: {reason}"
        return outcome.unprocessable(text, code="processing")


def read_criterion(syntax: Syntax) -> Criterion:
    """The criterion up to its closing parenthesis; 400 where it is not FHIRPath or holds what is not let through."""
    tokens = syntax.until_closed()
    _check(syntax, tokens)
    text = syntax.text[tokens[0].start : tokens[-1].start + len(tokens[-1].source)]
    try:
        _compiled(text)
    except Exception:
        raise outcome.bad_request(f"The criterion '{text}' is not FHIRPath") from None
    return Criterion(text, sum(token.kind == "name" for token in tokens))


@lru_cache(256)
def _compiled(text: str) -> Callable[[Any, Any], Any]:
    """Compiled as a `select` on the single element, which gives `$this` its meaning.

    Not as a `where`: the engine's takes an element that is false (`communication.where(preferred)`) for true.
    """
    return compile_fhirpath(f"select({text})", model=models["r4"])


def _check(syntax: Syntax, tokens: list[Token]) -> None:
    depth = 0
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.kind == "variable" and token.text != "$this":
            raise syntax.unexpected("a criterion about the element itself", token)
        if token.kind == "string" and "\\" in token.text.replace("\\'", ""):
            raise syntax.unexpected("a string without escapes other than \\'", token)
        if token.kind == "name" and after is not None and after.source == "(":
            _check_called(token)
        if after is not None and token.ends_operand and after.kind != "symbol" and not after.is_operator:
            raise syntax.unexpected("an operator", after)
        depth += {"(": 1, ")": -1}.get(token.source, 0)
        if depth > MAX_PARENTHESES:
            raise outcome.bad_request(
                f"A criterion has more than {MAX_PARENTHESES} parentheses inside one another"
            )
    _check_inner(syntax, tokens)
    named = (
        len(tokens) > 1 and tokens[-2].source == "."
    )  # an element may be named like an operator: Narrative.div
    if not tokens[-1].ends_operand and not named:
        raise syntax.unexpected("the rest of the criterion")


def _check_inner(syntax: Syntax, tokens: list[Token]) -> None:
    """A criterion inside the criterion must compare: the engine takes an element that is false for true."""
    opened: list[tuple[bool, int]] = []
    for index, token in enumerate(tokens):
        if token.source == "(":
            opened.append((index > 0 and tokens[index - 1].source in {"where", "exists", "all"}, index))
        elif token.source == ")":
            iterates, start = opened.pop()
            inner = tokens[start + 1 : index]
            compares = any(
                each.is_operator or each.text in {"=", "!=", "<", ">", "<=", ">="} for each in inner
            )
            if iterates and inner and not compares and inner[-1].source != ")":
                raise syntax.unexpected("a comparison, such as '= true',", token)


def _check_called(token: Token) -> None:
    if token.source not in _BEFORE_PARENTHESIS:
        known = ", ".join(sorted(_FUNCTIONS))
        raise outcome.bad_request(f"A criterion cannot use {token.source[:50]}(). It can use: {known}")


def _size(value: Any) -> int:
    size, level = 0, [value]
    while level:
        size += sum(1 + len(each) // 500 if isinstance(each, str) else 1 for each in level)
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [child for each in inner for child in (each.values() if isinstance(each, dict) else each)]
    return size
