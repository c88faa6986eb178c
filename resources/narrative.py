"""The XHTML of a Narrative: well-formed, only the elements and attributes FHIR allows, nothing active.

A div of white space only breaks txt-2, yet four examples of the standard itself have one: it is a warning here. A div
without any character is an error.

http://hl7.org/fhir/R4/narrative.html#xhtml (constraints txt-1 and txt-2)
"""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.parsers import expat

XHTML = "http://www.w3.org/1999/xhtml"
MAX_DEPTH = 200

# HTML 4.0 chapters 7-11 (except section 4 of chapter 9) and 15, images and links
_ALLOWED_ELEMENTS = """
    a abbr acronym address b big blockquote br caption cite code col colgroup dd del dfn div dl dt em h1 h2 h3 h4 h5 h6
    hr i img ins kbd li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt u ul var
"""
_ALLOWED_ATTRIBUTES = """
    abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff cite class
    colspan compact coords datetime dir frame headers height href hreflang hspace id lang longdesc name noshade nowrap
    rel rev rowspan rules scope shape span src start style summary tabindex title type usemap valign value vspace width
"""
_ELEMENTS = frozenset(_ALLOWED_ELEMENTS.split())
_ATTRIBUTES = frozenset(_ALLOWED_ATTRIBUTES.split())
_ACTIVE_URL = re.compile(r"[\x00-\x20]*(?:javascript|vbscript|data:(?!\s*image/))", re.IGNORECASE)
_ACTIVE_STYLE = re.compile(r"expression\s*\(|javascript:|behavior\s*:|-moz-binding|@import", re.IGNORECASE)
# The entities of HTML 4.0 may be used without a DTD: http://hl7.org/fhir/R4/narrative.html#xhtml
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;|#)([A-Za-z][A-Za-z0-9]{1,31});")


class _Refused(Exception):
    """The reason as its text."""


class Fault(NamedTuple):
    """`severity` is `error` or `warning`; `text` says what is wrong."""

    severity: str
    text: str


def fault(div: str) -> Fault | None:
    """What is wrong with the text as the `div` of a Narrative, or None."""
    reader = _Reader()
    try:
        reader.parser.Parse(_ENTITY.sub(_as_character, div).encode(), True)
    except _Refused as reason:
        return Fault("error", str(reason))
    except expat.ExpatError as error:
        place = f"line {error.lineno} column {error.offset + 1}"
        return Fault("error", f"not well-formed XML: {expat.ErrorString(error.code)} at {place}")
    except (UnicodeEncodeError, ValueError):
        return Fault("error", "not well-formed XML")
    if reader.filled:
        return None
    return Fault(
        "warning" if reader.blank else "error", "the div is empty; it must hold text or an image (txt-2)"
    )


class _Reader:
    def __init__(self) -> None:
        self.depth = 0
        self.filled = False
        self.blank = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.ProcessingInstructionHandler = self.instruction

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if namespace != XHTML:
            raise _Refused(f'<{local[:32]}> is not in the XHTML namespace; expected <div xmlns="{XHTML}">')
        if self.depth == 0 and local != "div":
            raise _Refused(f"the outermost element is <{local[:32]}>; expected <div>")
        if local not in _ELEMENTS:
            raise _Refused(f"the element <{local[:32]}> is not allowed in a narrative (txt-1)")
        for attribute, value in attributes.items():
            _check_attribute(local, attribute, value)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused(f"elements are nested more than {MAX_DEPTH} levels deep")
        self.filled = self.filled or local == "img"

    def end(self, _name: str) -> None:
        self.depth -= 1

    def characters(self, text: str) -> None:
        self.blank = True
        self.filled = self.filled or bool(text.strip())

    def doctype(self, *_: object) -> None:
        raise _Refused("a document type declaration is not allowed in a narrative")

    def instruction(self, target: str, _data: str) -> None:
        raise _Refused(f"the processing instruction <?{target[:32]}?> is not allowed in a narrative")


def _check_attribute(element: str, name: str, value: str) -> None:
    local = name.rpartition(" ")[2]
    if local not in _ATTRIBUTES:
        raise _Refused(f"the attribute {local[:32]} of <{element}> is not allowed in a narrative (txt-1)")
    if local in {"href", "src", "cite", "longdesc", "usemap"} and _ACTIVE_URL.match(value):
        raise _Refused(f"the attribute {local} of <{element}> holds an active address")
    if local == "style" and _ACTIVE_STYLE.search(value):
        raise _Refused(f"the style of <{element}> holds active content")


def _as_character(entity: re.Match[str]) -> str:
    from html.entities import name2codepoint  # noqa: PLC0415  (few narratives use named entities)

    codepoint = name2codepoint.get(entity[1])
    return entity[0] if codepoint is None else f"&#{codepoint};"
