"""What a message means for what is stored: converted, reconciled, and told where it comes from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from importers.hl7v2.config import FeedConfig, Feeds
from importers.hl7v2.conversion import Conversion, ConversionError
from importers.hl7v2.convert import checked, convert
from importers.hl7v2.er7 import Message
from importers.hl7v2.issue import REJECTING, REQUIRED_FIELD_MISSING, UNSUPPORTED_MESSAGE_TYPE, Issue
from importers.hl7v2.process import Meaning, Refused
from importers.hl7v2.provenance import origin
from importers.hl7v2.reconcile import UnclearError, reconciled
from importers.hl7v2.rows import Row
from importers.submit import Find

LARGE = 256 * 1024
"""Bytes from which on a message is converted beside the event loop"""


class Interpreter:
    """`Interpret` by the mappings of this server and the settings of the feeds."""

    def __init__(self, feeds: Feeds, now: Callable[[], datetime]) -> None:
        self._feeds = feeds
        self._now = now

    async def __call__(self, message: Message, row: Row, find: Find, attempt: int = 0) -> Meaning:
        said = _checked(message, row)
        config = self._feeds.of(row.application, row.facility)
        conversion = await self._converted(message, config, row)
        try:
            made = await reconciled(conversion, find, attempt, row.written)
        except UnclearError as unclear:
            raise Refused("error", (*conversion.issues, unclear.issue)) from None
        issues = (*said, *made.issues)
        if any(issue.severity in {"error", "fatal"} for issue in issues):
            raise Refused("error", issues)
        found = tuple(reference for reference in made.references.values() if reference.startswith("Patient/"))
        merges = any(draft.replaced_by is not None for draft in conversion.drafts)
        if not made.bundle.get("entry"):
            return Meaning(None, issues, found)
        bundle = dict(made.bundle)
        entries = bundle["entry"]
        bundle["entry"] = [*entries, *origin(message, config, row, entries, self._now())]
        return Meaning(bundle, issues, found, merges=merges, unfinished=made.unfinished)

    def accepts(self, message: Message, row: Row) -> bool:
        """Whether it can be processed as far as its header says: then it may be accepted (CA) before it is."""
        try:
            _checked(message, row)
            checked(Conversion(message, self._feeds.of(row.application, row.facility)))
        except (Refused, ConversionError):
            return False
        return True

    @staticmethod
    async def _converted(message: Message, config: FeedConfig, row: Row) -> Conversion:
        try:
            if row.size >= LARGE or config.strict:
                return await asyncio.to_thread(convert, message, config, row.id)
            return convert(message, config, row.id)
        except ConversionError as fault:
            rejected = fault.issue.code in REJECTING or fault.issue.place.startswith("MSH")
            raise Refused("rejected" if rejected else "error", (*message.issues, fault.issue)) from None


def _checked(message: Message, row: Row) -> tuple[Issue, ...]:
    """Refuses what is no message but an answer, and over MLLP what cannot be answered by its MSH-10.

    Over HTTP and in files the answer is known by the request, or nobody waits for one.
    """
    if message.type == "ACK" or message.first("MSA") is not None:
        told = "An acknowledgment is an answer, to a message that this server has not sent"
        raise Refused("rejected", (Issue("MSH-9", told, UNSUPPORTED_MESSAGE_TYPE, "error"),))
    if message.control_id.strip():
        return ()
    if row.peer.door == "mllp":
        told = "MSH-10 is empty; without it nobody can tell which message the answer is for"
        raise Refused("rejected", (Issue("MSH-10", told, REQUIRED_FIELD_MISSING, "error"),))
    told = "MSH-10 is empty; the message is known by its content alone"
    return (Issue("MSH-10", told, REQUIRED_FIELD_MISSING),)
