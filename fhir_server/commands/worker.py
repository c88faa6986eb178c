"""One of several worker processes: its settings come in its environment, and it does not outlive its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from fastapi import FastAPI

from fhir_server import log
from fhir_server.app import create_app
from fhir_server.commands.collector import look_seldom
from fhir_server.settings import Settings


def application() -> FastAPI:
    """The factory that uvicorn calls in each worker."""
    settings = Settings()
    log.configure(settings.log_level, settings.log_format)
    look_seldom()
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    return create_app(settings)


def _end_with_parent() -> None:
    """After kill -9 of the parent nobody would stop this worker, and it would keep the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
