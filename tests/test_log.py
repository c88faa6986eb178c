from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from fhir_server import log

SECRET = "Müller"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, level = before
    root.setLevel(level)
    structlog.reset_defaults()


def logged(level: str = "INFO", style: str = "json") -> io.StringIO:
    stream = io.StringIO()
    log.configure(level, style, stream)
    return stream


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    try:
        int(SECRET)
    except ValueError as error:
        raise LookupError(f"no patient {SECRET}") from error


def test_one_json_object_per_event_with_the_bound_request_id() -> None:
    stream = logged()
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        structlog.stdlib.get_logger("fhir_server.here").info("answered", status=200)
    [event] = events(stream)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "answered",
        "status": 200,
        "request_id": "r-1",
        "level": "info",
        "logger": "fhir_server.here",
    }


def test_exceptions_are_logged_without_their_texts() -> None:
    stream = logged()
    try:
        fail()
    except LookupError:
        structlog.stdlib.get_logger("x").exception("failed")
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    own, foreign = events(stream)
    assert SECRET not in stream.getvalue()
    for event in (own, foreign):
        assert [link["type"] for link in event["exception"]] == [
            "builtins.LookupError",
            "builtins.ValueError",
        ]
        assert event["exception"][0]["stack"][-1].endswith(" fail")


def test_debug_adds_the_texts() -> None:
    stream = logged("DEBUG")
    try:
        fail()
    except LookupError as error:
        structlog.stdlib.get_logger("x").error("failed", exc_info=error)
    assert events(stream)[0]["exception"][0]["text"] == f"no patient {SECRET}"


@pytest.mark.parametrize("name", ["httpx", "pymongo.command", "uvicorn.access"])
def test_loggers_that_write_urls_or_documents_are_silent(name: str) -> None:
    stream = logged("DEBUG")
    logging.getLogger(name).info("GET /fhir/Patient?name=%s", SECRET)
    logging.getLogger(name).debug(SECRET)
    assert stream.getvalue() == ""


def test_levels() -> None:
    stream = logged("WARNING")
    structlog.stdlib.get_logger("x").info("quiet")
    structlog.stdlib.get_logger("x").warning("loud")
    assert [event["event"] for event in events(stream)] == ["loud"]


def test_console_style_is_text() -> None:
    stream = logged(style="console")
    structlog.stdlib.get_logger("x").info("hello")
    assert "hello" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
