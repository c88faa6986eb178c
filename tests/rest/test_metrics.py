from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from fhir_server.rest.metrics import MULTIPROCESS_DIR, Metrics, metrics_route


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Sample name and label values (in the order of their names) → value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_interaction_type_and_status() -> None:
    metrics = Metrics({"read", "transaction"}, {"Patient"})
    for _ in range(3):
        metrics.observe("read", "Patient", 200, 0.004)
    metrics.observe("read", "Patient", 404, 0.3)
    metrics.observe("transaction", "", 200, 2.0)
    transport = httpx.ASGITransport(Starlette(routes=[metrics_route(metrics)]))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = samples(answer.text)
    assert found["fhir_requests_total", "read", "200", "Patient"] == 3
    assert found["fhir_requests_total", "read", "404", "Patient"] == 1
    assert found["fhir_requests_total", "transaction", "200", ""] == 1
    assert found["fhir_request_duration_seconds_count", "read", "Patient"] == 4
    assert found["fhir_request_duration_seconds_bucket", "read", "0.005", "Patient"] == 3


def test_what_clients_invent_makes_no_new_series() -> None:
    metrics = Metrics({"read"}, {"Patient"})
    for number in range(1000):
        metrics.observe("read", f"Type{number}", 404, 0.001)
        metrics.observe(f"verb{number}", "Patient", 405, 0.001)
    found = samples(metrics.exposition().decode())
    counted = {key: value for key, value in found.items() if key[0] == "fhir_requests_total"}
    assert counted == {
        ("fhir_requests_total", "read", "404", "other"): 1000,
        ("fhir_requests_total", "other", "405", "Patient"): 1000,
    }


def test_what_a_killed_worker_had_open_is_forgotten(tmp_path: Path) -> None:
    def worker(work: str) -> str:
        code = (
            "from fhir_server.rest.metrics import Metrics\n"
            "from importers.mllp.metrics import MllpMetrics\n"
            "metrics = Metrics({'read'}, {'Patient'})\n"
            f"mllp = MllpMetrics(metrics.registry)\n{work}"
        )
        environment = {**os.environ, MULTIPROCESS_DIR: str(tmp_path)}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    worker("mllp.connections.inc(5); mllp.messages.inc(7)")
    found = samples(worker("mllp.connections.inc(); print(metrics.exposition().decode())"))
    assert found["mllp_connections",] == 1
    assert found["mllp_messages_total",] == 7


def test_two_applications_in_one_process_count_apart() -> None:
    one, other = Metrics({"read"}, {"Patient"}), Metrics({"read"}, {"Patient"})
    one.observe("read", "Patient", 200, 0.001)
    assert ("fhir_requests_total", "read", "200", "Patient") not in samples(other.exposition().decode())
