"""JSON bytes ⇄ dict, exact: nothing a client sent is changed.

Decimals become `decimal.Decimal` and keep their digits (`6.30` stays `6.30`). A number whose spelling a
Decimal cannot give back (`1e3`, `0.00000001`, `-0`) becomes a `Spelled`, a Decimal that remembers its text.
JSON that means different things to different readers (duplicate keys, NaN, lone surrogates) is refused.

http://hl7.org/fhir/R4/json.html#decimal
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn, Self

import msgspec

from resources.outcome import not_json

Json = dict[str, Any]

MAX_DEPTH = 90
"""Objects and arrays inside one another; MongoDB keeps at most 100."""

MAX_DIGITS = 34
"""Significant digits of a number; IEEE 754 decimal128, in which numbers are stored, keeps 34."""

_STRING = re.compile(rb'"[^"]*"')
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}]|NaN|-?Infinity')
_ESCAPE = re.compile(r"\\(?:u(?:(d[89ab]..)\\u(?:d[c-f]..)|(d[89a-f]..))|.)", re.IGNORECASE)
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_BLANKS = b" \t\r\n"
_ALIKE = bytes.maketrans(b"123456789,[", b"000000000::")
_LONG_NUMBERS = (b":" + b"0" * 19, b":-" + b"0" * 19)
"""What has more digits than a whole number of 64 bits for certain, once all that is `_ALIKE` looks so"""


class Spelled(Decimal):
    """A number that is written `text` and must be written so again."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __reduce__(self) -> tuple[type[Spelled], tuple[str]]:
        return Spelled, (self.text,)

    def __copy__(self) -> Spelled:
        return self

    def __deepcopy__(self, memo: object) -> Spelled:
        return self


def number(text: str) -> Decimal:
    """The number a JSON text spells; `Spelled` where `Decimal` would not give the text back."""
    value = Decimal(text)
    return value if str(value) == text and "E" not in text else Spelled(text)


def _spell(value: object) -> msgspec.Raw:
    if isinstance(value, Spelled):
        return msgspec.Raw(value.text.encode())
    if isinstance(value, int):
        return msgspec.Raw(b"%d" % value)  # BSON gives whole numbers beyond 32 bits in a class of its own
    raise TypeError(f"{type(value).__name__} is not a FHIR JSON value")


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=_spell)


def encode(resource: Any) -> bytes:
    """The resource as compact JSON."""
    return _encoder.encode(resource)


def encode_pretty(resource: Any) -> bytes:
    """The resource as indented JSON, for people."""
    return msgspec.json.format(_encoder.encode(resource), indent=2)


def decode_any(body: bytes) -> Any:
    """Any JSON value, exact; raises `not_json` (400) that says what is wrong and where."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise not_json("The body begins with a byte order mark. JSON is UTF-8 without one (RFC 8259 §8.1)")
    if not body.strip():
        raise not_json("The body is empty; a JSON object was expected")
    try:
        return _read(body)
    except (_DoubtfulError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_strictly(body)


class _DoubtfulError(Exception):
    """What was read may not be all that was sent."""


def _read(body: bytes) -> Any:
    """By a decoder that is fast and forgives: it counts only where what it read is written as what was sent."""
    value = _fast_decoder.decode(body)
    again = _encoder.encode(value)
    if again.translate(None, _BLANKS) != body.translate(None, _BLANKS):
        raise _DoubtfulError  # a key twice, -0, an escape that need not be one
    alike = b":" + again.translate(_ALIKE)
    if any(number in alike for number in _LONG_NUMBERS):
        raise _DoubtfulError
    _check_depth(again)
    return value


def _read_strictly(body: bytes) -> Any:
    _check_depth(body)
    try:
        text = body.decode()
        value = _decoder.decode(text)
        if b"\\u" in body:
            _encoder.encode(value)  # what cannot be written must not be read: lone surrogates
    except _AmbiguousError:
        raise not_json(_ambiguity(text)) from None
    except json.JSONDecodeError as place:
        told = f"The body is not JSON: {place.msg} at line {place.lineno} column {place.colno}"
        raise not_json(told) from None
    except UnicodeDecodeError as place:
        raise not_json(f"The body is not UTF-8: byte {place.start} is not valid") from None
    except UnicodeEncodeError:
        raise not_json(_half_pair(text)) from None
    except RecursionError:
        raise not_json(f"The body is nested more than {MAX_DEPTH} levels deep") from None
    return value


def decode(body: bytes) -> Json:
    """A JSON object, exact; raises `not_json` (400) that says what is wrong and where."""
    value = decode_any(body)
    if not isinstance(value, dict):
        raise not_json(f"The body is a JSON {_kind(value)}; a resource is a JSON object with 'resourceType'")
    return value


def _kind(value: object) -> str:
    kinds = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


class _AmbiguousError(Exception):
    """There is a key twice, or a number that is none: `_ambiguity` says where."""


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _AmbiguousError
    return members


def _bounded(text: str) -> Decimal:
    if len(text) > 8 or "e" in text or "E" in text:
        _check_number(text)
    return number(text)


def _check_number(text: str) -> None:
    mantissa, _, exponent = text.lower().partition("e")
    digits = mantissa.lstrip("-").replace(".", "").lstrip("0")
    if len(digits) > MAX_DIGITS:
        raise not_json(
            f"A number of {len(digits)} digits ({text[:20]}…) cannot be kept exactly; at most {MAX_DIGITS}"
        )
    if len(exponent) > 5 or abs(int(exponent or 0)) > 6000:
        raise not_json(f"The number {text[:40]} is out of range: exponents go from -6000 to 6000")


def _integer(text: str) -> int | Decimal:
    if text == "-0":
        return Spelled(text)
    if len(text) > 18:
        return _bounded(text)
    return int(text)


def _constant(_: str) -> NoReturn:
    raise _AmbiguousError


def _ambiguity(text: str) -> str:
    """What the decoder refused though other readers would not: it does not say where, so this looks again."""
    around: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        string, colon = token.groups()
        if colon:
            key = json.loads(string) if "\\" in string else string[1:-1]
            if key in around[-1]:
                where = _line_and_column(text, token.start())
                return f"The key '{key[:64]}' stands twice in one JSON object, again {where}: which one counts is unclear"
            around[-1].add(key)
        elif token[0] == "{":
            around.append(set())
        elif token[0] == "}":
            around.pop()
        elif not string:
            return (
                f"{token[0]} is not JSON ({_line_and_column(text, token.start())}); FHIR has no such number"
            )
    raise AssertionError("the decoder found what is not there")


def _half_pair(text: str) -> str:
    alone = next(escape for escape in _ESCAPE.finditer(text) if escape[2])
    where = _line_and_column(text, alone.start())
    return f"A string holds half of a surrogate pair, {alone[0]} {where}: \\ud800 to \\udfff stand for nothing alone"


def _line_and_column(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"at line {line} column {position - text.rfind(chr(10), 0, position)}"


def _check_depth(body: bytes) -> None:
    """Refuse what is nested too deeply before anything recurses into it: peel the innermost brackets off,
    level by level; what is still there after `MAX_DEPTH` levels is too deep.
    """
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(
            b'\\"', b""
        )  # what is left of quotes begins or ends a string
    # Two quotes side by side go without a look at which: what is left is in a string, or not, as before.
    structure = body.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    brackets = _STRING.sub(b"", structure).translate(None, b'"')
    for _ in range(MAX_DEPTH):
        peeled = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(peeled) == len(brackets):
            return  # nothing left, or brackets that do not match: the decoder will say so
        brackets = peeled
    if brackets:
        raise not_json(f"The body is nested more than {MAX_DEPTH} levels deep")


_fast_decoder = msgspec.json.Decoder(float_hook=_bounded)
_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_bounded, parse_int=_integer, parse_constant=_constant
)
