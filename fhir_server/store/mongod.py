"""The embedded MongoDB: a real, private `mongod`, started before the workers and stopped after them.

One-member replica set (transactions need one), loopback only, with authorization. Whoever starts it owns the
data folder; a monitor thread starts it again, on the same port, when it dies.
"""

from __future__ import annotations

import os
import resource
import secrets
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import structlog

from fhir_server.store import mongod_replica_set as replica_set
from fhir_server.store.mongod_binary import Binary, MongodError, find_mongod, other_version
from fhir_server.store.mongod_folder import Folder, FolderLock

_log = structlog.stdlib.get_logger(__name__)

# https://www.mongodb.com/docs/manual/reference/exit-codes/
_PORT_TAKEN, _WRONG_VERSION, _FOLDER_IN_USE = 48, 62, 100

_STOP_SECONDS = 60
_STABLE_SECONDS = 60
_LONGEST_PAUSE = 30.0
_OPEN_FILES = 64_000


class _Died(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class _Stopping(Exception):
    """`stop` was called while the monitor waited."""


class EmbeddedMongod:
    """One `mongod` on one data folder, owned by this process from `start` to `stop`.

    `port` 0 keeps the port of last time or takes a free one; a busy port is replaced by a free one.
    """

    def __init__(self, data_dir: Path, *, cache_mb: int = 1024, port: int = 0) -> None:
        self._folder = Folder(data_dir)
        self._lock = FolderLock(self._folder.root)
        self._cache_mb = cache_mb
        self._port = port
        self._password = ""
        self._binary: Binary | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._monitor = threading.Thread(target=self._watch, name="mongod-monitor", daemon=True)

    @property
    def uri(self) -> str:
        """Connection string with the generated credentials."""
        return replica_set.uri(self._port, self._password)

    @property
    def pid(self) -> int | None:
        """Process id of the running `mongod`, None while there is none."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self) -> str:
        """Start it and return `uri` once it takes writes; MongodError with a text for the operator."""
        self._folder.prepare()
        self._lock.acquire()
        try:
            self._binary = find_mongod(self._folder.version())
            self._password = self._folder.password()
            _allow_open_files()
            self._stop_orphan()
            self._launch()
        except BaseException:
            self._end_process()
            self._lock.release()
            raise
        self._folder.publish_uri(self.uri)
        self._monitor.start()
        return self.uri

    def stop(self) -> None:
        """Stop it cleanly and give the folder back; does nothing when it was not started."""
        self._stopping.set()
        if self._monitor.is_alive():
            self._monitor.join()
        if self._process is not None:
            self._folder.withdraw_uri()
        self._end_process()
        self._lock.release()

    def _launch(self) -> None:
        """First start: on the way, a taken port is replaced and a mongod that an earlier server left is ended."""
        before = self._folder.port()
        self._port = _usable(self._port or before)
        if before and self._port != before:
            _log.warning("mongod moves to another port; can take 30 s", before=before, port=self._port)
        for _ in range(5):
            try:
                self._run()
            except _Died as died:
                if died.code == _PORT_TAKEN:
                    self._port = _usable(0)
                elif died.code == _FOLDER_IN_USE:
                    time.sleep(0.5)
                    self._stop_orphan()
                else:
                    raise MongodError(self._why(died.code)) from died
            else:
                return
        raise MongodError(f"mongod could not be started; its log is {self._folder.log}.")

    def _run(self) -> None:
        """Start the process and wait until it is primary; _Died where it ends before."""
        if self._binary is None:
            raise MongodError("start() comes first")
        self._folder.note_port(self._port)
        if self._folder.log_is_full():
            self._folder.move_log()
        with self._folder.output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(self._binary),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Not in our process group: Ctrl-C is for the server, which stops it last.
                start_new_session=True,
                # None of our settings, which hold secrets; and no locale that mongod might not know.
                env={"PATH": os.defpath, "LC_ALL": "C"},
            )
        self._wait_listening()
        replica_set.make_primary(self._port, self._password, still_alive=self._check)
        self._folder.note_version(self._binary.version)

    def _command(self, binary: Binary) -> list[str]:
        parameters = [
            # Transactions of 5,000 resources and more may take longer than the usual minute.
            "transactionLifetimeLimitSeconds=600",
            "diagnosticDataCollectionEnabled=false",
        ]
        if binary.version >= (5, 0, 0):
            # There is no other member to hand over to: do not wait for one.
            parameters.append("shutdownTimeoutMillisForSignaledShutdown=100")
        options = {
            "--dbpath": str(self._folder.db),
            "--port": str(self._port),
            "--bind_ip": "127.0.0.1",
            "--replSet": replica_set.NAME,
            "--keyFile": str(self._folder.keyfile),
            "--logpath": str(self._folder.log),
            "--logRotate": "reopen",
            "--wiredTigerCacheSizeGB": f"{self._cache_mb / 1024:.3f}",
            # A page that is written to again and again (an index) reaches the disk more rarely: the journal has it.
            "--wiredTigerEngineConfigString": "eviction_dirty_target=20,eviction_dirty_trigger=40",
            # A third less disk than the default, for resources.
            "--wiredTigerCollectionBlockCompressor": "zstd",
            # Of its default, 5 % of the disk, nothing is gained with one member.
            "--oplogSize": "1024",
            # Slow operations are logged with their documents: patient data has no place in a log.
            "--slowms": str(2**31 - 1),
        }
        flags = ["--logappend", "--nounixsocket", "--quiet"]
        pairs = [part for option in options.items() for part in option]
        return [
            str(binary.path),
            *pairs,
            *flags,
            *(p for name in parameters for p in ("--setParameter", name)),
        ]

    def _wait_listening(self) -> None:
        """Until our own process listens: whoever else may have taken the port is not to be spoken to."""
        while True:
            self._check()
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                sockets = psutil.Process(self.pid).net_connections("tcp4")
                if any(s.status == psutil.CONN_LISTEN and s.laddr.port == self._port for s in sockets):
                    return
            time.sleep(0.01)

    def _check(self) -> None:
        if self._stopping.is_set():
            raise _Stopping
        code = None if self._process is None else self._process.poll()
        if code is not None:
            raise _Died(code)

    def _watch(self) -> None:
        """The monitor: starts it again, with growing pauses, on the same port, until `stop`."""
        pause, since = 0.1, time.monotonic()
        while not self._stopping.wait(0.2):
            try:
                self._check()
            except _Stopping:
                return
            except _Died as died:
                if time.monotonic() - since > _STABLE_SECONDS:
                    pause = 0.1
                _log.error("mongod ended", code=died.code, restart_in_seconds=pause)
                if self._stopping.wait(pause):
                    return
                pause = min(pause * 2, _LONGEST_PAUSE)
                since = time.monotonic()
                self._run_again()
            else:
                self._bound_log()

    def _run_again(self) -> None:
        try:
            self._run()
            _log.warning("mongod is back", port=self._port)
        except _Stopping:
            return
        except _Died as died:
            _log.error("mongod did not come up", reason=self._why(died.code))
        except Exception:
            _log.exception("mongod could not be restarted")

    def _bound_log(self) -> None:
        if self._folder.log_is_full() and self._process is not None:
            self._folder.move_log()
            self._process.send_signal(signal.SIGUSR1)

    def _stop_orphan(self) -> None:
        """End the mongod that a killed server left on this folder: cleanly, and only if it is that one."""
        pid = self._folder.mongod_pid()
        if pid is None:
            return
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process = psutil.Process(pid)
            if str(self._folder.db) in process.cmdline():
                _log.warning("ending the mongod that an earlier server left behind", pid=pid)
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(10)

    def _end_process(self) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # The journal makes this as safe as a power cut.
            process.kill()
            process.wait()
        self._process = None

    def _why(self, code: int) -> str:
        if code == _WRONG_VERSION and self._binary is not None:
            return other_version("an incompatible version", str(self._binary))
        said = self._folder.last_error()
        return f"mongod ended with code {code}: {said} Its log is {self._folder.log}."


def _usable(port: int) -> int:
    """The port itself where it is free, otherwise a free one outside the range of outgoing connections."""
    if port and _is_free(port):
        return port
    for _ in range(200):
        if _is_free(candidate := 27_100 + secrets.randbelow(1_900)):
            return candidate
    raise MongodError("No free loopback port between 27100 and 29000 for the embedded MongoDB.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _allow_open_files() -> None:
    """MongoDB keeps a file open for each collection and index, FHIR has hundreds: more than the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
