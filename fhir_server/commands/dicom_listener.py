"""The process of the DICOM listener: settings come in its environment, and it does not outlive its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from fhir_server import log
from fhir_server.app import open_context, open_store
from fhir_server.commands.collector import look_seldom
from fhir_server.dicom import sources_of, with_dicom
from fhir_server.dicom_door import DicomDoor
from fhir_server.settings import Settings

_log = structlog.stdlib.get_logger(__name__)


async def listen(settings: Settings) -> None:
    """Takes instances until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    store = open_store(settings)
    try:
        ctx = with_dicom(await open_context(settings, store), sources_of(settings))
        door = DicomDoor(ctx, CollectorRegistry())
        try:
            door.open()
        except OSError as error:
            where = f"DICOM on {settings.dicom_host} port {settings.dicom_port}"
            _log.error("gave_up", reason=f"{where}: {error.strerror}")
            raise SystemExit(3) from None
        _log.info("dicom_listening", host=settings.dicom_host, port=settings.dicom_port)
        await ended.wait()
        await door.close()
    finally:
        await store.close()


def main() -> None:
    settings = Settings()
    log.configure(settings.log_level, settings.log_format)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    look_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen(settings))


def _end_with_parent() -> None:
    """The other end of stdin is the parent's: when it is gone, however it went, nothing comes any more."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
