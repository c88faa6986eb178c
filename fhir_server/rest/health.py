"""Health for load balancers and supervisors: is the process alive, and can it do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Ping = Callable[[], Awaitable[object]]

PING_SECONDS = 1.5
"""Longest wait for the database: probes give up at about two seconds."""

_HEADERS = {"Cache-Control": "no-store"}


def health_routes(
    ping: Ping, mllp: Callable[[], bool] = lambda: True, dicom: Callable[[], bool] = lambda: True
) -> list[Route]:
    """`/health/live` (200 while the process answers) and `/health/ready` (503 while `ping` fails or hangs).

    `ping` asks the database for a sign of life and raises whatever it likes; `mllp` tells whether HL7 v2 messages
    are taken, where they should be; `dicom` the same of DICOM associations, and may block for a moment.
    """

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "pass"}, headers=_HEADERS)

    async def ready(_request: Request) -> Response:
        try:
            await asyncio.wait_for(ping(), PING_SECONDS)
        except Exception:
            return _fail("MongoDB cannot be reached")
        if not mllp():
            return _fail("The MLLP listener does not run")
        if not await asyncio.to_thread(dicom):
            return _fail("The DICOM listener does not run")
        return JSONResponse({"status": "pass"}, headers=_HEADERS)

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _fail(output: str) -> Response:
    return JSONResponse({"status": "fail", "output": output}, 503, headers={**_HEADERS, "Retry-After": "2"})
