"""What Prometheus scrapes: requests by interaction, type and status, and how long they took.

With several workers each keeps its numbers in a file of `PROMETHEUS_MULTIPROC_DIR` (set by `serve`), and
whichever worker is asked answers with the sum of all.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
BESIDE_DIR = "FHIR_SERVER_METRICS_BESIDE"
"""Folder of the numbers of processes beside a single worker, such as the DICOM listener"""

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_OTHER = "other"


class Metrics:
    """Counter and histogram of one process; labels that are not known are counted as `other`.

    `interactions` are R4 restful-interaction codes and operation names, `resource_types` the R4 types: both
    bound the number of series, whatever clients put into their URLs.
    """

    def __init__(self, interactions: Collection[str], resource_types: Collection[str]) -> None:
        self._interactions = frozenset(interactions)
        self._types = frozenset(resource_types) | {""}
        self.registry = CollectorRegistry()
        """For what else this process counts"""
        self._requests = Counter(
            "fhir_requests",
            "Requests answered",
            ["interaction", "type", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "fhir_request_duration_seconds",
            "Time from the first byte to the last",
            ["interaction", "type"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        # Resolving labels costs more than counting; there are few distinct ones.
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        if MULTIPROCESS_DIR not in os.environ:
            ProcessCollector(registry=self.registry)

    def observe(self, interaction: str, resource_type: str, status: int, seconds: float) -> None:
        """Count one answered request; `resource_type` is empty at system level."""
        series = self._series.get((interaction, resource_type, status))
        if series is None:
            series = self._resolve(interaction, resource_type, status)
        series[0].inc()
        series[1].observe(seconds)

    def _resolve(self, interaction: str, resource_type: str, status: int) -> tuple[Counter, Histogram]:
        code = interaction if interaction in self._interactions else _OTHER
        kind = resource_type if resource_type in self._types else _OTHER
        series = self._requests.labels(code, kind, str(status)), self._seconds.labels(code, kind)
        if _OTHER not in {code, kind}:
            self._series[interaction, resource_type, status] = series
        return series

    def exposition(self) -> bytes:
        """The numbers in Prometheus' text format."""
        own = b"" if MULTIPROCESS_DIR in os.environ else generate_latest(self.registry)
        folder = os.environ.get(MULTIPROCESS_DIR) or os.environ.get(BESIDE_DIR)
        if folder is None:
            return own
        _forget_the_dead(Path(folder))
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone, folder)  # type: ignore[no-untyped-call]
        return own + generate_latest(everyone)


def _forget_the_dead(folder: Path) -> None:
    """What a worker had open is not open any more when it was killed; what it had counted stays counted."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def metrics_route(metrics: Metrics) -> Route:
    async def exposition(_request: Request) -> Response:
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return Route("/metrics", exposition)
