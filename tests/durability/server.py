"""The server as a process of its own, which may be killed in any way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from fhir_server.store.mongod_folder import Folder

READY_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class ServerProcess:
    """`fhir-server serve` on a data folder; keeps its port over restarts, as a server in the field does."""

    def __init__(self, folder: Path, *, mongodb_uri: str | None = None, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/fhir"
        self._settings = {f"FHIR_SERVER_{name.upper()}": value for name, value in settings.items()}
        self._mongodb_uri = mongodb_uri
        self._log = folder.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-c", "from fhir_server.cli import app; app()", "serve"]
        command += ["--port", str(self.port), "--data-dir", str(self.folder)]
        if self._mongodb_uri is not None:
            command += ["--mongodb-uri", self._mongodb_uri]
        environment = {**os.environ, "FHIR_SERVER_EMBEDDED_CACHE_MB": "256", **self._settings}
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self._wait_ready(self.process)

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if (
                    httpx.get(f"http://127.0.0.1:{self.port}/health/ready", trust_env=False).status_code
                    == 200
                ):
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server did not become ready:\n{self.log()[-3000:]}")

    def log(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        """kill -9: nothing of the process runs any more."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self, seconds: float = 60) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(seconds)

    @property
    def mongod(self) -> psutil.Process:
        pid = Folder(self.folder).mongod_pid()
        assert pid is not None
        return psutil.Process(pid)

    def kill_mongod(self) -> None:
        self.mongod.send_signal(signal.SIGKILL)

    @property
    def uri(self) -> str:
        found = self._mongodb_uri or Folder(self.folder).uri()
        assert found is not None
        return found

    def end(self) -> None:
        """Whatever is left of server and mongod ends."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._mongodb_uri is None and (pid := Folder(self.folder).mongod_pid()) is not None:
            end_process(pid, str(self.folder))


def end_process(pid: int, mark: str) -> None:
    """kill -9 of the process, if its command line shows that it is the one that is meant."""
    try:
        process = psutil.Process(pid)
        if any(mark in part for part in process.cmdline()):
            process.kill()
            process.wait(10)
    except psutil.NoSuchProcess:
        return


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[ServerProcess]:
    server = ServerProcess(folder, **settings)
    try:
        server.start()
        yield server
    finally:
        server.end()


@contextmanager
def mongo(uri: str, seconds: float = 60) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client, once MongoDB answers."""
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=round(seconds * 1000)) as client:
        deadline = time.monotonic() + seconds
        while True:
            try:
                client.admin.command("ping")
                break
            except PyMongoError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield client
