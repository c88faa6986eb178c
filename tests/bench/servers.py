"""The server and a bare FastAPI application as processes of their own, and wrk to ask them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CONNECTIONS = 64

BARE = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
async def root():
    return {}
"""


@dataclass(frozen=True)
class Running:
    """A server process and where it answers."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def resident_megabytes(self) -> float:
        """Memory of the process, as the kernel counts it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> float:
    """Seconds until the URL answers 200."""
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
        with (
            suppress(OSError),  # also that it takes its time
            urllib.request.urlopen(url, timeout=2) as answer,
        ):
            if answer.status == 200:
                return time.perf_counter() - started
        time.sleep(0.01)
    raise RuntimeError(f"{url} did not answer within {seconds} s")


@contextmanager
def bare(folder: Path) -> Iterator[Running]:
    """A FastAPI route that returns {}: what Python and the machine allow at most."""
    (folder / "bare.py").write_text(BARE)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(folder), "bare:app", "--port", str(port),
               "--no-access-log", "--log-level", "error"]  # fmt: skip
    with stopped(subprocess.Popen(command)) as process:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url, process)
        yield Running(process, url)


@contextmanager
def server(data: Path, program: Sequence[str] = (), **settings: str) -> Iterator[Running]:
    """The FHIR server with one worker and its embedded MongoDB; `program` is used instead of `fhir-server`."""
    port = free_port()
    environment = {**os.environ, **{f"FHIR_SERVER_{name.upper()}": value for name, value in settings.items()}}
    command = [
        *(program or [str(Path(sys.executable).with_name("fhir-server"))]),
        "serve",
        "--port",
        str(port),
        "--data-dir",
        str(data),
    ]
    with (data.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=environment)
    with stopped(process):
        wait_for(f"http://127.0.0.1:{port}/health/ready", process)
        yield Running(process, f"http://127.0.0.1:{port}/fhir")


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Ends the process when it is no longer wanted."""
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def require_wrk() -> str:
    """The path of wrk, or the end of the run with what to do about it."""
    found = shutil.which("wrk")
    if found is None:
        sys.exit("wrk is needed to make load (Debian, Ubuntu: apt install wrk; macOS: brew install wrk).")
    return found


def wrk(
    url: str,
    *,
    script: str | None = None,
    connections: int = CONNECTIONS,
    seconds: int = 5,
    environment: Mapping[str, str] | None = None,
) -> float:
    """Requests per second that wrk gets answered; the run ends when answers are not the expected ones."""
    command = [require_wrk(), "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "30s"]
    if script is not None:
        command += ["-s", str(HERE / script)]
    told = subprocess.run(
        [*command, url], capture_output=True, text=True, check=True, env={**os.environ, **(environment or {})}
    ).stdout
    if "unexpected" in told or "Non-2xx" in told:
        sys.exit(f"{url} gave unexpected answers:\n{told}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert found is not None
    return float(found[1])
