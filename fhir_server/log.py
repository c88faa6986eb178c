"""Logging: one structured event per line on stderr, never with patient data.

Everything goes one way: structlog, the standard library's loggers and uvicorn's. Texts of exceptions are left
out unless the level is DEBUG, because the texts of drivers and parsers quote values (a duplicate key, a name
that is no number). The stack tells a developer where; the request id tells which request.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# Below WARNING these write URLs with their query, commands with their documents, or one line per request.
_TALKATIVE = ("httpx", "httpcore", "pymongo", "asyncio", "uvicorn.access", "multipart", "hl7apy", "pydicom")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(level: str = "INFO", style: str = "json", stream: TextIO | None = None) -> None:
    """Send every log event of this process to `stream` (default: stderr); `level` and `style` as in Settings."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [_exception(texts=level == "DEBUG"), structlog.processors.JSONRenderer()]
    if style == "console":
        last = [_exception(texts=level == "DEBUG"), structlog.dev.ConsoleRenderer()]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
        # Its INFO lines tell of processes and shutdown; what `serve` says in its own words is enough.
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _exception(*, texts: bool) -> Processor:
    """Replaces `exc_info` by type and stack, and by the exception's own text where that is allowed."""

    def process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        info = _exc_info(event.pop("exc_info", None))
        if info is not None:
            event["exception"] = describe(info[1], texts=texts)
        return event

    return process


def _exc_info(given: Any) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if given is True:
        given = sys.exc_info()
    return given if isinstance(given, tuple) and given[0] is not None else None


def describe(error: BaseException, *, texts: bool = False) -> list[dict[str, Any]]:
    """The chain of an exception, outermost first: type, stack as `file:line function`, text only where asked."""
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:
        frames = traceback.extract_tb(current.__traceback__)
        link: dict[str, Any] = {
            "type": f"{type(current).__module__}.{type(current).__qualname__}",
            "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        if texts:
            link["text"] = str(current)
        chain.append(link)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain
