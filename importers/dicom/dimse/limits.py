"""How much of what a DICOM peer may send, and how long he may take."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    associations: int = 25
    """at once"""
    pdu_bytes: int = 256 * 1024
    """of one PDU of data"""
    other_pdu_bytes: int = 1024 * 1024
    """of one PDU that proposes an association: 128 contexts with many transfer syntaxes each"""
    command_bytes: int = 64 * 1024
    """of the command before a data set"""
    idle_seconds: float = 60
    """between two messages"""
    message_seconds: float = 60
    """from the first byte of a message to its last, beside what `bytes_per_second` allow"""
    bytes_per_second: int = 16 * 1024
    """that a slow line carries at least"""
    waiting: int = 8
    """messages that a peer sends without waiting for their answers"""
    handshake_seconds: float = 10
    """of TLS, and until an association is asked for"""

    def whole_by(self, size: int) -> float:
        """Seconds after its first byte in which a message, or a PDU, has to be whole that has `size` bytes so far."""
        return self.message_seconds + size / self.bytes_per_second


@dataclass(frozen=True, slots=True)
class Who:
    """Who may open an association: callers by AE title and address (empty: any), and what they call this server."""

    ae_title: str
    callers: Sequence[str] = ()
    networks: Sequence[Network] = ()

    def may_connect(self, host: str) -> bool:
        """Whether the address of a peer is allowed."""
        if not self.networks:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)
