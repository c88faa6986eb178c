"""`fhir-server load`: files into the database, through the same door and by the same rules as REST.

What was loaded is marked in the transaction that writes it, by its content: the same command again after an
interruption goes on where it stopped, and each resource is there once.

Order: first every batch Bundle (registries of organizations and practitioners come as such), then everything
else, then once more, as long as that helps, what was refused because something it refers to was missing.
Within each of the three all is concurrent, in several processes.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from fhir_server import log
from fhir_server.commands.database import database
from fhir_server.commands.load_abandoned import end_abandoned
from fhir_server.commands.load_messages import load_messages
from fhir_server.commands.load_packages import Package, Packages
from fhir_server.commands.load_piece import Failure, Outcome
from fhir_server.commands.load_pool import Pool, PoolError
from fhir_server.commands.load_report import Report
from fhir_server.commands.serve import read_settings
from fhir_server.settings import PREFIX, Settings
from importers.files import Refused, Skipped, Source, sources
from importers.ndjson import Reader

ENVIRONMENT = f"{PREFIX}LOAD_"
WORTH_A_WORKER = 512 * 1024
"""Bytes to load for which one more process is started: it takes about a second"""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAMES = {number.name for number in _ENDING}
_INTERRUPTED = 130


def load(  # noqa: PLR0917  they are options, given by name
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Files (.json, .ndjson, .jsonl, .hl7, each also as .gz; DICOM), .zip archives, and folders of such.",
            show_default=False,
        ),
    ],
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, envvar=ENVIRONMENT + "WORKERS", help="Processes; default: one for each core."
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", envvar=ENVIRONMENT + "AGAIN", help="Load also what was loaded before.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", envvar=ENVIRONMENT + "DRY_RUN", help="Only validate; no database is needed."
        ),
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded MongoDB.")] = None,
    mongodb_uri: Annotated[
        str | None, typer.Option(help="A replica set or sharded cluster instead of the embedded MongoDB.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="FHIR base URL of the server that will serve it.")
    ] = None,
) -> None:
    """Load Bundles, resources, NDJSON, HL7 v2 and DICOM. The same command again resumes; exit code 1 if anything failed."""
    settings = read_settings(data_dir=data_dir, mongodb_uri=mongodb_uri, base_url=base_url)
    log.configure("ERROR" if settings.log_level == "ERROR" else "WARNING", settings.log_format)
    report = Report(dry_run=dry_run)
    found = _found(paths, report)
    if found and dry_run:
        ended = _perform(found, report, settings, workers, dry_run=True)
    elif found:
        with database(settings) as connected:
            salt = f"{secrets.token_hex(8)}." if again else ""
            ended = _perform(found, report, connected, workers, salt=salt)
    else:
        ended = None
    report.summary()
    if ended:
        typer.secho(f"Ended early ({ended}). The same command again loads the rest.", err=True)
        raise typer.Exit(_INTERRUPTED if ended in _NAMES else 1)
    if report.failed:
        raise typer.Exit(1)


def _perform(
    found: Sequence[Source],
    report: Report,
    settings: Settings,
    workers: int | None,
    *,
    salt: str = "",
    dry_run: bool = False,
) -> str | None:
    """Resources first, then messages of HL7 v2, which may be about them, then DICOM; why it ended early, if it did."""
    resources = [source for source in found if source.form not in {"hl7v2", "dicom"}]
    messages = [source for source in found if source.form == "hl7v2"]
    instances = [source for source in found if source.form == "dicom"]
    ended = None
    if resources:
        run = _Run(resources, report)
        count = min(workers or os.cpu_count() or 1, 1 + run.size // WORTH_A_WORKER)
        uri = settings.mongodb_uri.get_secret_value()
        clear = (lambda: None) if dry_run else (lambda: end_abandoned(uri))
        run.perform(Pool(settings, count, salt=salt, dry_run=dry_run), clear)
        ended = run.ended
    if messages and not ended:
        ended = load_messages(settings, messages, report, again=bool(salt), dry_run=dry_run)
    if instances and not ended:
        from fhir_server.commands.load_dicom import load_dicom  # noqa: PLC0415  a quarter of a second, for nobody else

        ended = load_dicom(settings, instances, report, dry_run=dry_run)
    return ended


def _found(paths: Sequence[Path], report: Report) -> list[Source]:
    found: list[Source] = []
    for each in sources(paths):
        if isinstance(each, Refused):
            report.refuse(each)
        elif isinstance(each, Skipped):
            report.skipped.append(each.name)
        else:
            found.append(each)
    return found


class _Run:
    """One load: three rounds through the sources with one pool of workers."""

    def __init__(self, found: Sequence[Source], report: Report) -> None:
        with Reader() as reader:
            batches = [source for source in found if reader.begins_batch(source)]
        first = set(batches)
        self._rounds = [batches, [source for source in found if source not in first]]
        self._report = report
        self._missing: dict[str, list[Failure]] = {}
        self.ended: str | None = None
        """Why it ended early"""
        self.size = sum(source.size for source in found)

    def perform(self, pool: Pool, clear: Callable[[], None]) -> None:
        """Loads everything; ends early at a signal, or when the database does not come back.

        `clear` is called when what a killed load left behind may stand in the way.
        """
        try:
            with self._signals(pool), self._report.running(self.size):
                clear()
                self._once(pool, self._report.refuse)
                helped = True
                while self._missing and helped and not self.ended:
                    clear()
                    helped = self._again(pool)
        except PoolError as error:
            self._end("the workers cannot work", pool)
            self._report.say(str(error))
        except KeyboardInterrupt:
            self._report.say("Not waiting for what was under way.")
        finally:
            pool.close(kill=self.ended is not None)
            for failures in self._missing.values():
                self._report.add(Outcome(failures=failures))

    def _once(self, pool: Pool, refuse: Any) -> None:
        with Reader() as reader:
            packages = Packages(reader, refuse)
            for each in self._rounds:
                for package, outcome in pool.perform(packages.of(each)):
                    self._take(package, outcome, pool)

    def _again(self, pool: Pool) -> bool:
        """What was missing something, once more; whether that helped."""
        before, self._missing = self._missing, {}
        self._report.say(f"Trying {len(before):,} again: what they refer to may be there by now.")
        with Reader() as reader:
            packages = Packages(reader, lambda _refused: None)
            for package, outcome in pool.perform(packages.of([s for r in self._rounds for s in r], before)):
                self._take(package, outcome, pool)
        return len(self._missing) < len(before)

    def _take(self, package: Package, outcome: Outcome, pool: Pool) -> None:
        for failure in [failure for failure in outcome.failures if failure.again]:
            outcome.failures.remove(failure)
            self._missing.setdefault(failure.key, []).append(failure)
        self._report.add(outcome)
        self._report.advance(package.size)
        if outcome.away:
            self._end("MongoDB did not come back", pool)

    def _end(self, why: str, pool: Pool) -> None:
        self.ended = why
        pool.stop()

    @contextmanager
    def _signals(self, pool: Pool) -> Iterator[None]:
        """The first Ctrl-C lets what is under way finish, the second does not."""

        def end(number: int, _frame: FrameType | None) -> None:
            if self.ended:
                raise KeyboardInterrupt
            self._end(signal.Signals(number).name, pool)

        before = {number: signal.signal(number, end) for number in _ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
