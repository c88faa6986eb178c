"""The MLLP listener: who may connect, how many at once, TLS, and an end in which nothing in work is lost."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog

from importers.mllp.limits import Limits
from importers.mllp.metrics import MllpMetrics
from importers.mllp.receive import Connection, Receive
from importers.mllp.session import Session

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_BACKLOG = 512
_KEEPALIVE = {"TCP_KEEPIDLE": 180, "TCP_KEEPALIVE": 180, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}
"""Seconds and count after which a peer that vanished is known to have; firewalls forget sooner who is silent"""

log = structlog.stdlib.get_logger(__name__)


class Listener:
    """Serves the senders of one socket; `receive` is given their messages."""

    def __init__(
        self,
        receive: Receive,
        metrics: MllpMetrics,
        limits: Limits | None = None,
        *,
        allowed: Sequence[Network] = (),
        tls: ssl.SSLContext | None = None,
        release_2: bool = False,
    ) -> None:
        """`allowed` are the networks that senders may be in (empty: any), `tls` is what `tls.context` made."""
        self._receive = receive
        self._metrics = metrics
        self._limits = limits or Limits()
        self._allowed = allowed
        self._tls = tls
        self._release_2 = release_2
        self._large = asyncio.Semaphore(self._limits.large_at_once)
        self._sessions: dict[asyncio.Task[None], Session | None] = {}
        self._stopping = False

    async def serve(self, listener: socket.socket) -> None:
        """Accepts until cancelled. The socket is bound; it is closed here."""
        loop = asyncio.get_running_loop()
        with listener:
            listener.setblocking(False)
            listener.listen(_BACKLOG)
            while True:
                try:
                    sock, address = await loop.sock_accept(listener)
                except OSError as fault:
                    # Too many open files, or a peer that left while it waited.
                    log.warning("mllp_accept", reason=fault.strerror)
                    await asyncio.sleep(0.1)
                    continue
                self._admit(sock, address)

    async def drain(self, seconds: float) -> None:
        """Ends every connection, after its message in work has been answered or `seconds` have passed."""
        self._stopping = True
        for session in self._sessions.values():
            if session is not None:
                session.stop()
        if self._sessions:
            _done, late = await asyncio.wait(self._sessions, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _admit(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        host = address[0]
        refused = ""
        if not self._may_connect(host):
            refused = "address"
        elif len(self._sessions) >= self._limits.connections:
            refused = "limit"
        if refused or self._stopping:
            sock.close()
            self._refused(refused or "stopping", host)
            return
        task = asyncio.create_task(self._converse(sock, host, address[1]))
        self._sessions[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sessions[task]
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("mllp_session_failed", exc_info=fault)

    def _refused(self, reason: str, host: str, **more: str) -> None:
        self._metrics.refused(reason)
        log.warning("mllp_refused", reason=reason, address=host, **more)

    def _may_connect(self, host: str) -> bool:
        if not self._allowed:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._allowed)

    async def _converse(self, sock: socket.socket, host: str, port: int) -> None:
        try:
            reader, writer = await self._streams(sock)
        except OSError as fault:
            # A port scanner, plain text, no certificate or a wrong one.
            self._refused("tls", host, fault=getattr(fault, "reason", None) or type(fault).__name__)
            sock.close()
            return
        connection = Connection(secrets.token_hex(6), host, port, _subject(writer))
        session = Session(
            (reader, writer),
            connection,
            self._receive,
            self._limits,
            self._metrics,
            large=self._large,
            release_2=self._release_2,
        )
        task = asyncio.current_task()
        assert task is not None
        self._sessions[task] = session
        if self._stopping:
            session.stop()
        with self._metrics.connections.track_inprogress():
            await session.run()

    async def _streams(self, sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            # Which of them there are differs between systems.
            with suppress(AttributeError, OSError):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            sock,
            ssl=self._tls,
            ssl_handshake_timeout=self._limits.handshake_seconds if self._tls else None,
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def _subject(writer: asyncio.StreamWriter) -> str | None:
    """The distinguished name of the client certificate, most significant part last, as RFC 4514 writes it."""
    certificate = writer.get_extra_info("peercert")
    if not certificate:
        return None
    parts = ("+".join(f"{name}={value}" for name, value in part) for part in reversed(certificate["subject"]))
    return ",".join(parts)
