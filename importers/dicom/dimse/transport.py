"""What pynetdicom reads from the network, within bounds: a peer can neither fill the memory nor hold on for ever.

What it would keep of a data set goes into a `Spool`, which forgets all that follows after the header.

https://pydicom.github.io/pynetdicom/stable/
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from importers.dicom.dimse.limits import Limits, Who
from importers.dicom.intake import enough

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.association import Association
    from pynetdicom.pdu_primitives import P_DATA
    from pynetdicom.presentation import PresentationContext

_PDU_HEAD = 6
_INVALID_PDU = b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x06"
"""A-ABORT by the service provider: invalid PDU parameter value. PS3.8 9.3.8"""
_BROKEN = "Evt19"
"""Unrecognized or invalid PDU: the state machine aborts the association. PS3.8 table 9-10"""
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Most senders leave Nagle's algorithm on, and write a message in pieces: each would wait 40 ms for a delayed ACK.
Linux forgets the option, so it is set after each read."""
_KEEPALIVE = {"TCP_KEEPIDLE": 180, "TCP_KEEPALIVE": 180, "TCP_KEEPINTVL": 30, "TCP_KEEPCNT": 4}


class BoundedSocket(AssociationSocket):
    """Reads PDUs of at most some length, which have to be whole in time."""

    def __init__(self, assoc: Association, client_socket: socket.socket, limits: Limits) -> None:
        super().__init__(assoc, client_socket)
        self._limits = limits

    def recv(self, nr_bytes: int) -> bytearray:
        """The bytes asked for; fewer where the peer has gone, OSError where it is too slow or asks for too much."""
        assert self.socket is not None
        limits = self._limits
        if nr_bytes > max(limits.pdu_bytes, limits.other_pdu_bytes):
            self.socket.sendall(_INVALID_PDU)
            raise OSError("A PDU is larger than was negotiated")
        received = bytearray()
        established = self._assoc.is_established
        until = time.monotonic() + (limits.whole_by(nr_bytes) if established else limits.handshake_seconds)
        while len(received) < nr_bytes:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("A PDU did not arrive in time")
            self.socket.settimeout(left)
            piece = self.socket.recv(min(nr_bytes - len(received), 256 * 1024))
            if _QUICKACK is not None:
                self.socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            if not piece:
                break
            received += piece
        return received

    def _shutdown_socket(self) -> None:
        """Also where the peer has gone, when pynetdicom would leave it open."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


class SpoolingDimse(DIMSEServiceProvider):
    """Puts messages together; of their data sets it keeps what the header needs."""

    def __init__(self, assoc: Association, limits: Limits) -> None:
        super().__init__(assoc)
        self._limits = limits
        self._began = 0.0
        self._size = 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Called for each PDU of data, in the thread that reads the network."""
        try:
            fault = self._checked(primitive)
            if fault is None:
                super().receive_primitive(primitive)
                return
        except Exception:  # noqa: S110  whatever is wrong with a message, its association ends
            pass
        self.message = None
        self.dul.event_queue.put(_BROKEN)

    def _checked(self, primitive: P_DATA) -> str | None:
        """What breaks a limit; begins a message where there is none."""
        now = time.monotonic()
        if self.message is None:
            if self.msg_queue.qsize() >= self._limits.waiting:
                return "messages that wait"
            context = self.assoc._accepted_cx[primitive.presentation_data_value_list[0][0]]  # noqa: SLF001
            self.message = DIMSEMessage()
            self.message.data_set = enough(str(context.transfer_syntax[0]))
            self._began, self._size = now, 0
        self._size += sum(len(data) for _, data in primitive.presentation_data_value_list)
        if now - self._began > self._limits.whole_by(self._size):
            return "time"
        if self.message.encoded_command_set.tell() > self._limits.command_bytes:
            return "command"
        return None


class Handler(RequestHandler):
    """One connection: TLS, then an association with the bounded parts above."""

    server: Server

    def handle(self) -> None:
        """Raises OSError where the peer does not speak TLS, or shows no certificate that counts."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(self.server.limits.handshake_seconds)
            self.request.do_handshake()
        super().handle()

    def _create_association(self) -> Association:
        assoc: Association = super()._create_association()
        limits = self.server.limits
        assoc.dul.socket = None
        # The first one has told of the connection already.
        assoc.dul.event_queue.get_nowait()
        assoc.set_socket(BoundedSocket(assoc, self.request, limits))
        assoc.dimse = SpoolingDimse(assoc, limits)
        return assoc


class Server(ThreadedAssociationServer):
    """Accepts connections of peers that may connect; each is served by threads of its own."""

    daemon_threads = True

    def __init__(  # noqa: PLR0917  as pynetdicom hands them over
        self,
        ae: ApplicationEntity,
        address: tuple[str, int],
        ae_title: str,
        contexts: list[PresentationContext],
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: list[Any] | None = None,
        *,
        limits: Limits,
        who: Who,
        refused: Callable[[str, str], None],
        look: Callable[[], None],
    ) -> None:
        """`refused` is told of (reason, address), `look` is called some times a second."""
        self.limits = limits
        self._who = who
        self._refused = refused
        self._look = look
        super().__init__(ae, address, ae_title, contexts, ssl_context, evt_handlers, Handler)

    def service_actions(self) -> None:
        super().service_actions()
        self._look()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        assert self.socket is not None
        accepted, address = self.socket.accept()
        accepted.settimeout(self.limits.handshake_seconds)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                accepted.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if self.ssl_context is not None:
            # Who does not finish the handshake keeps nobody else waiting: it is done in a thread.
            accepted = self.ssl_context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        return accepted, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        host = str(client_address[0])
        if not self._who.may_connect(host):
            self._refused("address", host)
            return False
        if len(self.active_associations) > 2 * self.limits.associations + 8:
            # Further ones would only be told that there are too many.
            self._refused("limit", host)
            return False
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A port scanner, plain text, no certificate or a wrong one."""
        self._refused("tls" if self.ssl_context is not None else "connection", str(client_address[0]))
