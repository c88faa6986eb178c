"""What Prometheus learns of the DICOM listener."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class DimseMetrics:
    """Counters of one process; their labels are few and none is of a peer's making."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.associations = Gauge(
            "dicom_associations", "Associations open", registry=registry, multiprocess_mode="livesum"
        )
        self._refused = Counter(
            "dicom_associations_refused", "Associations refused", ["reason"], registry=registry
        )
        self._answers = Counter(
            "dicom_store_answers", "C-STORE responses, by status", ["status"], registry=registry
        )
        self._seconds = Histogram(
            "dicom_store_duration_seconds",
            "Time from the last byte of an instance to its answer",
            buckets=_BUCKETS,
            registry=registry,
        )

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def answered(self, status: int, seconds: float) -> None:
        self._answers.labels(f"{status:04X}").inc()
        self._seconds.observe(seconds)
