"""The DICOM listener as a child of `serve`: started, started again when it dies, and ended with the server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from fhir_server.settings import Settings

LEAST, MOST = 1.0, 30.0
"""Seconds until one that died is started again; it is given longer each time, unless it ran for a while"""

log = structlog.stdlib.get_logger(__name__)


@contextmanager
def dicom_listener(settings: Settings, metrics: str = "") -> Iterator[None]:
    """It runs within the context; nothing does where no port is set. `metrics` is the folder of its numbers."""
    if not settings.dicom_port:
        yield
        return
    process = _Process(settings, metrics)
    process.start()
    try:
        yield
    finally:
        process.stop()


class _Process:
    def __init__(self, settings: Settings, metrics: str) -> None:
        self._environment = {**os.environ, **settings.environment()}
        if metrics:
            self._environment["PROMETHEUS_MULTIPROC_DIR"] = metrics
        self._patience = settings.shutdown_timeout_seconds + 5
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._watching = threading.Thread(target=self._watch, name="dicom-listener", daemon=True)

    def start(self) -> None:
        self._spawn()
        self._watching.start()

    def stop(self) -> None:
        with self._lock:
            self._ending.set()
            child = self._child
        assert child is not None
        child.terminate()
        try:
            child.wait(self._patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._watching.join(1)
        assert child.stdin is not None
        child.stdin.close()

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "fhir_server.commands.dicom_listener"]
        with self._lock:
            if not self._ending.is_set():
                # In a session of its own: Ctrl-C is for the server, which ends its listener in its turn.
                self._child = subprocess.Popen(  # noqa: S603
                    command, stdin=subprocess.PIPE, env=self._environment, start_new_session=True
                )

    def _watch(self) -> None:
        wait = LEAST
        while not self._ending.is_set():
            assert self._child is not None
            started = time.monotonic()
            code = self._child.wait()
            if self._ending.is_set():
                return
            wait = LEAST if time.monotonic() - started > MOST else min(wait * 2, MOST)
            log.error("dicom_listener_died", exit_code=code, again_in=wait)
            if self._ending.wait(wait):
                return
            self._spawn()
