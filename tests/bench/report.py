"""Figures as a table, with the machine they were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured value; `target` as the project set it, or None."""

    name: str
    value: float
    unit: str
    target: str | None = None

    def row(self) -> str:
        shown = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.1f}"
        return f"| {self.name} | {shown} {self.unit} | {self.target or ''} |"


def machine() -> str:
    """Processor, cores, memory, system and Python, in one line."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0].partition(":")[2].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    when = datetime.now(UTC).date()
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform()}, Python {platform.python_version()}, {when}"


def show(title: str, figures: Iterable[Figure]) -> None:
    """Prints each row as soon as it is there."""
    print(f"\n{title}\n\n| what | measured (median) | target |\n| --- | --- | --- |", flush=True)
    for figure in figures:
        print(figure.row(), flush=True)
