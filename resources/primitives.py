"""The primitive types of R4: the exact form of each as a pattern, and the check of one JSON value.

The patterns are stricter than the published ones where the text of the specification is: days exist in the
calendar (2020-02-30 does not), strings hold no control characters.

http://hl7.org/fhir/R4/datatypes.html#primitive
"""

from __future__ import annotations

import binascii
import re
from decimal import Decimal
from typing import Any

MAX_STRING = 1_048_576
"""Characters of a string: http://hl7.org/fhir/R4/datatypes.html#string."""

_YEAR = r"(?!0000)[0-9]{4}"
_LEAP_YEAR = r"(?!0000)(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_MONTH = rf"{_YEAR}-(?:0[1-9]|1[0-2])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

PATTERNS = {
    "code": r"^\S+(?:\s\S+)*\Z",
    "date": rf"^(?:{_DAY}|{_MONTH}|{_YEAR})\Z",
    "dateTime": rf"^(?:{_DAY}(?:T{_TIME}{_ZONE})?|{_MONTH}|{_YEAR})\Z",
    "id": r"^[A-Za-z0-9\-.]{1,64}\Z",
    "instant": rf"^{_DAY}T{_TIME}{_ZONE}\Z",
    "oid": r"^urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+\Z",
    "time": rf"^{_TIME}\Z",
    "uri": r"^\S+\Z",
    "uuid": r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z",
}
PATTERNS["url"] = PATTERNS["canonical"] = PATTERNS["uri"]

RANGES = {
    "integer": (-(2**31), 2**31 - 1),
    "positiveInt": (1, 2**31 - 1),
    "unsignedInt": (0, 2**31 - 1),
}

EXPECTED = {
    "base64Binary": "base64: groups of four of A-Z a-z 0-9 + /, padded with =",
    "boolean": "true or false without quotes",
    "canonical": "a URL without spaces",
    "code": "a code: no spaces at its ends, single spaces inside",
    "date": "a date that exists, as YYYY, YYYY-MM or YYYY-MM-DD",
    "dateTime": "YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or an offset such as +01:00",
    "decimal": "a number without quotes",
    "id": "1 to 64 of A-Z a-z 0-9 - .",
    "instant": "YYYY-MM-DDThh:mm:ss with Z or an offset such as +01:00",
    "integer": "a whole number from -2147483648 to 2147483647 without quotes",
    "markdown": "a string",
    "oid": "an OID as urn:oid:1.2.3",
    "positiveInt": "a whole number from 1 to 2147483647 without quotes",
    "string": "a string",
    "time": "hh:mm:ss",
    "unsignedInt": "a whole number from 0 to 2147483647 without quotes",
    "uri": "a URI without spaces",
    "url": "a URL without spaces",
    "uuid": "a UUID in lower case as urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
    "xhtml": "XHTML in one <div>",
}

_compiled = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def fault(type_name: str, value: Any) -> str | None:
    """What is wrong with a JSON value of that primitive type, as a clause with what was expected; None if nothing."""
    expected = EXPECTED[type_name]
    if type_name == "boolean":
        return None if isinstance(value, bool) else f"{shown(value)} is not a boolean; expected {expected}"
    if type_name in RANGES:
        return (
            None if _is_integer(type_name, value) else f"{shown(value)} is not allowed; expected {expected}"
        )
    if type_name == "decimal":
        return None if _is_number(value) else f"{shown(value)} is not a number; expected {expected}"
    if not isinstance(value, str):
        return f"{shown(value)} is not a string; expected {expected}"
    if not value:
        return f"an empty string is not allowed; leave the element out, or give {expected}"
    return _text_fault(type_name, value)


def _text_fault(type_name: str, text: str) -> str | None:
    if (found := _NO_TEXT.search(text)) is not None:
        return f"the character U+{ord(found[0]):04X} is not allowed in a string"
    if type_name in {"string", "markdown"}:
        return (
            f"{len(text)} characters are too long; at most {MAX_STRING}" if len(text) > MAX_STRING else None
        )
    if type_name == "base64Binary":
        return None if _is_base64(text) else f"{shown(text)} is not base64; expected {EXPECTED[type_name]}"
    pattern = _compiled.get(type_name)
    if pattern is None or pattern.match(text):
        return None
    return f"{shown(text)} is not of type {type_name}; expected {EXPECTED[type_name]}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal | float) and not isinstance(value, bool)


def _is_integer(type_name: str, value: Any) -> bool:
    if isinstance(value, Decimal) and str(value) == "-0":
        return type_name != "positiveInt"  # JSON's other way to write 0
    low, high = RANGES[type_name]
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_base64(text: str) -> bool:
    try:
        binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        return False
    return True


def shown(value: Any) -> str:
    """The value as a message shows it: short, and without its content where it is not simple."""
    if isinstance(value, str):
        return f"'{value[:40]}…'" if len(value) > 40 else f"'{value}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(getattr(value, "text", value))[:40]
    return {dict: "an object", list: "an array", type(None): "null"}.get(type(value), type(value).__name__)
