r"""Escape sequences inside of fields: `\F\`, `\X0D\`, `\.br\` and the others.

HL7 v2.8.2 chapter 2.7, "Use of escape sequences in text fields".
"""

from __future__ import annotations

import re

_COUNTED = re.compile(r"\.(sp|sk|in|ti)([+-]?\d{0,3})")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_CONTROLS = {code: None for code in range(0x20) if code not in (0x09, 0x0A)}
_MOST_BLANKS = 200
"""What one `\\.sp999\\` may become: text that is endless is no text."""

NOTHING = frozenset({"H", "N", ".fi", ".nf"})
"""Highlighting and word wrap, which plain text does not have."""

LINE_BREAKS = frozenset({".br", ".ce", ".sp"})


def unescape(text: str, escape: str, characters: dict[str, str], encoding: str) -> str:
    r"""The text that is meant. `characters` are those that `\F\` and the like stand for.

    Unknown sequences stay as they are, as does an escape character that begins none. `\X..\` are bytes of `encoding`.
    """
    parts = text.split(escape)
    last = len(parts) - 1
    out = [parts[0]]
    position = 1
    while position <= last:
        body = parts[position]
        meant = _meant(body, characters, encoding) if position < last else None
        if meant is None:
            out.append(escape + body)
            position += 1
        else:
            out += (meant, parts[position + 1])
            position += 2
    return "".join(out)


def _meant(body: str, characters: dict[str, str], encoding: str) -> str | None:
    if (character := characters.get(body)) is not None:
        return character
    if body in NOTHING:
        return ""
    if body in LINE_BREAKS:
        return "\n"
    if body[:1] == "X" and _HEX.fullmatch(body, 1):
        return _bytes(bytes.fromhex(body[1:]), encoding)
    if (counted := _COUNTED.fullmatch(body)) is not None:
        return _blanks(counted[1], counted[2])
    return None


def _bytes(found: bytes, encoding: str) -> str:
    try:
        text = found.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        text = found.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


def _blanks(command: str, count: str) -> str:
    if command in ("in", "ti"):
        return ""
    number = min(int(count.lstrip("+-") or 1), _MOST_BLANKS)
    return ("\n" if command == "sp" else " ") * number
