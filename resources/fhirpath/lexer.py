"""FHIRPath text → tokens.

http://hl7.org/fhirpath/N1/#lexical-elements
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from resources.outcome import FHIRError, error


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is string, number, datetime, time, name, delimited, variable, this, symbol or end; `at` its offset."""

    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\r\n]*|/\*.*?\*/)
    | (?P<datetime>@\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)
    | (?P<time>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<delimited>`(?:[^`\\]|\\.)*`)
    | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_-]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    | (?P<this>\$(?:this|index|total))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol><=|>=|!=|!~|[-.()\[\]{},+*/&|<>=~])
    """,
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def bad_expression(expression: str, text: str) -> FHIRError:
    """An expression that is no FHIRPath, or that asks R4 for what it has not. 400."""
    return error(400, "invalid", f"FHIRPath '{expression[:300]}': {text}")


def tokens(expression: str) -> list[Token]:
    """The tokens of an expression, comments left out; raises `bad_expression` (400) that says where it breaks."""
    found: list[Token] = []
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise bad_expression(
                expression, f"'{expression[at : at + 20]}' at position {at} is not understood"
            )
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, _text(kind, match.group()), at))
        at = match.end()
    found.append(Token("end", "", at))
    return found


def _text(kind: str, text: str) -> str:
    if kind in {"string", "delimited"}:
        return _unescaped(text[1:-1])
    if kind == "variable":
        return _unescaped(text[2:-1]) if text[1] in "`'" else text[1:]
    return text[1:] if kind in {"datetime", "time"} else text


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: _character(m.group(1)), text) if "\\" in text else text


def _character(escape: str) -> str:
    return chr(int(escape[1:], 16)) if len(escape) == 5 else _ESCAPED.get(escape, escape)
