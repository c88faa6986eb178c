"""The tokens of the FHIRPath that a patch may use.

http://hl7.org/fhirpath/N1/#grammar
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from resources import outcome
from resources.outcome import FHIRError

MAX_LENGTH = 1_000
"""Characters of a path."""

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | '(?P<string>(?:[^'\\]|\\.)*)'
    | `(?P<quoted>[^`\\]+)`
    | (?P<time>@[0-9T][0-9T:.+Z-]*)
    | (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<variable>[$%][A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol><=|>=|!=|[()\[\].,=<>+\-&])
    """,
    re.VERBOSE,
)
_OPERATORS = frozenset({"and", "or", "xor", "implies", "is", "as", "in", "contains", "div", "mod"})


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is string, time, number, name, variable or symbol; `source` as it was written, `text` what it says."""

    kind: str
    text: str
    source: str
    start: int

    @property
    def quoted(self) -> bool:
        return self.source.startswith("`")

    @property
    def is_operator(self) -> bool:
        """Whether it is an operator in words."""
        return self.source in _OPERATORS

    @property
    def ends_operand(self) -> bool:
        return self.source in {")", "]"} or (self.kind != "symbol" and not self.is_operator)


@dataclass(slots=True)
class Syntax:
    """The tokens of a path and how far they are read; 400 where the text is not FHIRPath."""

    text: str
    tokens: list[Token] = field(init=False)
    position: int = 0

    def __post_init__(self) -> None:
        if len(self.text) > MAX_LENGTH:
            raise outcome.bad_request(
                f"The path is {len(self.text)} characters long; at most {MAX_LENGTH} are read"
            )
        self.tokens = _tokens(self.text)

    def peek(self) -> Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def next(self, expected: str) -> Token:
        token = self.peek()
        if token is None:
            raise self.unexpected(expected)
        self.position += 1
        return token

    def accept(self, text: str) -> bool:
        """Step over the token if it is this symbol or keyword."""
        token = self.peek()
        found = token is not None and token.source == text
        self.position += found
        return found

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.unexpected(f"'{text}'")

    def expect_kind(self, *kinds: str) -> Token:
        expected = " or ".join(kinds)
        token = self.next(expected)
        if token.kind not in kinds:
            raise self.unexpected(expected, token)
        return token

    def integer(self) -> int:
        token = self.expect_kind("number")
        if "." in token.text or len(token.text) > 9:
            raise self.unexpected("an integer", token)
        return int(token.text)

    def string(self) -> str:
        return re.sub(r"\\(.)", r"\1", self.expect_kind("string").text)

    def until_closed(self) -> list[Token]:
        """The tokens up to the parenthesis that closes the one before; that one is left to be read."""
        first, depth = self.position, 0
        while depth or not (self.peek() and self.tokens[self.position].source == ")"):
            depth += {"(": 1, ")": -1}.get(self.next("')'").source, 0)
        if first == self.position:
            raise self.unexpected("a criterion")
        return self.tokens[first : self.position]

    def unexpected(self, expected: str, token: Token | None = None) -> FHIRError:
        found = token or self.peek()
        where = "its end" if found is None else f"'{found.source[:50]}' (character {found.start})"
        return outcome.bad_request(
            f"The path '{self.text[:200]}' is not understood at {where}: expected {expected}"
        )


def _tokens(text: str) -> list[Token]:
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise outcome.bad_request(
                f"The path '{text[:200]}' is not understood at {text[position]!r} (character {position})"
            )
        kind = str(match.lastgroup)
        if kind != "space":
            name = "name" if kind == "quoted" else kind
            tokens.append(Token(name, match[kind], match[0], position))
        position = match.end()
    return tokens
