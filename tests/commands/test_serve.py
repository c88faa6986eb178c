"""`fhir-server serve` as a real process: ready line, ends clean and unclean, refusals."""

from __future__ import annotations

import json
import os
import re
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
import pytest

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("FHIR_SERVER_")}


class Serve:
    """A server that runs; `base` is its address without path."""

    def __init__(self, process: subprocess.Popen[str], line: str) -> None:
        self.process = process
        self.line = line
        found = re.search(r"ready on (http://\S+)/fhir", line)
        assert found, line
        self.base = found[1]

    def ready(self) -> int:
        try:
            return httpx.get(self.base + "/health/ready", timeout=5).status_code
        except httpx.HTTPError:
            return 0

    def children(self, name: str) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # a zombie has no command line
                if name in " ".join(child.cmdline()):
                    found.append(child)
        return found


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "fhir_server.cli", "serve", "--port", "0", *map(str, arguments)]


@contextmanager
def serving(*arguments: str | Path, log: Path, **environment: str) -> Iterator[Serve]:
    with log.open("w") as errors:
        process = subprocess.Popen(
            command(*arguments),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**ENVIRONMENT, **environment},
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, log.read_text()
            yield Serve(process, line)
        finally:
            process.terminate()
            process.wait(30)
            process.stdout.close()


def refused(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**ENVIRONMENT, **environment},
    )
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, done.stderr


def wait_until(condition: Any, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_line_when_ready_and_a_clean_end(tmp_path: Path, mongod_uri: str, how: signal.Signals) -> None:
    with serving("--mongodb-uri", mongod_uri, log=tmp_path / "log") as server:
        assert server.ready() == 200
        server.process.send_signal(how)
        assert server.process.wait(20) == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
    for line in (tmp_path / "log").read_text().splitlines():
        json.loads(line)


def test_embedded_mongodb_starts_and_ends_with_the_server(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path / "data", log=tmp_path / "log") as server:
        assert str(tmp_path / "data") in server.line
        [mongod] = server.children("mongod")
        second = refused("--data-dir", tmp_path / "data")
        assert second[0] == 1
        assert f"pid {server.process.pid}" in second[1]
    assert gone(mongod)
    assert server.process.returncode == 0


def test_killed_mongod_makes_it_unready_and_comes_back(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path / "data", log=tmp_path / "log") as server:
        [mongod] = server.children("mongod")
        mongod.suspend()
        assert server.ready() == 503
        mongod.kill()
        wait_until(lambda: server.ready() == 200)
        assert server.process.poll() is None


def test_killed_server_is_followed_by_one_that_recovers(tmp_path: Path) -> None:
    with serving("--data-dir", tmp_path / "data", log=tmp_path / "log") as server:
        [orphan] = server.children("mongod")
        server.process.kill()
        server.process.wait()
        assert orphan.is_running()
    with serving("--data-dir", tmp_path / "data", log=tmp_path / "log") as server:
        assert gone(orphan)
        assert server.ready() == 200


def test_workers_share_the_port_and_are_replaced(tmp_path: Path, mongod_uri: str) -> None:
    with serving("--workers", "2", "--mongodb-uri", mongod_uri, log=tmp_path / "log") as server:
        wait_until(lambda: len(server.children("spawn_main")) == 2)
        workers = server.children("spawn_main")
        workers[0].kill()
        wait_until(lambda: set(server.children("spawn_main")) - set(workers))
        wait_until(lambda: server.ready() == 200)
        for _ in range(8):
            httpx.get(server.base + "/fhir/metadata")
        text = httpx.get(server.base + "/metrics").text
        counts = re.findall(
            r'fhir_requests_total\{interaction="capabilities",status="200",type=""\} (\S+)', text
        )
        assert [float(count) for count in counts] == [8]


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path, mongod_uri: str) -> None:
    with serving("--workers", "2", "--mongodb-uri", mongod_uri, log=tmp_path / "log") as server:
        wait_until(lambda: len(server.children("spawn_main")) == 2)
        workers = server.children("spawn_main")
        server.process.kill()
        wait_until(lambda: all(map(gone, workers)))


def test_busy_port_is_named(tmp_path: Path, mongod_uri: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = refused("--mongodb-uri", mongod_uri, "--port", port)
    assert code == 1
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in said
    assert "--port" in said


def test_other_hosts_than_loopback_are_refused(tmp_path: Path) -> None:
    code, said = refused("--host", "0.0.0.0", "--data-dir", tmp_path / "data")
    assert code == 1
    assert "Refusing to listen on 0.0.0.0: no access control is configured" in said
    assert not (tmp_path / "data").exists()


def test_wrong_settings_are_named_as_the_variables_they_are() -> None:
    code, said = refused("--workers", "0", FHIR_SERVER_LOG_LEVEL="LOUD")
    assert code == 2
    assert "FHIR_SERVER_WORKERS: Input should be greater than or equal to 1" in said
    assert "FHIR_SERVER_LOG_LEVEL: " in said


def test_folder_of_no_use_is_told_without_a_stack(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = refused("--data-dir", tmp_path / "file" / "data")
    assert code == 1
    assert "cannot be written: Not a directory" in said
