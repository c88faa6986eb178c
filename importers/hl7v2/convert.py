"""From a message to drafts of FHIR resources: which function maps which message.

A mapping is a function of a Conversion that adds drafts and issues to it. It is found by type and event
(`ADT^A01`), or by the type alone where the sender names no event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from importers.hl7v2 import adt, adt_merge, clinical_messages, strict
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion, ConversionError
from importers.hl7v2.er7 import Message
from importers.hl7v2.issue import (
    REQUIRED_FIELD_MISSING,
    UNSUPPORTED_EVENT,
    UNSUPPORTED_MESSAGE_TYPE,
    UNSUPPORTED_PROCESSING_ID,
    UNSUPPORTED_VERSION,
    Issue,
)

MessageMap = Callable[[Conversion], None]

VERSIONS = (
    "2.1",
    "2.2",
    "2.3",
    "2.3.1",
    "2.4",
    "2.5",
    "2.5.1",
    "2.6",
    "2.7",
    "2.7.1",
    "2.8",
    "2.8.1",
    "2.8.2",
)

PROCESSING_IDS = ("P", "T", "D")
"""Table 0103: production, training, debugging. Which of them a server takes is said by who may connect to it."""

MESSAGES: Mapping[str, MessageMap] = {**adt.EVENTS, **adt_merge.EVENTS, **clinical_messages.EVENTS}
"""`ADT^A01`, or `ADT` for messages without event, → what maps it."""


def convert(message: Message, config: FeedConfig, key: str = "") -> Conversion:
    """What becomes of a message; raises ConversionError for a type, event or version that is not supported.

    Pure: the same message, configuration and key give the same drafts.
    """
    conversion = Conversion(message, config, key, issues=list(message.issues))
    mapping = checked(conversion)
    mapping(conversion)
    if config.strict:
        conversion.issues += strict.report(message)
    return conversion


def checked(conversion: Conversion) -> MessageMap:
    """What maps the message; ConversionError where its header alone says that it cannot be processed."""
    _check_processing_id(conversion)
    _check_version(conversion)
    return _mapping(conversion.message, conversion.config)


def _mapping(message: Message, config: FeedConfig) -> MessageMap:
    kind, event = message.type, message.event
    if not kind:
        told = "MSH-9 is empty; it names the type of the message, such as ADT^A01"
        raise ConversionError(Issue("MSH-9", told, REQUIRED_FIELD_MISSING, "error"))
    name = f"{kind}^{event}" if event else kind
    found = MESSAGES.get(name)
    if (own := config.overrides.get(name)) is not None:
        return partial(own, found or _nothing)
    if found is not None:
        return found
    events = sorted(known.partition("^")[2] for known in MESSAGES if known.startswith(f"{kind}^"))
    if not events:
        told = f"Messages of type {kind[:10]} are not mapped to FHIR"
        raise ConversionError(Issue("MSH-9.1", told, UNSUPPORTED_MESSAGE_TYPE, "error"))
    told = f"{kind}^{event[:10]} is not mapped to FHIR; of {kind} are: {', '.join(events)}"
    raise ConversionError(Issue("MSH-9.2", told, UNSUPPORTED_EVENT, "error"))


def _nothing(conversion: Conversion) -> None:
    """What a mapping of one's own replaces where the type is not mapped here."""


def _check_processing_id(conversion: Conversion) -> None:
    """Refuses what is meant for no system that there is: MSH-11.1 is one of table 0103, or empty."""
    told = conversion.message.header.text(11).upper()
    if told and told not in PROCESSING_IDS:
        text = f"MSH-11 must be one of {', '.join(PROCESSING_IDS)}"
        raise ConversionError(Issue("MSH-11", text, UNSUPPORTED_PROCESSING_ID, "error"))


def _check_version(conversion: Conversion) -> None:
    """Refuses a version that nobody knows, unless the feed says it is to be read as the nearest."""
    version, config = conversion.message.version, conversion.config
    if version in VERSIONS:
        return
    if not version and config.default_version:
        told = f"MSH-12 is empty; the message was read as version {config.default_version}"
        conversion.issue("MSH-12", told, REQUIRED_FIELD_MISSING)
    elif version and config.unknown_version == "nearest":
        conversion.issue(
            "MSH-12", "This version of HL7 is not known; it was read as the nearest", UNSUPPORTED_VERSION
        )
    else:
        told = f"MSH-12 must be one of {', '.join(VERSIONS)}"
        raise ConversionError(Issue("MSH-12", told, UNSUPPORTED_VERSION, "error"))
