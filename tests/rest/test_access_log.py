"""One line for each request."""

from __future__ import annotations

import json

import pytest

from fhir_server.rest.access_log import MANY, AccessLog
from tests.rest.conftest import Start


async def test_a_line_is_an_event_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    access_log = AccessLog(on=True)
    access_log.line(interaction="read", status=200)
    access_log.flush()
    line = json.loads(capsys.readouterr().err)
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {"level": "info", "event": "answered", "interaction": "read", "status": 200}


async def test_lines_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    access_log = AccessLog(on=True, style="console")
    access_log.line(interaction="read", status=200)
    access_log.flush()
    text = capsys.readouterr().err
    assert "{" not in text
    assert all(part in text for part in ("info", "answered", "interaction", "read", "200"))


async def test_many_lines_wait_for_no_timer(capsys: pytest.CaptureFixture[str]) -> None:
    access_log = AccessLog(on=True)
    for n in range(MANY):
        access_log.line(status=n)
    assert len(capsys.readouterr().err.splitlines()) == MANY
    AccessLog(on=False).line(status=200)
    access_log.flush()
    assert capsys.readouterr().err == ""


async def test_the_setting_reaches_the_lines_of_requests(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    async with start(log_format="console") as client:
        await client.get("metadata")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "capabilities" in line]
    assert not line.startswith("{")
