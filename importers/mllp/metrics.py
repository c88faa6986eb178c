"""What Prometheus learns of the MLLP listener."""

from __future__ import annotations

import re

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_CODE = re.compile(rb"[\r\n]MSA[^\w\s](AA|AE|AR|CA|CE|CR)")


class MllpMetrics:
    """Counters of one process; their labels are few and none is of a sender's making."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge(
            "mllp_connections", "Connections open", registry=registry, multiprocess_mode="livesum"
        )
        self._refused = Counter(
            "mllp_connections_refused", "Connections refused", ["reason"], registry=registry
        )
        self._answers = Counter("mllp_answers", "Answers sent, by MSA-1", ["code"], registry=registry)
        self._broken = Counter(
            "mllp_broken", "Blocks that were not whole messages", ["reason"], registry=registry
        )
        self.junk = Counter("mllp_junk_bytes", "Bytes outside of blocks", registry=registry)
        self.messages = Counter("mllp_messages", "Messages received whole", registry=registry)
        self.seconds = Histogram(
            "mllp_message_duration_seconds",
            "Time from the last byte of a message to its answer",
            buckets=_BUCKETS,
            registry=registry,
        )

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def broken(self, reason: str) -> None:
        self._broken.labels(reason).inc()

    def answered(self, answer: bytes) -> None:
        """Counts each MSA of an answer, of which that to a batch has several."""
        for code in _CODE.findall(answer):
            self._answers.labels(code.decode()).inc()
