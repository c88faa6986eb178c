"""A load that is killed or stopped at any time, and started again: each resource is there exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from pymongo import MongoClient

from fhir_server.commands.load_abandoned import APPLICATION, end_abandoned, named
from fhir_server.store.mongod import EmbeddedMongod
from tests.commands.loading import Loader, bundle, command, first_urn, observation, patient, write

TRANSACTIONS, ENTRIES, LINES, BATCHES = 30, 12, 1500, 4
NUMBER = "urn:test:number"


def person(number: str) -> dict[str, Any]:
    # So much text that more than one worker is worth it.
    return patient(identifier=[{"system": NUMBER, "value": number}], name=[{"text": "x" * 800}])


def folder(root: Path) -> set[str]:
    """Transactions, batches and NDJSON, all of POSTs; the numbers of their patients."""
    numbers: set[str] = set()

    def people(kind: str, count: int) -> list[dict[str, Any]]:
        names = [f"{kind}-{at}" for at in range(count)]
        numbers.update(names)
        return [person(name) for name in names]

    for at in range(TRANSACTIONS):
        found = people(f"transaction-{at}", ENTRIES)
        write(root / f"{at}.json", bundle("transaction", *found, observation(first_urn())))
    for at in range(BATCHES):
        write(root / f"batch-{at}.json", bundle("batch", *people(f"batch-{at}", 100)))
    write(root / "lines.ndjson", *people("line", LINES))
    return numbers


def wait_for_a_commit(loader: Loader, process: subprocess.Popen[str]) -> None:
    while not loader.documents("_done"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def loaded(loader: Loader) -> Counter[str]:
    return Counter(each["identifier"][0]["value"] for each in loader.of("Patient"))


@pytest.mark.timeout(300)
def test_killed_at_any_time_and_run_again_each_is_there_once(
    mongod_uri: str, database_name: str, tmp_path: Path
) -> None:
    loader = Loader(mongod_uri, database_name)
    numbers = folder(tmp_path)
    chance = random.Random(7)
    stages = []
    for _ in range(4):
        before = len(loader.documents("_done"))
        process = loader.start(tmp_path)
        while process.poll() is None and len(loader.documents("_done")) < before + chance.randrange(1, 250):
            time.sleep(chance.random() / 20)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        stages.append(len(loaded(loader)))
    assert 0 < stages[0] < len(numbers)
    last = loader.load(tmp_path)
    assert last.returncode == 0, last.stderr
    assert loaded(loader) == Counter(numbers)
    assert len(loader.of("Observation")) == TRANSACTIONS
    versions = Counter(
        entity["what"]["reference"]
        for event in loader.of("AuditEvent")
        for entity in event.get("entity", ())
        if "/_history/" in entity.get("what", {}).get("reference", "")
    )
    assert all(f"Patient/{each['id']}/_history/1" in versions for each in loader.of("Patient"))


@pytest.mark.timeout(200)
def test_only_the_parent_killed_its_workers_end_and_the_next_run_completes(
    mongod_uri: str, database_name: str, tmp_path: Path
) -> None:
    loader = Loader(mongod_uri, database_name)
    numbers = folder(tmp_path)
    process = loader.start(tmp_path)
    wait_for_a_commit(loader, process)
    process.kill()
    process.communicate()  # returns when the workers, too, have closed what they write to
    last = loader.load(tmp_path)
    assert last.returncode == 0, last.stderr
    assert loaded(loader) == Counter(numbers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_with_a_hint(
    mongod_uri: str, database_name: str, tmp_path: Path, number: signal.Signals
) -> None:
    loader = Loader(mongod_uri, database_name)
    numbers = folder(tmp_path)
    process = loader.start(tmp_path)
    wait_for_a_commit(loader, process)
    os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
    told, complained = process.communicate(timeout=60)
    assert process.returncode == 130, complained
    assert "Loaded " in told
    assert "0 failures" in told
    assert f"Ended early ({number.name}). The same command again loads the rest." in complained
    assert 0 < len(loaded(loader)) < len(numbers)
    assert loader.load(tmp_path).returncode == 0
    assert loaded(loader) == Counter(numbers)


def test_a_worker_that_is_killed_is_reported_and_its_work_done_by_others(
    mongod_uri: str, database_name: str, tmp_path: Path
) -> None:
    loader = Loader(mongod_uri, database_name)
    numbers = folder(tmp_path)
    process = loader.start("--workers", 2, tmp_path)
    wait_for_a_commit(loader, process)
    workers = [
        child
        for child in psutil.Process(process.pid).children()
        if "resource_tracker" not in str(child.cmdline())
    ]
    assert len(workers) == 2
    workers[0].kill()
    complained = process.communicate(timeout=90)[1]
    # What the dead one held was either committed, or is loaded by the other one when all else is done.
    assert process.returncode == 0, complained
    assert loaded(loader) == Counter(numbers)


def test_when_the_only_worker_is_killed_the_load_says_so_and_can_be_resumed(
    mongod_uri: str, database_name: str, tmp_path: Path
) -> None:
    loader = Loader(mongod_uri, database_name)
    numbers = folder(tmp_path)
    process = loader.start("--workers", 1, tmp_path)
    wait_for_a_commit(loader, process)
    (worker,) = (
        child
        for child in psutil.Process(process.pid).children()
        if "resource_tracker" not in str(child.cmdline())
    )
    worker.kill()
    complained = process.communicate(timeout=90)[1]
    assert process.returncode == 1
    assert "the worker process ended (code -9)" in complained
    assert "The same command again loads the rest." in complained
    assert loader.load(tmp_path).returncode == 0
    assert loaded(loader) == Counter(numbers)


def test_the_embedded_database_is_started_and_stopped(tmp_path: Path) -> None:
    data, file = tmp_path / "data", write(tmp_path / "a.json", patient(id="p1"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FHIR_SERVER_")}
    arguments = command("--data-dir", data, file)
    done = subprocess.run(arguments, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    mongod = EmbeddedMongod(data, cache_mb=256)
    uri = mongod.start()  # which it could not while another runs there
    try:
        assert Loader(uri, "fhir").counts() == {"Patient": 1}
        # Now somebody runs on the folder, and the load goes to that one's MongoDB.
        write(file, patient(id="p2"))
        done = subprocess.run(arguments, env=environment, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert Loader(uri, "fhir").counts() == {"Patient": 2}
    finally:
        mongod.stop()


@pytest.mark.parametrize(
    ("uri", "start"),
    [
        ("mongodb://h", "mongodb://h/?appName=fhir-server%20load%20"),
        ("mongodb://h/", "mongodb://h/?appName=fhir-server%20load%20"),
        ("mongodb://u:p@h/d?x=1", "mongodb://u:p@h/d?x=1&appName=fhir-server%20load%20"),
        ("mongodb://h/?appName=mine", "mongodb://h/?appName=mine"),
    ],
)
def test_a_worker_tells_mongodb_its_name(uri: str, start: str) -> None:
    assert named(uri).startswith(start)
    assert named(uri).endswith(str(os.getpid()) if "mine" not in uri else "mine")


@pytest.mark.parametrize(
    ("name", "ended"), [("dead", True), ("alive", False), ("elsewhere", False), ("other", False)]
)
def test_only_transactions_of_dead_loads_are_ended(
    mongod_uri: str, database_name: str, name: str, ended: bool
) -> None:
    host = os.uname().nodename
    dead = subprocess.Popen(["true"])
    dead.wait()
    names = {
        "dead": f"{APPLICATION} {host} {dead.pid}",
        "alive": f"{APPLICATION} {host} {os.getpid()}",
        "elsewhere": f"{APPLICATION} not-{host} {dead.pid}",
        "other": "somebody else",
    }
    with MongoClient[Any](mongod_uri, appname=names[name]) as client, client.start_session() as session:
        collection = client[database_name]["x"]
        collection.insert_one({"_id": 0})
        session.start_transaction()
        collection.insert_one({"_id": 1}, session=session)
        end_abandoned(mongod_uri)
        if not ended:
            session.commit_transaction()
        else:
            collection.insert_one({"_id": 1})  # nothing stands in the way any more
            session.end_session()
        assert collection.count_documents({}) == 2
