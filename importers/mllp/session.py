"""One connection of a sender: its messages one at a time, each answered before the next is looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from importers.hl7v2.ack import reject
from importers.hl7v2.header import read_header
from importers.hl7v2.issue import INTERNAL_ERROR, Issue
from importers.mllp.framing import Decoder, Event, Frame, Junk, Part, frame
from importers.mllp.limits import Limits
from importers.mllp.metrics import MllpMetrics
from importers.mllp.receive import Broken, Connection, Receive

_READ = 256 * 1024
_ACK, _NAK = b"\x06", b"\x15"
"""Commit acknowledgments of MLLP release 2"""
_GOODBYE_SECONDS = 1
"""for the last bytes to be fetched"""
_FAILED = Issue("", "The server failed to process the message; send it again later", INTERNAL_ERROR, "error")

log = structlog.stdlib.get_logger(__name__)


class Session:
    """Reads, hands over and answers until the sender leaves, breaks a limit, or the server stops."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        connection: Connection,
        receive: Receive,
        limits: Limits,
        metrics: MllpMetrics,
        *,
        large: asyncio.Semaphore,
        release_2: bool = False,
    ) -> None:
        """`large` are the places for large messages of all connections together."""
        self._reader, self._writer = streams
        self._connection = connection
        self._receive = receive
        self._limits = limits
        self._metrics = metrics
        self._release_2 = release_2
        self._large = large
        self._has_place = False
        self._decoder = Decoder(limits.max_bytes, limits.junk_bytes)
        self._log = log.bind(connection=connection.id, address=connection.address)
        self._waiting: asyncio.Timeout | None = None
        self._since = time.monotonic()
        self._untidy = False
        self._leaving = False
        """Nothing more is read"""
        self._strange = False
        """The sender does not speak HL7: nothing more of his is looked at"""
        self._stopping = False
        self._messages = 0

    def stop(self) -> None:
        """No further message is begun; one that is in work is answered."""
        self._stopping = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        try:
            while not self._leaving and not self._stopping:
                if self._decoder.size > self._limits.large_bytes and not self._has_place:
                    await self._take_place()
                    continue
                await self._handle(await self._next())
            await self._close()
        except OSError as fault:
            # The sender has gone, or does not fetch his answer. What was not answered he will repeat.
            self._log.info("mllp_lost", reason=type(fault).__name__)
        finally:
            self._leave_place()
            self._writer.transport.abort()
            tell = self._log.info if self._messages else self._log.debug
            tell("mllp_closed", messages=self._messages)

    async def _take_place(self) -> None:
        """Waits for a place among the large messages; until then TCP keeps the sender from sending more."""
        try:
            async with asyncio.timeout(None) as self._waiting:
                await self._large.acquire()
                self._has_place = True
        except TimeoutError:
            return
        finally:
            self._waiting = None
        self._since = time.monotonic()

    def _leave_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._large.release()

    async def _next(self) -> Sequence[Event]:
        """What has come; sets `_leaving` where nothing more will be looked at."""
        begun = self._decoder.inside
        data = await self._read(self._patience())
        if data is None:
            if self._stopping:
                return ()
            if self._decoder.ending:
                return self._decoder.settle()
            self._metrics.broken("slow" if begun else "idle")
            self._log.info("mllp_timeout", within_message=begun)
        self._leaving = not data
        events = self._decoder.feed(data) if data else self._decoder.eof()
        self._leaving |= self._decoder.closed
        if not begun:
            self._since = time.monotonic()
        return events

    def _patience(self) -> float:
        """Seconds to wait for more."""
        if not self._decoder.inside:
            return self._limits.idle_seconds
        if self._decoder.ending:
            return self._limits.settle_seconds
        return max(self._since + self._limits.whole_by(self._decoder.size) - time.monotonic(), 0)

    async def _read(self, seconds: float) -> bytes | None:
        """Bytes, none of them at the end of the stream; None when the time is over or the server stops."""
        try:
            async with asyncio.timeout(seconds) as self._waiting:
                return await self._reader.read(_READ)
        except TimeoutError:
            return None
        finally:
            self._waiting = None

    async def _handle(self, events: Sequence[Event]) -> None:
        for event in events:
            if self._stopping or self._strange:
                return
            match event:
                case Frame():
                    await self._frame(event)
                case Part():
                    await self._part(event)
                case Junk():
                    self._metrics.junk.inc(event.size)
                    self._log.warning("mllp_junk", size=event.size, looks_like=event.kind)
        if events:
            self._leave_place()
            # What the sender began meanwhile could not be read: that is not his slowness.
            self._since = time.monotonic()

    async def _frame(self, block: Frame) -> None:
        body = block.body
        if not block.tidy and not self._untidy:
            self._untidy = True
            self._log.warning("mllp_untidy", expected="FS CR at the end of each message")
        if body in {_ACK, _NAK}:
            return
        if not body.strip():
            self._metrics.broken("empty")
            return
        started = time.monotonic()
        self._messages += 1
        self._metrics.messages.inc()
        answered = await self._answered(body, None)
        self._metrics.seconds.observe(time.monotonic() - started)
        if not answered and read_header(body) is None:
            self._strange = self._leaving = True
            self._metrics.broken("no-header")
            self._log.warning("mllp_no_header", size=len(body))

    async def _part(self, part: Part) -> None:
        self._metrics.broken(part.reason)
        self._log.warning("mllp_broken", reason=part.reason, size=len(part.body))
        await self._answered(part.body, part.reason)

    async def _answered(self, body: bytes, broken: Broken | None) -> bool:
        """Hands a message over and sends the answers, if any; whatever fails, the sender is told to come again."""
        commit = _ACK if broken is None else _NAK
        early: list[bytes] = []

        def at_once(answer: bytes) -> None:
            self._write([_ACK, answer] if self._release_2 and not early else [answer])
            early.append(answer)

        try:
            answers = await self._receive(body, self._connection, at_once, broken=broken)
        except Exception:
            self._log.exception("mllp_failed")
            answers, commit = reject(body, _FAILED, given=early)[len(early) :], _NAK
        self._write([commit, *answers] if self._release_2 and not early else answers)
        async with asyncio.timeout(self._limits.write_seconds):
            await self._writer.drain()
        return bool(early or answers)

    def _write(self, answers: Sequence[bytes]) -> None:
        if self._writer.is_closing():
            return  # what is told at once may come after the sender has gone
        for answer in answers:
            self._writer.write(frame(answer))
            self._metrics.answered(answer)

    async def _close(self) -> None:
        """Lets the sender fetch what he was answered, which a connection closed on unread bytes would destroy."""
        rejected = self._decoder.closed
        if not self._reader.at_eof() and (rejected or self._writer.can_write_eof()):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            until = time.monotonic() + (self._limits.linger_seconds if rejected else _GOODBYE_SECONDS)
            while (left := until - time.monotonic()) > 0 and await self._read(left):
                pass
        self._writer.close()
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await self._writer.wait_closed()
