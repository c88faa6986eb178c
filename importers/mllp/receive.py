"""What the MLLP listener hands messages to: `Receive`, implemented by the feed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Broken = Literal["truncated", "unfinished", "too-large"]
"""Why a message did not arrive whole: the connection ended in it, the next one began in it, or it is larger
than may be sent."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a message came from, for the feed's record and the audit trail."""

    id: str
    """One for each connection; it is in every line of the log about it"""
    address: str
    port: int
    certificate: str | None = None
    """Distinguished name (RFC 4514) of the client certificate, where one was asked for"""


Answer = Callable[[bytes], None]
"""Sends an answer at once, while the message is still in work; to a sender who has gone, nothing"""


class Receive(Protocol):
    """Keeps a message, does what it says, and tells what to answer."""

    async def __call__(
        self, raw: bytes, connection: Connection, answer: Answer, *, broken: Broken | None = None
    ) -> list[bytes]:
        """The messages to send back, in that order; none where the sender wants none.

        What is to leave before the message is processed (CA) is given to `answer`, and not among them.

        `raw` is what stood between VT and FS, byte for byte. Where `broken` names a reason it is only a part
        of a message (of one that is too large its first kilobytes): kept for a person to look at, never
        processed, and rejected if MSH-10 can be read. What this raises is answered with AR and logged.
        """
        ...
