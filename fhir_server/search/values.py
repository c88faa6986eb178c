"""The values of a search clause: escapes, separators and prefixes.

http://hl7.org/fhir/R4/search.html#escaping
"""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"\\([,|$\\])")
_COMMA = re.compile(r"((?:[^\\,]|\\.)*\\?)(,|$)", re.DOTALL)
_BAR = re.compile(r"((?:[^\\|]|\\.)*\\?)(\||$)", re.DOTALL)
_DOLLAR = re.compile(r"((?:[^\\$]|\\.)*\\?)(\$|$)", re.DOTALL)
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(.*)", re.DOTALL)


def unescape(text: str) -> str:
    r"""`a\,b` → `a,b`; a backslash before anything else is itself."""
    return _ESCAPED.sub(r"\1", text)


def split_or(text: str) -> list[str]:
    """The alternatives of a value, at commas that are not escaped; escapes stay for who reads the alternative."""
    return _split(_COMMA, text)


def split_bar(text: str) -> list[str]:
    """The parts of a value, at bars that are not escaped, unescaped."""
    return [unescape(part) for part in _split(_BAR, text)]


def split_dollar(text: str) -> list[str]:
    """The parts of a composite value, at dollar signs that are not escaped; escapes stay for who reads the part."""
    return _split(_DOLLAR, text)


def split_prefix(text: str) -> tuple[str, str]:
    """`ge2024` → (`ge`, `2024`); without prefix `eq`.

    http://hl7.org/fhir/R4/search.html#prefix
    """
    match = _PREFIXED.fullmatch(text)
    return (match[1], match[2]) if match else ("eq", text)


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    parts: list[str] = []
    position = 0
    while True:
        match = pattern.match(text, position)
        assert match is not None  # both patterns match the empty text
        parts.append(match[1])
        position = match.end()
        if not match[2]:
            return parts
