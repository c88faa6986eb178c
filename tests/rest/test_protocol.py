"""What cannot be read as HTTP, sent over a real socket to a real uvicorn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from fhir_server.rest.protocol import HEAD_BYTES, FHIRProtocol

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def count_body(_scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answers with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(length).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(
        count_body,
        port=0,
        http=FHIRProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


async def talk(port: int, *parts: bytes) -> tuple[int, bytes]:
    """Send the parts one by one; status and body once the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001)
    except ConnectionError:
        pass
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def test_head_that_never_ends_is_refused(port: int) -> None:
    endless = [b"X-Long: " + b"a" * 8000 + b"\r\n"] * 20
    status, body = await talk(port, b"GET / HTTP/1.1\r\n", *endless)
    assert status == 431
    [issue] = json.loads(body)["issue"]
    assert (issue["code"], str(HEAD_BYTES) in issue["diagnostics"]) == ("too-long", True)


async def test_url_that_never_ends_is_refused(port: int) -> None:
    status, _ = await talk(port, b"GET /fhir/Patient?name=", *[b"a" * 20_000] * 10)
    assert status == 431


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n"]
)
async def test_what_is_no_http_is_answered_with_an_outcome(port: int, garbage: bytes) -> None:
    status, body = await talk(port, garbage)
    assert status == 400
    assert json.loads(body)["resourceType"] == "OperationOutcome"


async def test_long_bodies_are_no_heads(port: int) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {HEAD_BYTES * 4}\r\n\r\n"
    assert await talk(port, head.encode(), *[b"x" * (HEAD_BYTES // 4)] * 16) == (
        200,
        str(HEAD_BYTES * 4).encode(),
    )


async def test_head_in_many_pieces_is_read(port: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert await talk(port, *[request[i : i + 1] for i in range(len(request))]) == (200, b"0")


async def test_body_beside_an_offer_to_upgrade_is_read(port: int) -> None:
    """Java's HTTP client offers h2c with each request."""
    request = (
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello"
    )
    assert await talk(port, request) == (200, b"5")
    assert await talk(port, request[:-5], b"he", b"llo") == (200, b"5")
    chunked = request.replace(b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n")
    assert await talk(port, chunked, b"3\r\nabc\r\n", b"0\r\n\r\n") == (200, b"3")
    get = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\r\n"
    assert await talk(port, get) == (200, b"0")


async def test_requests_after_a_declined_upgrade_are_read(port: int) -> None:
    first = (
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello"
    )
    second = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nho"
    status, body = await talk(port, first + second)
    assert (status, body[:1], body[-1:]) == (200, b"5", b"2")


async def test_no_proxy(port: int) -> None:
    status, body = await talk(port, b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n")
    assert (status, json.loads(body)["issue"][0]["code"]) == (405, "not-supported")


async def test_url_that_is_not_ascii_is_a_bad_request(port: int) -> None:
    status, body = await talk(port, "GET /fhir/Patient?name=Müller HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert (status, json.loads(body)["resourceType"]) == (400, "OperationOutcome")
