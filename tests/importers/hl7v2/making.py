"""Conversions and values to try things on."""

from __future__ import annotations

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Value, parse
from resources.codec import Json
from resources.validation import validate

HEADER = "MSH|^~\\&|APP|HOSP|REC|RFAC|20240102030405||ADT^A01|1|P|2.5.1"


def conversion(*lines: str, config: FeedConfig | None = None, header: str = HEADER) -> Conversion:
    return Conversion(parse("\r".join((header, *lines))), config or FeedConfig(), "row")


def field(text: str) -> Value:
    """A field with this content: ZXX-1."""
    return conversion(f"ZXX|{text}").message.segments[1].value(1)


def faults(resource: Json) -> list[str]:
    return [issue.diagnostics for issue in validate(resource) if issue.severity in ("error", "fatal")]
