"""The worker processes of a load, as their parent sees them: hands out packages, collects outcomes."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import register_after_fork

from fhir_server.commands.load_packages import Package
from fhir_server.commands.load_piece import Failure, Outcome
from fhir_server.commands.load_worker import Answer, work
from fhir_server.settings import Settings

AT_ONCE = 4
"""Packages under way in one worker, so that one computes while another waits for its commit"""
BYTES_AT_ONCE = 32 * 1024 * 1024
"""But a worker that holds this much gets no more before it is done with some"""
# What the parent has imported, a forked worker need not. Elsewhere libraries of the system do not survive a fork.
if sys.platform == "linux":
    _CONTEXT = multiprocessing.get_context("fork")
else:
    _CONTEXT = multiprocessing.get_context("spawn")
_TICK = 0.2


class PoolError(Exception):
    """The workers cannot work; the text says why."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    held: dict[int, Package] = field(default_factory=dict)

    def takes(self) -> bool:
        held = sum(len(piece.body) for package in self.held.values() for piece in package.pieces)
        return len(self.held) < AT_ONCE and (not self.held or held < BYTES_AT_ONCE)


class Pool:
    """Some worker processes; `stop` makes `perform` hand out nothing more and return."""

    def __init__(self, settings: Settings, count: int, *, salt: str = "", dry_run: bool = False) -> None:
        self._stopping = False
        self._done = 0
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which they inherit: Ctrl-C is for us
        try:
            self._workers = [_started(settings, salt, dry_run) for _ in range(count)]
        finally:
            signal.signal(signal.SIGINT, before)

    def stop(self) -> None:
        """What is under way is finished, nothing more is begun."""
        self._stopping = True

    def perform(self, packages: Iterable[Package]) -> Iterator[tuple[Package, Outcome]]:
        """Each package with what came of it, in the order they are done."""
        waiting = iter(packages)
        exhausted = False
        while True:
            while not exhausted and not self._stopping and (worker := self._free()) is not None:
                package = next(waiting, None)
                if package is None:
                    exhausted = True
                    break
                self._give(worker, package)
            if not any(worker.held for worker in self._workers):
                if exhausted or self._stopping:
                    return
                if not self._workers:
                    raise PoolError("The worker processes have ended; the lines above say why.")
            yield from self._collect()

    def close(self, *, kill: bool = False) -> None:
        """Ends the workers: when they are done, or at once."""
        for worker in self._workers:
            if kill:
                worker.process.terminate()
                continue
            try:
                worker.pipe.send(None)
            except OSError:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(10)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()

    def _free(self) -> _Worker | None:
        # Slowly at first: a new database gets its collections, and each new one undoes the transactions of others.
        if sum(len(worker.held) for worker in self._workers) > self._done:
            return None
        worker = min(self._workers, key=lambda each: len(each.held), default=None)
        return worker if worker is not None and worker.takes() else None

    @staticmethod
    def _give(worker: _Worker, package: Package) -> None:
        worker.held[package.number] = package
        try:
            worker.pipe.send(package)
        except OSError:
            return  # it has ended, as `_collect` will find

    def _collect(self) -> Iterator[tuple[Package, Outcome]]:
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(by_pipe), _TICK):
            worker = by_pipe[pipe]  # type: ignore[index]  # only connections were asked for
            try:
                answer: Answer = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._buried(worker)
                continue
            if answer.fatal:
                raise PoolError(answer.fatal)
            self._done += 1
            yield worker.held.pop(answer.number), answer.outcome

    def _buried(self, worker: _Worker) -> Iterator[tuple[Package, Outcome]]:
        """What a worker that ended was working on: it may be done or not, its marks know."""
        self._workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        text = f"the worker process ended (code {worker.process.exitcode}); it is not known whether this was loaded"
        for package in worker.held.values():
            failures = [Failure(piece.name, piece.key, text, again=True) for piece in package.pieces]
            yield package, Outcome(failures=failures)


def _started(settings: Settings, salt: str, dry_run: bool) -> _Worker:
    ours, theirs = _CONTEXT.Pipe()
    # A worker that held the parent's end of a pipe would keep others from seeing that the parent is gone.
    register_after_fork(ours, Connection.close)
    process = _CONTEXT.Process(target=work, args=(theirs, settings, salt, dry_run), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)
