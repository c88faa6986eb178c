"""Mappings of the feed "laboratory" in feeds.toml: what is different there.

A function gets the server's own mapping first and then what that gets; it returns what that returns.
"""

from __future__ import annotations

from collections.abc import Callable

from importers.hl7v2.conversion import Conversion, Draft
from importers.hl7v2.er7 import Segment, Value
from resources.codec import Json


def human_name(
    original: Callable[[Conversion, Value], Json | None], conversion: Conversion, value: Value
) -> Json | None:
    """A data type: all given names are in XPN.2 here, with blanks between them."""
    name = original(conversion, value)
    if name is not None and "given" in name:
        name["given"] = [part for given in name["given"] for part in given.split()]
    return name


def patient(
    original: Callable[..., Draft], conversion: Conversion, pid: Segment, *more: object, **named: object
) -> Draft:
    """A segment: the language of a patient comes in a segment of the laboratory's own, ZPI-2."""
    draft = original(conversion, pid, *more, **named)
    own = conversion.message.first("ZPI")
    if own is not None and (language := own.text(2)):
        draft.resource["communication"] = [{"language": {"text": language}, "preferred": True}]
    return draft


def quality_control(original: Callable[[Conversion], None], conversion: Conversion) -> None:
    """A message: results of quality control, MSH-11.2 `Q`, are about nobody and are not mapped."""
    if conversion.message.header.text(11, 2) != "Q":
        original(conversion)


MAPPINGS = {"XPN": human_name, "PID": patient, "ORU^R01": quality_control}
