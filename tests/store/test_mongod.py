"""The embedded MongoDB with real processes, real kill -9 and real folders."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from fhir_server.store import mongod_folder
from fhir_server.store.mongod import EmbeddedMongod
from fhir_server.store.mongod_binary import MongodError
from fhir_server.store.mongod_folder import running_uri

Client = MongoClient[dict[str, Any]]

OWNER = """
import sys
from pathlib import Path
from pymongo import MongoClient
from fhir_server.store.mongod import EmbeddedMongod
mongod = EmbeddedMongod(Path(sys.argv[1]), cache_mb=256)
print("starting", flush=True)
client = MongoClient(mongod.start())
print("mongod", mongod.pid, flush=True)
for number in range(10**9):
    client.test.t.insert_one({"_id": number})
    print(number, flush=True)
"""


@contextmanager
def running(data_dir: Path, port: int = 0) -> Iterator[EmbeddedMongod]:
    mongod = EmbeddedMongod(data_dir, cache_mb=256, port=port)
    mongod.start()
    try:
        yield mongod
    finally:
        mongod.stop()


def port_of(uri: str) -> int:
    return int(uri.split("@127.0.0.1:")[1].split("/", maxsplit=1)[0])


def alive(pid: int | None) -> bool:
    return pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Writer:
    """Writes numbers until told to stop, and remembers those that were acknowledged."""

    def __init__(self, uri: str) -> None:
        self.acknowledged: list[int] = []
        self._go_on = True
        self._client: Client = MongoClient(uri, serverSelectionTimeoutMS=200, retryWrites=False)
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        collection = self._client.test.numbers
        for number in range(10**9):
            if not self._go_on:
                return
            with suppress(PyMongoError):
                collection.insert_one({"_id": number})
                self.acknowledged.append(number)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: len(self.acknowledged) > 20)
        return self

    def __exit__(self, *_: object) -> None:
        self._go_on = False
        self._thread.join()
        self._client.close()


def stored(uri: str, collection: str = "numbers") -> set[int]:
    with MongoClient[dict[str, Any]](uri) as client:
        return {document["_id"] for document in client.test[collection].find()}


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was used and stopped cleanly; tests that change it for good make their own."""
    folder = tmp_path_factory.mktemp("used")
    with running(folder) as mongod, MongoClient[dict[str, Any]](mongod.uri) as client:
        client.test.numbers.insert_one({"_id": 7})
    return folder


def test_fresh_folder_gives_a_private_replica_set(tmp_path: Path) -> None:
    with running(tmp_path) as mongod:
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            assert client.admin.command("hello")["setName"] == "fhir"
            with client.start_session() as session, session.start_transaction():
                client.test.t.insert_one({"_id": 1}, session=session)
            assert client.test.t.count_documents({}) == 1
        sockets = psutil.Process(mongod.pid).net_connections("inet")
        listening = {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert running_uri(tmp_path) == mongod.uri
        pid = mongod.pid
    assert not alive(pid)
    assert running_uri(tmp_path) is None
    for path in (tmp_path / "mongod").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_without_the_credentials_nothing_is_readable(used_folder: Path) -> None:
    with running(used_folder) as mongod:
        for uri in (mongod.uri.replace("//fhir:", "//fhir:x"), f"mongodb://127.0.0.1:{port_of(mongod.uri)}"):
            with (
                MongoClient[dict[str, Any]](uri, directConnection=True) as client,
                pytest.raises(OperationFailure),
            ):
                client.test.numbers.find_one()


def test_existing_database_is_ready_within_three_seconds_on_its_old_port(used_folder: Path) -> None:
    with running(used_folder) as mongod:
        before = mongod.uri
    started = time.monotonic()
    with running(used_folder) as mongod:
        assert time.monotonic() - started < 3
        assert mongod.uri == before
        assert 7 in stored(mongod.uri)


def test_killed_mongod_comes_back_on_its_port_with_everything_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path) as mongod:
        uri, killed = mongod.uri, mongod.pid
        assert killed is not None
        with Writer(uri) as writer:
            os.kill(killed, signal.SIGKILL)
            count = len(writer.acknowledged)
            wait_until(lambda: len(writer.acknowledged) > count + 20)
        assert alive(mongod.pid)
        assert mongod.pid != killed
        assert mongod.uri == uri
        assert set(writer.acknowledged) <= stored(uri)


def test_stop_in_the_middle_of_writes_loses_nothing_acknowledged(tmp_path: Path) -> None:
    mongod = EmbeddedMongod(tmp_path, cache_mb=256)
    with Writer(mongod.start()) as writer:
        mongod.stop()
    with running(tmp_path) as again:
        assert set(writer.acknowledged) <= stored(again.uri)


def test_orphan_of_a_killed_owner_is_ended_and_its_data_kept(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "starting\n"
    orphan = int(owner.stdout.readline().split()[1])
    for _ in range(20):
        owner.stdout.readline()
    owner.kill()
    rest = owner.stdout.read().split("\n")
    owner.wait()
    owner.stdout.close()
    acknowledged = set(range(20)) | {int(line) for line in rest[:-1]}
    assert alive(orphan)
    assert running_uri(tmp_path) is None
    with running(tmp_path) as mongod:
        assert not alive(orphan)
        assert acknowledged <= stored(mongod.uri, "t")


def test_first_start_may_be_cut_off_anywhere(tmp_path: Path) -> None:
    for delay in (0.05, 0.15, 0.2, 0.25, 0.3, 0.4):
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert owner.stdout is not None
        assert owner.stdout.readline() == "starting\n"
        time.sleep(delay)
        owner.kill()
        owner.wait()
        owner.stdout.close()
        pid = mongod_folder.Folder(tmp_path).mongod_pid()
        if pid is not None and alive(pid):
            os.kill(pid, signal.SIGKILL)
    with running(tmp_path) as mongod, MongoClient[dict[str, Any]](mongod.uri) as client:
        assert client.admin.command("hello")["isWritablePrimary"]


def test_second_server_on_the_folder_is_refused_with_the_pid_of_the_first(used_folder: Path) -> None:
    with running(used_folder) as mongod:
        with pytest.raises(MongodError, match=rf"pid {os.getpid()}.*{used_folder}.*--data-dir"):
            EmbeddedMongod(used_folder).start()
        assert alive(mongod.pid)
        assert running_uri(used_folder) == mongod.uri


def test_asking_who_runs_does_not_disturb_a_start(used_folder: Path) -> None:
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            running_uri(used_folder)

    thread = threading.Thread(target=ask)
    thread.start()
    with running(used_folder):
        stop.set()
        thread.join()


def test_busy_port_is_replaced(used_folder: Path, tmp_path: Path) -> None:
    """A copy of the folder wants the port on which the original runs."""
    shutil.copytree(used_folder, tmp_path / "copy")
    with running(used_folder) as original, running(tmp_path / "copy") as copy:
        assert port_of(copy.uri) != port_of(original.uri)
        with MongoClient[dict[str, Any]](copy.uri) as client:
            client.test.numbers.insert_one({"_id": 8})
        assert stored(original.uri) == {7}
        assert stored(copy.uri) == {7, 8}


def test_configured_port_is_taken(used_folder: Path) -> None:
    port = 29_000 + secrets.randbelow(1000)
    with running(used_folder, port=port) as mongod:
        assert port_of(mongod.uri) == port


def test_folder_of_another_version_is_left_alone(used_folder: Path) -> None:
    note = used_folder / "mongod" / "version"
    kept = note.read_text()
    note.write_text("5.0.9")
    try:
        before = snapshot(used_folder / "mongod")
        with pytest.raises(MongodError, match=r"MongoDB 5\.0\.9.*Nothing in it was changed.*mongodump"):
            EmbeddedMongod(used_folder).start()
        assert snapshot(used_folder / "mongod") == before
    finally:
        note.write_text(kept)
    with running(used_folder) as mongod:
        assert 7 in stored(mongod.uri)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MongodError, match=r"file/data cannot be written: Not a directory.*--data-dir"):
        EmbeddedMongod(tmp_path / "file" / "data").start()


def test_very_long_path(tmp_path: Path) -> None:
    folder = tmp_path / ("long folder " * 10) / ("ü" * 60)
    with running(folder) as mongod:
        assert stored(mongod.uri) == set()


def test_stranger_with_the_pid_of_a_dead_mongod_is_not_ended(used_folder: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (used_folder / "mongod" / "db" / "mongod.lock").write_text(f"{stranger.pid}\n")
        with running(used_folder) as mongod:
            assert 7 in stored(mongod.uri)
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_lost_credentials_are_explained(used_folder: Path) -> None:
    credentials = used_folder / "mongod" / "credentials"
    kept = credentials.read_text()
    credentials.unlink()
    try:
        with pytest.raises(MongodError, match=r"'credentials' or 'keyfile' is missing"):
            EmbeddedMongod(used_folder).start()
        credentials.write_text("wrong")
        with pytest.raises(MongodError, match="does not accept the password"):
            EmbeddedMongod(used_folder).start()
    finally:
        credentials.write_text(kept)


def test_log_is_bounded(used_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = used_folder / "mongod" / "log" / "mongod.log"
    with running(used_folder) as mongod:
        monkeypatch.setattr(mongod_folder, "LOG_BYTES", log.stat().st_size - 1)
        wait_until(lambda: log.with_suffix(".log.1").exists())
        monkeypatch.setattr(mongod_folder, "LOG_BYTES", 10**7)
        wait_until(log.exists)
        assert 7 in stored(mongod.uri)
