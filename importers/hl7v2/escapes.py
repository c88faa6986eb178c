r"""Escape sequences inside of fields: `\F\`, `\X0D\`, `\.br\` and the others.

HL7 v2.8.2 chapter 2.7, "Use of escape sequences in text fields".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_COUNTED = re.compile(r"\.(sp|sk|in|ti)([+-]?\d{0,3})", re.ASCII)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32)))
_MOST_BLANKS = 200
r"""What one `\.sp999\` may become"""

_NOTHING = frozenset({"H", "N", ".fi", ".nf"})
"""Highlighting and word wrap, which plain text does not have"""
_LINE_BREAKS = frozenset({".br", ".ce"})

_SETS: Mapping[str, tuple[str, bytes] | None] = {
    "C2842": None,
    "C284A": None,
    "C2949": ("iso2022_jp_ext", b"\x1b(I"),
    "M2442": ("iso2022_jp", b"\x1b$B"),
    "M242844": ("iso2022_jp_1", b"\x1b$(D"),
    **{
        f"C2D{final}": (f"iso8859-{part}", b"")
        for final, part in (
            ("41", 1), ("42", 2), ("43", 3), ("44", 4), ("4C", 5), ("47", 6), ("46", 7), ("48", 8), ("4D", 9), ("62", 15)
        )
    },
}  # fmt: skip
r"""Sequences that change the character set of what follows: ISO IR6 and IR14, where the message's own set holds, IR13,
IR87, IR159, 8859/1 to 8859/15 → Python's encoding, and what announces the set in it"""


def unescape(text: str, escape: str, characters: Mapping[str, str], encoding: str) -> str:
    r"""The text that is meant. `characters` are those that `\F\` and the like stand for.

    Unknown sequences stay as they are, as does an escape character that begins none. `\X..\` are bytes of `encoding`.
    Linear in the length of the text.
    """
    parts = text.split(escape)
    last = len(parts) - 1
    out = [parts[0]]
    changed: tuple[str, bytes] | None = None
    position = 1
    while position <= last:
        body = parts[position]
        if position < last and body in _SETS:
            changed = _SETS[body]
            meant: str | None = ""
        else:
            meant = _meant(body, characters, encoding) if position < last else None
        if meant is None:
            out.append(escape + body)
            position += 1
        else:
            following = parts[position + 1]
            out += (meant, following if changed is None else _in_set(following, changed, encoding))
            position += 2
    return "".join(out)


def _meant(body: str, characters: Mapping[str, str], encoding: str) -> str | None:
    if (character := characters.get(body)) is not None:
        return character
    if body in _NOTHING:
        return ""
    if body in _LINE_BREAKS:
        return "\n"
    if body[:1] == "X" and _HEX.fullmatch(body, 1):
        return _text(bytes.fromhex(body[1:]), encoding)
    if (counted := _COUNTED.fullmatch(body)) is not None:
        return _blanks(counted[1], counted[2])
    return None


def _text(found: bytes, encoding: str) -> str:
    try:
        text = found.decode(encoding)
    except UnicodeDecodeError:
        text = found.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)


def _in_set(text: str, changed: tuple[str, bytes], encoding: str) -> str:
    """What follows a change of the character set; as it is, where it is no text of one byte a character, or of 7 bits."""
    name, announced = changed
    written_in = "ascii" if announced else encoding
    if not announced and not encoding.startswith("iso8859"):
        return text
    try:
        return (announced + text.encode(written_in)).decode(name)
    except UnicodeError:
        return text


def _blanks(command: str, count: str) -> str:
    if command in ("in", "ti"):
        return ""
    number = min(int(count.lstrip("+-") or 1), _MOST_BLANKS)
    return ("\n" if command == "sp" else " ") * number
