"""What a load says: a bar on a terminal, a line now and then elsewhere, and a summary at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from fhir_server.commands.load_piece import Failure, Outcome
from importers.files import Refused

MOST_FAILURES = 1000
"""Failures that are kept for the summary; more are counted"""
_EVERY = 5.0
"""Seconds between two lines where there is no terminal"""


class Report:
    """Adds up what came of a load; `failed` says whether anything went wrong."""

    def __init__(self, *, dry_run: bool = False) -> None:
        self.loaded = 0
        self.before = 0
        self.skipped: list[str] = []
        self.failed = 0
        self._failures: list[tuple[str, str]] = []
        self._verb = "Judged" if dry_run else "Loaded"
        self._out = Console(highlight=False, markup=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._began = time.monotonic()
        self._told = self._began
        self._progress: Progress | None = None
        self._total = 0
        self._advanced = 0

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Shows how far it is of `total` bytes."""
        self._total = total
        if not self._err.is_terminal:
            yield
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True) as progress:
            self._progress = progress
            progress.add_task("", total=total)
            yield
        self._progress = None

    def advance(self, size: int) -> None:
        """`size` more bytes are done with."""
        self._advanced += size
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], advance=size, description=self._state())
        elif time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            percent = 100 * self._advanced // max(self._total, 1)
            self._err.print(f"{self._state()}, {percent} %")

    def add(self, outcome: Outcome) -> None:
        """Counts what came of a package."""
        self.loaded += outcome.loaded
        self.before += outcome.before
        for failure in outcome.failures:
            self._fail(failure)

    def refuse(self, refused: Refused) -> None:
        """Counts a file or line that cannot be read."""
        self._count(refused.name, refused.text)

    def say(self, text: str) -> None:
        """A line in between."""
        self._err.print(text)

    def summary(self) -> None:
        """Failures on stderr, then what was done on stdout."""
        for name, text in self._failures:
            self._err.print(f"{name} {text}" if text.startswith("Bundle.entry[") else f"{name}: {text}")
        if self.failed > len(self._failures):
            self._err.print(f"and {self.failed - len(self._failures):,} more failures")
        seconds = time.monotonic() - self._began
        rate = f" in {seconds:.1f} s ({self.loaded / max(seconds, 0.001):,.0f}/s)"
        self._out.print(
            f"{self._verb} {_number(self.loaded, 'resource')}{rate}, {_number(self.failed, 'failure')}."
        )
        if self.before:
            self._out.print(
                f"{_number(self.before, 'Bundle or resource', 'Bundles or resources')} had been loaded before "
                f"and were not loaded again (--again does)."
            )
        if self.skipped:
            names = ", ".join(self.skipped[:3]) + (", …" if len(self.skipped) > 3 else "")
            self._out.print(
                f"{_number(len(self.skipped), 'file')} passed over, by name neither JSON nor archive: {names}"
            )

    def _fail(self, failure: Failure) -> None:
        self._count(failure.name, failure.text)

    def _count(self, name: str, text: str) -> None:
        self.failed += 1
        if len(self._failures) < MOST_FAILURES:
            self._failures.append((name, text))

    def _state(self) -> str:
        rate = self.loaded / max(time.monotonic() - self._began, 0.001)
        failures = f", {_number(self.failed, 'failure')}" if self.failed else ""
        return f"{_number(self.loaded, 'resource')}, {rate:,.0f}/s{failures}"


def _number(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
