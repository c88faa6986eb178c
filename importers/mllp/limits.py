"""How much of what a sender may send, and how long he may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    max_bytes: int = 64 * 1024 * 1024
    """of one message; what is larger is rejected without being kept"""
    junk_bytes: int = 64 * 1024
    """on end outside of messages, before the connection is closed"""
    connections: int = 500
    """at once"""
    large_bytes: int = 1024 * 1024
    """from which on a message is large; of others as many are taken as there are connections"""
    large_at_once: int = 8
    """large messages, so that memory is bounded; who sends one more waits, and is read no further meanwhile"""
    idle_seconds: float = 3600
    """between two messages"""
    message_seconds: float = 60
    """from the first byte of a message to its last, beside what `bytes_per_second` allow"""
    bytes_per_second: int = 16 * 1024
    """that a slow line carries at least"""
    settle_seconds: float = 0.5
    """to wait for the CR after an FS, or for the next message that shows that none comes"""
    write_seconds: float = 30
    """that the sender may take to fetch an answer"""
    linger_seconds: float = 30
    """for which what a sender still sends is thrown away, so that he reads why he was rejected"""
    handshake_seconds: float = 10
    """of TLS"""

    def whole_by(self, size: int) -> float:
        """Seconds after its first byte in which a message has to be whole that has `size` bytes so far."""
        return self.message_seconds + size / self.bytes_per_second
