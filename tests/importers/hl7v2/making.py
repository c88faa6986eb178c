"""Conversions and values to try things on."""

from __future__ import annotations

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.convert import convert
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


def made(event: str, *lines: str) -> tuple[list[Json], list[str]]:
    """What a message becomes, all of it valid, and the places of what is told about it."""
    header = f"MSH|^~\\&|APP|HOSP|REC|RFAC|20240301080000||{event}|1|P|2.5.1"
    found = convert(parse("\r".join((header, *lines)) + "\r"), FeedConfig(), "row")
    resources = []
    for draft in found.drafts:
        resource = (
            draft.resource if draft.adjust is None else draft.adjust({}, draft.resource, draft.resource, True)
        )
        assert faults(resource) == []
        resources.append(resource)
    return resources, [issue.place for issue in found.issues]


def only(resource_type: str, event: str, *lines: str) -> Json:
    """The one resource of a type that a message becomes."""
    [found] = [each for each in made(event, *lines)[0] if each["resourceType"] == resource_type]
    return found


def segment(name: str, fields: dict[int, str]) -> str:
    """A segment with these fields, by their numbers."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])
