"""The data folder of the embedded MongoDB: who owns it, and the small files that outlive a process.

<data_dir>/lock                 held (flock) by the server that runs on it; its text is that server's pid
<data_dir>/mongod/db/           MongoDB's own files
<data_dir>/mongod/log/          its log, bounded
<data_dir>/mongod/keyfile, credentials, port, version, uri      each 0600
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import time
from contextlib import suppress
from multiprocessing.util import register_after_fork
from pathlib import Path

from fhir_server.store.mongod_binary import MongodError, Version, parse_version, version_text

LOG_BYTES = 10 * 1024 * 1024
"""A log larger than this is moved aside; one older log is kept."""


class Folder:
    """Paths and small files below one data folder. OSError becomes MongodError with the path and the reason."""

    def __init__(self, data_dir: Path) -> None:
        # Resolved, because a process is recognised by this path on its command line.
        self.root = data_dir.expanduser().resolve()
        self.mongod = self.root / "mongod"
        self.db = self.mongod / "db"
        self.log = self.mongod / "log" / "mongod.log"
        self.output = self.mongod / "log" / "mongod.out"
        self.keyfile = self.mongod / "keyfile"

    def prepare(self) -> None:
        """Make the folders, readable by their owner only."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.mongod, self.db, self.log.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
            (self.mongod / "probe").write_bytes(b"")
            (self.mongod / "probe").unlink()
        except OSError as error:
            raise MongodError(
                f"The data folder {self.root} cannot be written: {error.strerror}. "
                f"Choose another with --data-dir, or make it writable for this user."
            ) from error

    def has_data(self) -> bool:
        return (self.db / "WiredTiger").exists()

    def version(self) -> Version | None:
        """The MongoDB version that last wrote the data, None for a folder without data."""
        return parse_version(self._read("version") or "") if self.has_data() else None

    def note_version(self, version: Version) -> None:
        self._write("version", version_text(version))

    def password(self) -> str:
        """The password of the user `fhir`; made, with the key file, for a folder without data.

        Both are on disk before any mongod sees them, so that a crash in between cannot lock the owner out.
        """
        kept = self._read("credentials")
        if kept and self.keyfile.exists():
            return kept
        if self.has_data():
            raise MongodError(
                f"{self.mongod} holds data but its file 'credentials' or 'keyfile' is missing. "
                f"Restore both from a backup of this folder, or use another --data-dir."
            )
        self._write("keyfile", base64.b64encode(secrets.token_bytes(567)).decode())
        self._write("credentials", secrets.token_urlsafe(32))
        return self._read("credentials") or ""

    def port(self) -> int:
        """The port used last time, 0 where there is none."""
        text = self._read("port") or ""
        return int(text) if text.isdecimal() else 0

    def note_port(self, port: int) -> None:
        self._write("port", str(port))

    def uri(self) -> str | None:
        return self._read("uri")

    def publish_uri(self, uri: str) -> None:
        self._write("uri", uri)

    def withdraw_uri(self) -> None:
        (self.mongod / "uri").unlink(missing_ok=True)

    def mongod_pid(self) -> int | None:
        """The process id in MongoDB's own lock file: empty after a clean stop."""
        try:
            text = (self.db / "mongod.lock").read_text().strip()
        except OSError:
            return None
        return int(text) if text.isdecimal() else None

    def log_is_full(self) -> bool:
        return self.log.exists() and self.log.stat().st_size > LOG_BYTES

    def move_log(self) -> None:
        self.log.replace(self.log.with_suffix(".log.1"))

    def last_error(self) -> str:
        """The last error that mongod logged since its last start, or what it printed."""
        for line in reversed(_tail(self.log, 64_000).splitlines()):
            if "SERVER RESTARTED" in line:
                break
            with suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                if entry["s"] in {"E", "F"}:
                    return f"{entry['msg']} {json.dumps(entry.get('attr', {}))[:500]}."
        return _tail(self.output, 500)

    def _read(self, name: str) -> str | None:
        try:
            return (self.mongod / name).read_text().strip() or None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MongodError(f"{self.mongod / name} cannot be read: {error.strerror}") from error

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all, and never readable by others, not even for a moment."""
        path, draft = self.mongod / name, self.mongod / f"{name}.new"
        try:
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise MongodError(f"{path} cannot be written: {error.strerror}") from error


class FolderLock:
    """Ownership of a data folder; the kernel lets it go when the process ends, however it ends."""

    def __init__(self, root: Path) -> None:
        self._path = root / "lock"
        self._handle: int | None = None

    def acquire(self) -> None:
        """MongodError naming the other server's pid where one runs on the folder."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MongodError(f"{self._path} cannot be written: {error.strerror}") from error
        # `running_uri` of another command holds it for a moment: that is no server.
        for attempt in range(20):
            if _try_lock(handle, fcntl.LOCK_EX):
                os.truncate(handle, 0)
                os.pwrite(handle, str(os.getpid()).encode(), 0)
                self._handle = handle
                register_after_fork(self, FolderLock._leave)
                return
            if attempt < 19:
                time.sleep(0.02)
        pid = os.pread(handle, 32, 0).decode(errors="replace") or "unknown"
        os.close(handle)
        raise MongodError(
            f"Another server (pid {pid}) already runs on the data folder {self._path.parent}. "
            f"Stop it, or give this one its own --data-dir."
        )

    def release(self) -> None:
        if self._handle is not None:
            os.truncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None

    def _leave(self) -> None:
        """A process that is forked from this one does not own the folder."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def is_held(self) -> bool:
        """True while a server (this process or another) runs on the folder."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(handle, fcntl.LOCK_SH)
        finally:
            os.close(handle)


def _tail(path: Path, size: int) -> str:
    try:
        return path.read_bytes()[-size:].decode(errors="replace").strip()
    except OSError:
        return ""


def _try_lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def running_uri(data_dir: Path) -> str | None:
    """Connection string of the embedded MongoDB that a server runs on this folder now, or None."""
    folder = Folder(data_dir)
    return folder.uri() if FolderLock(folder.root).is_held() else None
