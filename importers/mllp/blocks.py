"""A block that holds a batch, a file, or several messages without an envelope: each is received by itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import structlog

from importers.hl7v2.ack import batch_answer
from importers.hl7v2.batch import split
from importers.hl7v2.header import read_header
from importers.mllp.receive import Answer

AT_ONCE = 8
"""Messages of one block in work at the same time"""
_ENVELOPE = re.compile(rb"(?:\xef\xbb\xbf)?\s*[BF]HS")
_FURTHER = re.compile(rb"[\r\n](?:MSH|BHS|FHS)[^\w\s]")

log = structlog.stdlib.get_logger(__name__)


One = Callable[[bytes, Answer | None], Awaitable[list[bytes]]]
"""Receives one message; what is to leave at once goes to the `Answer`, where there is one"""


async def received(raw: bytes, answer: Answer, one: One) -> list[bytes]:
    """The answers to what is in a block: to a batch or file one batch or file of them, else each by itself.

    `one` receives a message and is begun in the order of the messages; one that is bad does not lose the others. Those
    of several leave together, in their order.
    """
    if _ENVELOPE.match(raw) is None and _FURTHER.search(raw) is None:
        return await one(raw, answer)
    batch = split(raw)
    for issue in batch.issues:
        log.warning("hl7v2_batch", place=issue.place, problem=issue.text)
    free = asyncio.Semaphore(AT_ONCE)

    async def in_turn(message: bytes) -> list[bytes]:
        async with free:
            return await one(message, None)

    answered = await asyncio.gather(*map(in_turn, batch.messages))
    replies = [reply for each in answered for reply in each]
    header = read_header(raw)
    if not replies or header is None or header.segment == "MSH":
        return replies
    return [batch_answer(header, replies)]
