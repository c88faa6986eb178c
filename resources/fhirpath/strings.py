"""Functions over strings.

http://hl7.org/fhirpath/N1/#string-manipulation
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from resources.fhirpath.values import EvaluationError, Items, boolean, integer, is_number, single, string


def text(items: Items) -> str | None:
    """The one string, None if there is none."""
    item = single(items)
    if item is None or item[1] is None:
        return None
    if not isinstance(item[1], str):
        raise EvaluationError(f"a string was expected, not {item[0]}")
    return item[1]


def _number(items: Items) -> int | None:
    item = single(items)
    return int(item[1]) if item is not None and is_number(item[1]) else None


def _asks(question: Callable[[str, str], bool]) -> Callable[[Items, Items], Items]:
    def run(items: Items, argument: Items) -> Items:
        one, other = text(items), text(argument)
        return [] if one is None or other is None else boolean(question(one, other))

    return run


def _changes(change: Callable[[str], str]) -> Callable[[Items], Items]:
    def run(items: Items) -> Items:
        value = text(items)
        return [] if value is None else string(change(value))

    return run


def _index_of(items: Items, part: Items) -> Items:
    one, other = text(items), text(part)
    return [] if one is None or other is None else integer(one.find(other))


def _last_index_of(items: Items, part: Items) -> Items:
    one, other = text(items), text(part)
    return [] if one is None or other is None else integer(one.rfind(other))


def _substring(items: Items, start: Items, length: Items | None = None) -> Items:
    value, at = text(items), _number(start)
    if value is None or at is None or not 0 <= at < len(value):
        return []
    many = _number(length) if length is not None else None
    return string(value[at:] if many is None else value[at : at + max(0, many)])


def _replace(items: Items, pattern: Items, substitution: Items) -> Items:
    value, old, new = text(items), text(pattern), text(substitution)
    return [] if value is None or old is None or new is None else string(value.replace(old, new))


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, OverflowError) as fault:
        raise EvaluationError(f"'{pattern}' is not a regular expression: {fault}") from None


def _replace_matches(items: Items, pattern: Items, substitution: Items) -> Items:
    value, old, new = text(items), text(pattern), text(substitution)
    if value is None or old is None or new is None:
        return []
    template = re.sub(
        r"\$\{(\w+)\}|\$(\d+)", lambda m: rf"\g<{m.group(1) or m.group(2)}>", new.replace("\\", r"\\")
    )
    return string(_compiled(old).sub(template, value) if old else value)


def _split(items: Items, separator: Items) -> Items:
    value, by = text(items), text(separator)
    if value is None or by is None:
        return []
    return [part for each in (value.split(by) if by else value) for part in string(each)]


def _join(items: Items, separator: Items | None = None) -> Items:
    if not items:
        return []
    by = (text(separator) if separator is not None else "") or ""
    return string(by.join(text([item]) or "" for item in items))


def _length(items: Items) -> Items:
    value = text(items)
    return [] if value is None else integer(len(value))


def _characters(items: Items) -> Items:
    return [character for each in text(items) or "" for character in string(each)]


FUNCTIONS: dict[str, Callable[..., Items]] = {
    "startsWith": _asks(str.startswith),
    "endsWith": _asks(str.endswith),
    "contains": _asks(lambda value, part: part in value),
    "matches": _asks(lambda value, pattern: _compiled(pattern).search(value) is not None),
    "matchesFull": _asks(lambda value, pattern: _compiled(pattern).fullmatch(value) is not None),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "substring": _substring,
    "replace": _replace,
    "replaceMatches": _replace_matches,
    "split": _split,
    "join": _join,
    "length": _length,
    "toChars": _characters,
    "upper": _changes(str.upper),
    "lower": _changes(str.lower),
    "trim": _changes(str.strip),
}
