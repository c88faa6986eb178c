"""DICOM: instances by C-STORE and STOW-RS into the store of a server that is a process of its own."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psutil
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tests.bench.report import Figure
from tests.bench.servers import Running, free_port, server
from tests.importers.dicom.dimse.sending import ROOT, associated, image, status

ROUNDS = 3
INSTANCES, ASSOCIATIONS = 2000, 4
"""of each round"""
PARTS = 100
"""of a STOW-RS request"""
LARGE = 200 * 1024 * 1024


def figures() -> Iterator[Figure]:
    """About three minutes."""
    with tempfile.TemporaryDirectory(prefix="fhir-bench-") as name:
        port = free_port()
        with server(Path(name) / "data", dicom_port=str(port)) as fhir:
            yield from _stored(fhir, port)
            yield from _posted(fhir)


def _stored(fhir: Running, port: int) -> Iterator[Figure]:
    [listener] = [
        each
        for each in psutil.Process(fhir.process.pid).children(recursive=True)
        if "fhir_server.commands.dicom_listener" in each.cmdline()
    ]
    rates, costs = [], []
    for number in range(ROUNDS + 1):
        before = sum(listener.cpu_times()[:2])
        seconds = _sent(port, 100 + number, INSTANCES // ASSOCIATIONS)
        rates.append(INSTANCES / seconds)
        costs.append((sum(listener.cpu_times()[:2]) - before) / INSTANCES * 1000)
    told = f"C-STORE of {INSTANCES:,} CT instances over {ASSOCIATIONS} associations"
    yield Figure(told, statistics.median(rates[1:]), "instances/s", "≥ 250")
    yield Figure("C-STORE, the listener", statistics.median(costs[1:]), "ms CPU/instance")
    before = listener.memory_info().rss
    with associated(port, max_pdu=0) as association:
        assert status(association.send_c_store(image(1, study=99, pixels=LARGE))) == 0xB006
    grown = (listener.memory_info().rss - before) / 2**20
    yield Figure("C-STORE of 200 MB, memory of the listener grows by", grown, "MB", "≤ 30")


def _sent(port: int, study: int, count: int) -> float:
    """Seconds until all of a study are answered; its senders are processes of their own."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(ASSOCIATIONS + 1), context.Barrier(ASSOCIATIONS + 1)
    senders = [
        context.Process(target=_send, args=(port, study, series, count, ready, go))
        for series in range(ASSOCIATIONS)
    ]
    for each in senders:
        each.start()
    ready.wait()
    began = time.perf_counter()
    go.wait()
    for each in senders:
        each.join()
        assert each.exitcode == 0
    return time.perf_counter() - began


def _send(  # noqa: PLR0917  as a process is given them
    port: int, study: int, series: int, count: int, ready: Any, go: Any
) -> None:
    dataset = _shipped(study, series)
    with associated(port, classes=(dataset.SOPClassUID,)) as association:
        ready.wait()
        go.wait()
        for number in range(count):
            dataset.SOPInstanceUID = f"{ROOT}.{study}.{series}.{number}"
            assert status(association.send_c_store(dataset)) == 0xB006


def _shipped(study: int, series: int) -> Any:
    name = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(name, str)
    dataset: Any = dcmread(name)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.{study}", f"{ROOT}.{study}.{series}"
    return dataset


def _posted(fhir: Running) -> Iterator[Figure]:
    base = fhir.url.partition("/fhir")[0]
    url = f"{base}/dicomweb/studies"
    bodies = [_body(200, first) for first in range(0, 10_100, PARTS)]
    seconds = []
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'}
    with httpx.Client(timeout=60, headers=headers) as client:
        client.post(url, content=_body(199, 0)).raise_for_status()
        for each in bodies:
            began = time.perf_counter()
            client.post(url, content=each).raise_for_status()
            seconds.append(time.perf_counter() - began)
    told = f"STOW-RS in requests of {PARTS}, one after the other"
    yield Figure(told, PARTS / statistics.median(seconds), "instances/s", "≥ 400")
    last, first = statistics.median(seconds[-10:]), statistics.median(seconds[:10])
    yield Figure("the ten thousandth costs, against the hundredth", last / first, "times", "≤ 1.2")


def _body(study: int, first: int) -> bytes:
    dataset = _shipped(study, 1)
    parts = []
    for number in range(first, first + PARTS):
        dataset.SOPInstanceUID = f"{ROOT}.{study}.1.{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        file = BytesIO()
        dataset.save_as(file)
        parts.append(b"--B\r\nContent-Type: application/dicom\r\n\r\n" + file.getvalue() + b"\r\n")
    return b"".join(parts) + b"--B--\r\n"
