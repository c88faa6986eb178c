"""Bytes that are no proper HTTP, sent to the whole server over a bare socket."""

from __future__ import annotations

import asyncio
import contextlib
import re

import httpx
import pytest

from resources import codec, validation
from tests.rest.expecting import patient, total

PATIENT = b'{"resourceType":"Patient"}'


async def exchange(client: httpx.AsyncClient, sent: bytes, *, finish: bool = False) -> bytes:
    """What the server says to these bytes until it falls silent or hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    try:
        writer.write(sent)
        await writer.drain()
        if finish:
            writer.write_eof()
        answer = b""
        try:
            while chunk := await asyncio.wait_for(reader.read(65536), 0.3):
                answer += chunk
        except TimeoutError:
            pass
        return answer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def post(*headers: bytes, body: bytes = PATIENT) -> bytes:
    lines = [b"POST /fhir/Patient HTTP/1.1", b"Host: x", b"Content-Type: application/fhir+json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


GARBAGE = {
    "noise": bytes(range(256)) * 4,
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /fhir/metadata\r\n\r\n",
    "mllp": b"\x0bMSH|^~\\&|A|B|C|D|20200101||ADT^A01|1|P|2.5\r\x1c\r",
    "unknown method": b"FROB /fhir/Patient HTTP/1.1\r\nHost: x\r\n\r\n",
    "space before colon": b"GET /fhir/metadata HTTP/1.1\r\nHost : x\r\n\r\n",
    "header without colon": b"GET /fhir/metadata HTTP/1.1\r\nHost\r\n\r\n",
    "nul in header": b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n",
    "blank in path": b"GET /fhir/Patient/a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "length is no number": post(b"Content-Length: x"),
    "length below zero": post(b"Content-Length: -5"),
    "two lengths": post(b"Content-Length: 26", b"Content-Length: 5"),
    "length and chunks": post(b"Content-Length: 26", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunks and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"1a\r\n" + PATIENT + b"\r\n0\r\n\r\n"),
    "chunked and more": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "chunk size is no number": post(b"Transfer-Encoding: chunked", body=b"zz\r\nabc\r\n0\r\n\r\n"),
    "chunk longer than said": post(b"Transfer-Encoding: chunked", body=b"5\r\n" + PATIENT + b"\r\n0\r\n\r\n"),
    "huge length": post(b"Content-Length: 99999999999999999999999999"),
}  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
async def test_what_is_no_http_gets_an_outcome_or_nothing(client: httpx.AsyncClient, name: str) -> None:
    before = await total(client, "Patient")
    answer = await exchange(client, GARBAGE[name], finish=True)
    assert all(400 <= status < 500 for status in statuses(answer)), answer[:500]
    if answer:
        _, _, content = answer.partition(b"\r\n\r\n")
        outcome = codec.decode(content)
        assert outcome["resourceType"] == "OperationOutcome"
        validation.check(outcome)
        assert b"application/fhir+json" in answer
    assert await total(client, "Patient") == before


@pytest.mark.parametrize(
    "half",
    [b"G", b"GET /fhir/metadata HTTP/1.1", b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n", post(b"Content-Length: 26", body=b'{"re'),
     post(b"Content-Length: 27"), post(b"Transfer-Encoding: chunked", body=b"1a\r\n" + PATIENT + b"\r\n"), b"\r\n\r\n"],
)  # fmt: skip
async def test_half_a_request_stores_nothing(client: httpx.AsyncClient, half: bytes) -> None:
    before = await total(client, "Patient")
    answer = await exchange(client, half, finish=True)
    assert 201 not in statuses(answer)
    assert await total(client, "Patient") == before
    assert (await client.get("metadata")).status_code == 200


async def test_a_length_that_says_too_little_leaves_no_second_request(client: httpx.AsyncClient) -> None:
    inner = b"DELETE /fhir/Patient/victim HTTP/1.1\r\nHost: x\r\n\r\n"
    await client.put("Patient/victim", json=patient(id="victim"))
    answer = await exchange(client, post(b"Content-Length: 26", b"Transfer-Encoding: chunked",
                                         body=b"0\r\n\r\n" + inner))  # fmt: skip
    assert statuses(answer) == [400]
    assert (await client.get("Patient/victim")).status_code == 200


async def test_chunks_are_put_together(client: httpx.AsyncClient) -> None:
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in PATIENT) + b"0\r\n\r\n"
    answer = await exchange(client, post(b"Transfer-Encoding: chunked", body=chunks))
    assert statuses(answer) == [201]


async def test_requests_in_a_row_are_answered_in_order(client: httpx.AsyncClient) -> None:
    one = b"GET /fhir/Patient/%s HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await exchange(
        client, one % b"never" + one % b"bad_id" + b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert statuses(answer) == [404, 400, 200]


async def test_no_header_is_smuggled_into_an_answer(client: httpx.AsyncClient) -> None:
    for evil in (b"/fhir/Patient/a%0d%0aX-Evil:%20y", b"/fhir/%0d%0aX-Evil:%20y", b"/fhir/Patient?a%0d%0aX-Evil:y=1",
                 b"/fhir/Patient?_format=%0d%0aX-Evil:y"):  # fmt: skip
        answer = await exchange(client, b"GET " + evil + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        head = answer.partition(b"\r\n\r\n")[0]
        assert statuses(answer)[0] in {400, 404, 406}
        assert b"\r\nX-Evil" not in head
    answer = await exchange(
        client, b"GET /fhir/metadata HTTP/1.1\r\nHost: evil.example\r\nX-Request-Id: a\rb\r\n\r\n"
    )
    assert b"evil.example" not in answer
    assert b"\rb" not in answer


async def test_the_host_header_decides_nothing(client: httpx.AsyncClient) -> None:
    content = post(b"Content-Length: 26").replace(b"Host: x", b"Host: evil.example")
    answer = await exchange(client, content)
    assert statuses(answer) == [201]
    assert b"evil.example" not in answer


async def test_a_whole_url_may_stand_in_the_request_line(client: httpx.AsyncClient) -> None:
    answer = await exchange(client, b"GET http://x/fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n")
    assert statuses(answer)[0] in {200, 400, 404}


async def test_http_1_0_is_answered(client: httpx.AsyncClient) -> None:
    answer = await exchange(client, b"GET /fhir/Patient/never HTTP/1.0\r\n\r\n")
    assert statuses(answer) == [404]


async def test_who_waits_to_be_told_to_go_on_is_told(client: httpx.AsyncClient) -> None:
    answer = await exchange(client, post(b"Content-Length: 26", b"Expect: 100-continue"))
    assert statuses(answer) in ([100, 201], [201])
