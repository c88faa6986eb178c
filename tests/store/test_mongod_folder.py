from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

from fhir_server.store.mongod_folder import FolderLock


def test_a_forked_process_does_not_hold_the_folder(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.acquire()
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    child = fork.Process(target=theirs.recv)
    child.start()
    assert lock.is_held()
    lock.release()
    assert child.is_alive()
    # The child lets go of it when it runs first.
    until = time.monotonic() + 20
    while lock.is_held() and time.monotonic() < until:
        time.sleep(0.01)
    assert not lock.is_held()
    ours.send(None)
    child.join(10)
    assert child.exitcode == 0
    for end in (ours, theirs):
        end.close()
