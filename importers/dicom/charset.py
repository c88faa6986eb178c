"""Bytes of a data set as text, by its SpecificCharacterSet (0008,0005), and where that is wrong, by the bytes.

PS3.3 C.12.1.1.2, PS3.5 6.1.2; https://dicom.nema.org/medical/dicom/current/output/chtml/part05/chapter_6.html
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from pydicom.charset import decode_bytes, python_encoding

_ESCAPE = re.compile(r"\x1b[\x20-\x2f]+[\x30-\x7e]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ufffe\uffff\ud800-\udfff]")
_MEANT = {"UTF8": "ISO_IR 192", "UTF-8": "ISO_IR 192", "ISO IR 192": "ISO_IR 192"}
_DELIMITERS = {"PN": {0x5E, 0x3D, 0x5C}}
_TEXT = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}
"""Where a text goes back to the first character set: TAB, LF, FF, CR, backslash"""


@dataclass(frozen=True, slots=True)
class Charset:
    """The Python encodings of a SpecificCharacterSet; `known` unless a term of it is none of DICOM's."""

    encodings: tuple[str, ...] = ("ascii",)
    known: bool = True

    def decoded(self, value: bytes, vr: str) -> tuple[str, bool]:
        """The text, without control characters, and whether the bytes were what the character set says."""
        if value.isascii() and b"\x1b" not in value and self.encodings[0] not in _NOT_ASCII:
            text, right = value.decode("ascii"), True
        elif b"\x1b" in value and len(self.encodings) > 1:
            text, right = self._extended(value, vr)
        else:
            text, right = self._plain(value)
        return without_controls(text), right

    def _plain(self, value: bytes) -> tuple[str, bool]:
        for encoding in dict.fromkeys((self.encodings[0], *self.encodings[1:])) if self.known else ():
            try:
                return value.decode(encoding), True
            except (UnicodeError, LookupError):
                continue
        try:
            return value.decode("utf-8"), False  # other text is hardly ever valid UTF-8 by chance
        except UnicodeError:
            return value.decode("latin-1"), False

    def _extended(self, value: bytes, vr: str) -> tuple[str, bool]:
        with warnings.catch_warnings():  # they quote the value
            warnings.simplefilter("ignore")
            text = decode_bytes(value, list(self.encodings), _DELIMITERS.get(vr, _TEXT))
        return text, "\ufffd" not in text


_NOT_ASCII = {"shift_jis"}
"""Encodings in which an ASCII byte can be another character: 5C is a yen sign, and half of a kanji"""


def without_controls(text: str) -> str:
    """Without what no JSON of FHIR may hold: control characters, and what is left of escape sequences."""
    if text.isprintable():
        return text
    return _CONTROL.sub("", _ESCAPE.sub("", text))


@lru_cache(maxsize=256)
def charset(terms: bytes) -> Charset:
    """The character sets that the value of (0008,0005) names, in its order."""
    named = [term.strip(" \0") for term in terms.decode("latin-1").split("\\")]
    if not any(named):
        return Charset()
    encodings, known = [], True
    for term in named:
        encoding = _encoding(term)
        known = known and encoding is not None
        if encoding is not None:
            encodings.append(encoding)
    return Charset(tuple(encodings) or ("ascii",), known)


def _encoding(term: str) -> str | None:
    if term in {"", "ISO_IR 6", "ISO 2022 IR 6"}:
        return "ascii"
    upper = " ".join(term.upper().split())
    for spelling in (upper, _MEANT.get(upper, ""), upper.replace("-", "_"), upper.replace("-", " ")):
        for each in (spelling, spelling.replace("ISO_IR_", "ISO_IR "), spelling.replace("ISO IR", "ISO_IR")):
            if each and each in python_encoding:
                return str(python_encoding[each])
    return None
