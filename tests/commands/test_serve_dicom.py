"""`fhir-server serve --dicom` as a real process: instances come in, ImagingStudy comes out."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands.test_serve import Serve, gone, refused, serving, wait_until
from tests.durability.server import free_port
from tests.importers.dicom.dimse.sending import associated, image, nothing_left_open, status

collected = pytest.fixture(autouse=True)(nothing_left_open)


@contextmanager
def taking(
    tmp_path: Path, mongod_uri: str, database: str, *more: str, **environment: str
) -> Iterator[tuple[Serve, int]]:
    port = free_port()
    arguments = ["--dicom", str(port), "--mongodb-uri", mongod_uri, *more]
    environment = {"FHIR_SERVER_MONGODB_DATABASE": database, **environment}
    with serving(*arguments, log=tmp_path / "log", **environment) as server:
        yield server, port


def studies(server: Serve) -> list[dict[str, Any]]:
    found = httpx.get(f"{server.base}/fhir/ImagingStudy").raise_for_status().json()
    return [entry["resource"] for entry in found.get("entry", [])]


def test_it_takes_instances_when_it_says_it_is_ready(
    tmp_path: Path, mongod_uri: str, database_name: str
) -> None:
    with taking(tmp_path, mongod_uri, database_name) as (server, port):
        with associated(port) as association:
            assert status(association.send_c_echo()) == 0
            assert {status(association.send_c_store(image(number))) for number in range(5)} == {0xB006}
        [study] = studies(server)
        assert study["numberOfInstances"] == 5

        def told() -> bool:
            found = httpx.get(f"{server.base}/fhir/AuditEvent?type=110104&_sort=-date").json()
            entries = [each["resource"] for each in found.get("entry", [])]
            return any("detail" in entity for each in entries for entity in each["entity"])

        wait_until(told)
        metrics = httpx.get(f"{server.base}/metrics").text
        assert 'dicom_store_answers_total{status="B006"} 5.0' in metrics
        assert "fhir_requests_total" in metrics
    log = (tmp_path / "log").read_text()
    assert "Muster" not in log
    assert "4711" not in log


def test_the_listener_is_started_again_when_it_dies(
    tmp_path: Path, mongod_uri: str, database_name: str
) -> None:
    with taking(tmp_path, mongod_uri, database_name) as (server, port):
        with associated(port) as association:
            assert status(association.send_c_store(image(1))) == 0xB006
            [child] = server.children("dicom_listener")
            child.send_signal(signal.SIGKILL)
            child.wait(10)
            assert httpx.get(f"{server.base}/health/ready").status_code == 503
        wait_until(lambda: httpx.get(f"{server.base}/health/ready").status_code == 200, seconds=30)
        with associated(port) as association:
            assert status(association.send_c_store(image(2))) == 0xB006
        assert studies(server)[0]["numberOfInstances"] == 2


def test_the_listener_does_not_outlive_the_server(
    tmp_path: Path, mongod_uri: str, database_name: str
) -> None:
    with taking(tmp_path, mongod_uri, database_name) as (server, _port):
        [child] = server.children("dicom_listener")
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until(lambda: gone(child))


def test_an_open_address_is_refused() -> None:
    code, told = refused("--dicom", str(free_port()), FHIR_SERVER_DICOM_HOST="0.0.0.0")
    assert code == 1
    assert "FHIR_SERVER_DICOM_ALLOW" in told
