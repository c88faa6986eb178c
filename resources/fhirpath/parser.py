"""FHIRPath text → syntax tree.

http://hl7.org/fhirpath/N1/grammar.html
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from resources.fhirpath.lexer import Token, bad_expression, tokens
from resources.outcome import FHIRError

MAX_DEPTH = 60
"""Parentheses and operators inside one another; deeper is refused."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; `type` is a FHIRPath system type (`System.String`), None for the empty collection `{}`."""

    type: str | None
    value: bool | int | Decimal | str | None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """`%name`, or `$this`, `$index`, `$total` (the name begins with `$`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    source: Node | None
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    source: Node | None
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """`source[index]`."""

    source: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Sign:
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Operation:
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class TypeTest:
    """`operand is type` or `operand as type`."""

    operator: str
    operand: Node
    type: str


Node = Literal | Variable | Member | Call | Item | Sign | Operation | TypeTest

_BINDING = {
    "implies": 1,
    "or": 2,
    "xor": 2,
    "and": 3,
    "in": 4,
    "contains": 4,
    **dict.fromkeys(("=", "~", "!=", "!~"), 5),
    **dict.fromkeys(("<", "<=", ">", ">="), 6),
    "|": 7,
    "is": 8,
    "as": 8,
    **dict.fromkeys(("+", "-", "&"), 9),
    **dict.fromkeys(("*", "/", "div", "mod"), 10),
}
_SIGN_BINDING = 11

_UNITS = {"year", "month", "week", "day", "hour", "minute", "second", "millisecond"}
_UNITS |= {unit + "s" for unit in _UNITS}


@lru_cache(maxsize=4096)
def parse(expression: str) -> Node:
    """The syntax tree of an expression; raises `bad_expression` (400) that says where it breaks."""
    reader = _Reader(expression)
    node = reader.expression(0)
    if reader.next.kind != "end":
        raise reader.unexpected("the end of the expression")
    return node


class _Reader:
    def __init__(self, expression: str) -> None:
        self.text = expression
        self.tokens = tokens(expression)
        self.at = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def accept(self, symbol: str) -> bool:
        found = self.next.kind == "symbol" and self.next.text == symbol
        self.at += found
        return found

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.unexpected(f"'{symbol}'")

    def unexpected(self, expected: str) -> FHIRError:
        got = f"'{self.next.text}'" if self.next.kind != "end" else "the end"
        return bad_expression(self.text, f"expected {expected} at position {self.next.at}, found {got}")

    def expression(self, floor: int) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise bad_expression(self.text, f"it is nested more than {MAX_DEPTH} levels deep")
        left = self.signed()
        while (binding := self.binding()) > floor:
            operator = self.take().text
            if operator in {"is", "as"}:
                left = TypeTest(operator, left, self.type_name())
            else:
                left = Operation(operator, left, self.expression(binding))
        self.depth -= 1
        return left

    def binding(self) -> int:
        return _BINDING.get(self.next.text, 0) if self.next.kind in {"symbol", "name"} else 0

    def signed(self) -> Node:
        if self.next.kind == "symbol" and self.next.text in {"+", "-"}:
            operator = self.take().text
            return Sign(operator, self.expression(_SIGN_BINDING))
        return self.invocations(self.term())

    def invocations(self, node: Node) -> Node:
        while True:
            if self.accept("."):
                node = self.invocation(node)
            elif self.accept("["):
                node = Item(node, self.expression(0))
                self.expect("]")
            else:
                return node

    def invocation(self, source: Node | None) -> Node:
        if self.next.kind == "this":
            return Variable(self.take().text)
        if self.next.kind not in {"name", "delimited"}:
            raise self.unexpected("a name")
        token = self.take()
        if token.kind == "name" and self.accept("("):
            return Call(source, token.text, self.arguments())
        return Member(source, token.text)

    def arguments(self) -> tuple[Node, ...]:
        found: list[Node] = []
        if self.accept(")"):
            return ()
        while True:
            found.append(self.expression(0))
            if not self.accept(","):
                self.expect(")")
                return tuple(found)

    def term(self) -> Node:
        token = self.next
        if token.kind == "number":
            return self.number()
        if token.kind == "variable":
            return Variable("%" + self.take().text)
        if self.accept("("):
            node = self.expression(0)
            self.expect(")")
            return node
        if self.accept("{"):
            self.expect("}")
            return Literal(None, None)
        return self.constant() or self.invocation(None)

    def constant(self) -> Literal | None:
        kind, text = self.next.kind, self.next.text
        if kind == "string":
            literal = Literal("System.String", text)
        elif kind == "datetime":
            literal = Literal("System.DateTime" if "T" in text else "System.Date", text.rstrip("T"))
        elif kind == "time":
            literal = Literal("System.Time", text.lstrip("T"))
        elif kind == "name" and text in {"true", "false"}:
            literal = Literal("System.Boolean", text == "true")
        else:
            return None
        self.take()
        return literal

    def number(self) -> Literal:
        text = self.take().text
        unit = self.unit()
        if unit is not None:
            return Literal("System.Quantity", Decimal(text), unit)
        return (
            Literal("System.Decimal", Decimal(text)) if "." in text else Literal("System.Integer", int(text))
        )

    def unit(self) -> str | None:
        if self.next.kind == "string" or (self.next.kind == "name" and self.next.text in _UNITS):
            return self.take().text
        return None

    def type_name(self) -> str:
        parts = [self.type_part()]
        while self.accept("."):
            parts.append(self.type_part())
        return ".".join(parts)

    def type_part(self) -> str:
        if self.next.kind not in {"name", "delimited"}:
            raise self.unexpected("the name of a type")
        return self.take().text


def type_argument(node: Node) -> str | None:
    """The type that `is(T)`, `as(T)` and `ofType(T)` name: `Quantity`, `FHIR.Quantity`; None if it names none."""
    if isinstance(node, Member):
        if node.source is None:
            return node.name
        owner = type_argument(node.source)
        return None if owner is None else f"{owner}.{node.name}"
    return None
