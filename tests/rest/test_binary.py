"""Binary as raw bytes and as a resource. http://hl7.org/fhir/R4/binary.html#rest"""

from __future__ import annotations

import base64
import os

import httpx
import pytest
import pytest_asyncio

from tests.rest.expecting import body, refused, total

PNG = b"\x89PNG\r\n\x1a\n\x00\xff\xfe"


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def image(client: httpx.AsyncClient) -> None:
    response = await client.put("Binary/image", content=PNG, headers={"Content-Type": "image/png"})
    assert response.status_code == 201, response.text


async def test_bytes_become_a_resource(client: httpx.AsyncClient) -> None:
    resource = body(await client.get("Binary/image"))
    assert resource["contentType"] == "image/png"
    assert base64.b64decode(resource["data"]) == PNG


@pytest.mark.parametrize(
    "accept", ["*/*", "image/png", "image/*", "text/html,application/xhtml+xml", "", "text/plain"]
)
async def test_bytes_come_back_as_they_were(client: httpx.AsyncClient, accept: str) -> None:
    for url in ("Binary/image", "Binary/image/_history/1"):
        response = await client.get(url, headers={"Accept": accept})
        assert response.status_code == 200
        assert response.content == PNG
        assert response.headers["content-type"] == "image/png"
        assert response.headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("accept", "query"),
    [("application/fhir+json", ""), ("application/json", ""), ("*/*, application/fhir+json", ""),
     ("*/*", "?_format=json"), ("image/png", "?_format=application/fhir%2Bjson")],
)  # fmt: skip
async def test_who_asks_for_fhir_gets_the_resource(
    client: httpx.AsyncClient, accept: str, query: str
) -> None:
    response = await client.get(f"Binary/image{query}", headers={"Accept": accept})
    assert body(response)["resourceType"] == "Binary"


async def test_json_inside_a_binary_is_told_from_the_resource(client: httpx.AsyncClient) -> None:
    created = await client.post("Binary", content=b'{"a": 1}', headers={"Content-Type": "application/json"})
    where = created.headers["location"].partition("/_history")[0]
    assert (await client.get(where, headers={"Accept": "application/json"})).content == b'{"a": 1}'
    assert body(await client.get(where))["resourceType"] == "Binary"
    made = await client.post(
        "Binary", json={"resourceType": "Binary", "contentType": "text/plain", "data": "YQ=="}
    )
    assert body(made)["data"] == "YQ=="
    assert (await client.get(f"Binary/{made.json()['id']}", headers={"Accept": "*/*"})).content == b"a"


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/json"])
async def test_json_that_says_it_is_a_binary_is_the_resource(
    client: httpx.AsyncClient, content_type: str
) -> None:
    sent = {"resourceType": "Binary", "id": "plain", "contentType": "text/plain", "data": "YQ=="}
    headers = {"Content-Type": content_type}
    assert body(await client.put("Binary/plain", json=sent, headers=headers))["data"] == "YQ=="
    assert (await client.get("Binary/plain", headers={"Accept": "*/*"})).content == b"a"
    wrong = {"resourceType": "Binary", "data": "YQ=="}
    refused(await client.post("Binary", json=wrong, headers=headers), 400, at="Binary.contentType")
    for content in (b'{"resourceType": "Patient"}', b"[1]", b"{", b'"Binary"', b"\xff"):
        kept = body(await client.post("Binary", content=content, headers=headers))
        assert base64.b64decode(kept["data"]) == content


@pytest.mark.parametrize("content_type", ["nonsense", "image", "a b/c", "/", "text/", "text/plain; a"])
async def test_what_is_no_media_type_is_415(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("Binary", content=b"x", headers={"Content-Type": content_type})
    refused(response, 415, says="a type and a subtype")


async def test_who_may_see_it_travels_along(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "text/plain", "X-Security-Context": "Patient/p1"}
    created = await client.post("Binary", content=b"x", headers=headers)
    assert body(created)["securityContext"] == {"reference": "Patient/p1"}
    raw = await client.get(f"Binary/{created.json()['id']}", headers={"Accept": "*/*"})
    assert raw.headers["x-security-context"] == "Patient/p1"
    bad = {"Content-Type": "text/plain", "X-Security-Context": "not a reference"}
    before = await total(client, "Binary")
    refused(
        await client.post("Binary", content=b"x", headers=bad), 400, at="Binary.securityContext.reference"
    )
    assert await total(client, "Binary") == before


async def test_browsers_neither_show_nor_guess_it(client: httpx.AsyncClient) -> None:
    page = b"<script>alert(1)</script>"
    created = await client.post("Binary", content=page, headers={"Content-Type": "text/html"})
    raw = await client.get(f"Binary/{created.json()['id']}", headers={"Accept": "text/html"})
    assert raw.content == page
    assert raw.headers["content-disposition"] == "attachment"
    assert raw.headers["content-security-policy"].startswith("sandbox")
    assert raw.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("content_type", ["text/✓", "text", "text/plain; a=\x7f", "a b c", "text/plain;", "\u00e9/\u00e9",
                                          "text/plain\r\nSet-Cookie: a=b", "text/plain\nSet-Cookie:a", "a/b\x00"])  # fmt: skip
async def test_types_that_no_header_can_hold_go_out_as_bytes(
    client: httpx.AsyncClient, content_type: str
) -> None:
    sent = {"resourceType": "Binary", "contentType": content_type, "data": "YQ=="}
    created = await client.post("Binary", json=sent)
    if created.status_code != 201:
        refused(created, 400)
        return
    raw = await client.get(f"Binary/{created.json()['id']}", headers={"Accept": "*/*"})
    assert raw.status_code == 200
    assert raw.content == b"a"
    assert raw.headers["content-type"] in {content_type, "application/octet-stream"}
    assert "set-cookie" not in raw.headers


async def test_what_is_no_base64_is_refused(client: httpx.AsyncClient) -> None:
    for data in ("!", "YQ=", "YQ", "Y Q=", "é"):
        sent = {"resourceType": "Binary", "contentType": "text/plain", "data": data}
        refused(await client.post("Binary", json=sent), 400, at="Binary.data")


async def test_a_binary_without_bytes_is_empty(client: httpx.AsyncClient) -> None:
    created = await client.post("Binary", content=b"", headers={"Content-Type": "text/plain"})
    assert created.status_code == 201
    raw = await client.get(f"Binary/{created.json()['id']}", headers={"Accept": "*/*"})
    assert (raw.status_code, raw.content) == (200, b"")


async def test_a_type_is_needed(client: httpx.AsyncClient) -> None:
    request = client.build_request("POST", "Binary", content=b"x")
    del request.headers["content-type"]
    refused(await client.send(request), 400, says="Content-Type")


async def test_what_is_too_large_for_a_document_is_413_and_not_stored(client: httpx.AsyncClient) -> None:
    before = await total(client, "Binary")
    large = b"a" * 17_000_000
    refused(await client.post("Binary", content=large, headers={"Content-Type": "text/plain"}), 413)
    entry = {"request": {"method": "POST", "url": "Binary"},
             "resource": {"resourceType": "Binary", "contentType": "text/plain",
                          "data": base64.b64encode(large).decode()}}  # fmt: skip
    small = {"request": {"method": "POST", "url": "Binary"},
             "resource": {"resourceType": "Binary", "contentType": "text/plain"}}  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [small, entry]}
    refused(await client.post("", json=bundle), 413)
    assert await total(client, "Binary") == before


async def test_an_update_replaces_the_bytes(client: httpx.AsyncClient) -> None:
    for n, raw in enumerate((b"one", b"two", b"two"), 1):
        response = await client.put("Binary/u", content=raw, headers={"Content-Type": "text/plain"})
        assert response.headers["etag"] == f'W/"{min(n, 2)}"'
    assert (await client.get("Binary/u", headers={"Accept": "*/*"})).content == b"two"
    refused(await client.get("Binary/never", headers={"Accept": "*/*"}), 404)
    await client.delete("Binary/u")
    refused(await client.get("Binary/u", headers={"Accept": "image/png"}), 410)


async def test_20_megabytes_of_base64_are_stored_and_come_back(client: httpx.AsyncClient) -> None:
    """MongoDB has 16 MB for a document: the bytes are fewer than their text."""
    first, second = os.urandom(15_000_000), os.urandom(14_999_999)
    for number, data in ((1, first), (2, second)):
        response = await client.put("Binary/large", content=data, headers={"Content-Type": "application/pdf"})
        assert response.headers["etag"] == f'W/"{number}"', response.text
    assert (await client.get("Binary/large", headers={"Accept": "application/pdf"})).content == second
    older = body(await client.get("Binary/large/_history/1"))
    assert older["data"] == base64.b64encode(first).decode()
    await client.delete("Binary/large")
