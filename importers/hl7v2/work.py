"""What a feed works with: `Work`, handed to it by the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from importers.hl7v2 import ack
from importers.hl7v2.er7 import Message
from importers.hl7v2.patience import PATIENCE
from importers.hl7v2.process import Process
from importers.hl7v2.reading import Reader
from importers.hl7v2.rows import FeedStore, Row

Told = Callable[[Row], Awaitable[None]]
"""Leaves the AuditEvent of a message: an access like any other, whatever came of it"""
AtOnce = Callable[[bytes], None]
"""Sends an answer while the message is still in work; never fails"""


@dataclass(frozen=True, slots=True)
class Work:
    """What a feed works with."""

    store: FeedStore
    read: Reader
    process: Process
    tell: Told
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    answering: Callable[[str, str], ack.Answering]
    """(MSH-3, MSH-4) → how that sender is answered"""
    acceptable: Callable[[Message, Row], bool]
    """Whether a message can be processed as far as its header says"""
    patience: float = PATIENCE
