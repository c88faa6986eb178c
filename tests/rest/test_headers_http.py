"""HTTP around the interactions: HEAD, OPTIONS, headers both ways, compression. http://hl7.org/fhir/R4/http.html"""

from __future__ import annotations

import gzip
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx
import pytest

from tests.rest.conftest import Start
from tests.rest.expecting import body, events, patient, posted, refused, subtypes, total


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, HEAD, OPTIONS, POST"),
        ("_search", "OPTIONS, POST"),
        ("Patient/1/Observation", "GET, HEAD, OPTIONS"),
        ("Patient/1/*/_search", "OPTIONS, POST"),
        ("metadata", "GET, HEAD, OPTIONS"),
        ("_history", "GET, HEAD, OPTIONS"),
        ("Patient", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
        ("Patient/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("Patient/1/_history", "GET, HEAD, OPTIONS"),
        ("Patient/1/_history/1", "GET, HEAD, OPTIONS"),
        ("Patient/_search", "OPTIONS, POST"),
        ("AuditEvent", "GET, HEAD, OPTIONS, POST"),
        ("AuditEvent/1", "GET, HEAD, OPTIONS"),
    ],
)
async def test_methods(client: httpx.AsyncClient, path: str, allowed: str) -> None:
    options = await client.options(path)
    assert (options.status_code, options.headers["allow"]) == (204, allowed)
    for method in {"DELETE", "GET", "PATCH", "POST", "PUT", "TRACE", "PURGE", "SEARCH"} - set(
        allowed.split(", ")
    ):
        response = await client.request(method, path, json=patient())
        refused(response, 405, says=method)
        assert response.headers["allow"] == allowed
        assert subtypes(await events(client, response)) == [None]


@pytest.mark.parametrize(
    "path", ["Foo", "$foo", "Patient/1/2/3", "_searches", "Patient/$everything", "metadata/x"]
)
async def test_unknown_paths(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.options(path)).status_code == 404
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"):
        response = await client.request(method, path, json={})
        assert response.status_code == 404
        if method != "HEAD":
            refused(response, 404)


async def test_head_is_get_without_body(client: httpx.AsyncClient) -> None:
    await client.put("Patient/head", json=patient(id="head"))
    for path in (
        "Patient/head",
        "Patient/head/_history/1",
        "Patient?_id=head",
        "metadata",
        "Patient/never",
        "Foo",
    ):
        plain = {"Accept-Encoding": "identity"}
        get, head = await client.get(path, headers=plain), await client.head(path, headers=plain)
        assert (head.status_code, head.content) == (get.status_code, b"")
        mine = {"x-request-id", "date"}
        told = [{k: v for k, v in each.headers.items() if k not in mine} for each in (get, head)]
        if "never" not in path:
            assert told[0] == told[1]
        assert len(await events(client, head)) == 1


async def test_etag_last_modified_and_location_name_the_version(client: httpx.AsyncClient) -> None:
    response = await client.put("Patient/tags", json=patient(id="tags"))
    read = await client.get("Patient/tags")
    for name in ("etag", "last-modified"):
        assert read.headers[name] == response.headers[name]
    told = parsedate_to_datetime(read.headers["last-modified"])
    assert told.isoformat()[:19] == body(read)["meta"]["lastUpdated"][:19]
    assert "location" not in read.headers


async def test_every_answer_is_guarded(client: httpx.AsyncClient) -> None:
    for path in ("metadata", "Patient", "Patient/never", "Foo"):
        response = await client.get(path)
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "server" not in response.headers


async def test_a_request_id_is_kept(client: httpx.AsyncClient) -> None:
    response = await client.get("Patient", headers={"X-Request-Id": "My-request.1_2"})
    assert response.headers["x-request-id"] == "My-request.1_2"
    assert len(await events(client, response)) == 1


@pytest.mark.parametrize(
    "forged", ["", "a b", "a" * 65, "a\tb", "<script>", "a,b", "../x", "\u00e9", "${jndi:x}", "a;b", "'", '"']
)
async def test_a_forged_request_id_is_replaced(client: httpx.AsyncClient, forged: str) -> None:
    response = await client.get("Patient", headers={b"X-Request-Id": forged.encode("latin-1")})
    assert response.headers["x-request-id"] != forged
    UUID(response.headers["x-request-id"])


async def test_two_request_ids_are_none(client: httpx.AsyncClient) -> None:
    response = await client.get("Patient", headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")])
    UUID(response.headers["x-request-id"])


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [("", "application/fhir+json"), ("*/*", "application/fhir+json"), ("application/*", "application/fhir+json"),
     ("application/json", "application/json"), ("text/html, */*;q=0.1", "application/fhir+json"),
     ("application/fhir+xml, application/json;q=0.5", "application/json"),
     ("application/fhir+json; fhirVersion=4.0", "application/fhir+json"),
     ("application/json;q=0.1, application/fhir+json;q=0.9", "application/fhir+json")],
)  # fmt: skip
async def test_what_is_accepted_is_answered(client: httpx.AsyncClient, accept: str, media_type: str) -> None:
    response = await client.get("Patient", headers={"Accept": accept})
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize(
    "accept", ["application/fhir+xml", "text/html", "application/fhir+json; fhirVersion=3.0", "*/*;q=0", "garbage",
               "application/json;q=7", ",", "text/turtle"]
)  # fmt: skip
async def test_what_cannot_be_answered_is_406_and_not_done(client: httpx.AsyncClient, accept: str) -> None:
    before = await total(client, "Patient")
    response = await client.post("Patient", json=patient(), headers={"Accept": accept})
    refused(response, 406, says="application/fhir+json")
    assert await total(client, "Patient") == before
    (event,) = await events(client, response)
    assert event["outcome"] == "4"


async def test_several_accept_headers_count_together(client: httpx.AsyncClient) -> None:
    request = client.build_request("GET", "Patient")
    del request.headers["accept"]
    raw = [*request.headers.raw, (b"Accept", b"text/html"), (b"Accept", b"application/json")]
    response = await client.send(httpx.Request("GET", request.url, headers=raw))
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/fhir+xml", "application/xml", "application/fhir+json; charset=latin-1", "x", "",
     "application/fhir+json; fhirVersion=3.0", "application/fhir+json, application/json", "multipart/form-data"],
)  # fmt: skip
async def test_bodies_of_other_types_are_415_and_not_stored(
    client: httpx.AsyncClient, content_type: str
) -> None:
    before = await total(client, "Patient")
    response = await client.post("Patient", json=patient(), headers={"Content-Type": content_type})
    refused(response, 415, says="application/fhir+json")
    assert await total(client, "Patient") == before
    assert subtypes(await events(client, response)) == ["create"]


@pytest.mark.parametrize(
    "content_type",
    ["application/fhir+json", "application/json", "application/fhir+json;charset=UTF-8", "APPLICATION/FHIR+JSON",
     'application/fhir+json; charset="utf-8"', "application/fhir+json; fhirVersion=4.0", "text/json"],
)  # fmt: skip
async def test_bodies_of_json_types_are_taken(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("Patient", json=patient(), headers={"Content-Type": content_type})
    assert response.status_code == 201


async def test_answers_are_zipped_for_who_wants_it(client: httpx.AsyncClient) -> None:
    for coding in ("gzip", "deflate, gzip;q=0.5", "*"):
        response = await client.get("metadata", headers={"Accept-Encoding": coding})
        assert response.headers["content-encoding"] == "gzip", coding
        assert "Accept-Encoding" in response.headers["vary"]
        assert body(response)["resourceType"] == "CapabilityStatement"
    for coding in ("identity", "gzip;q=0", "br", ""):
        response = await client.get("metadata", headers={"Accept-Encoding": coding})
        assert "content-encoding" not in response.headers, coding
        assert "Accept-Encoding" in response.headers["vary"]


async def test_zipped_bodies_are_taken(client: httpx.AsyncClient) -> None:
    raw = gzip.compress(b'{"resourceType":"Patient","active":true}')
    for coding in ("gzip", "x-gzip", "GZIP"):
        response = await client.post("Patient", content=raw, headers={"Content-Encoding": coding})
        assert (response.status_code, response.json()["active"]) == (201, True)
    for coding, sent, status in (("gzip", b"{}", 400), ("gzip", raw[:-9], 400), ("gzip", b"", 400), ("br", raw, 415),
                                 ("gzip, gzip", raw, 415), ("deflate", raw, 415)):  # fmt: skip
        refused(await client.post("Patient", content=sent, headers={"Content-Encoding": coding}), status)


async def test_zipped_bombs_are_413(start: Start) -> None:
    async with start(max_inflated_bytes=100_000, max_body_bytes=50_000) as client:
        bomb = gzip.compress(b" " * 10_000_000)
        assert len(bomb) < 50_000
        refused(await client.post("Patient", content=bomb, headers={"Content-Encoding": "gzip"}), 413)
        within = gzip.compress(b'{"resourceType":"Patient"}'.ljust(100_000))
        accepted = await client.post("Patient", content=within, headers={"Content-Encoding": "gzip"})
        assert accepted.status_code == 201
        refused(await client.post("Patient", content=b'{"resourceType":"Patient"}'.ljust(50_001)), 413)
        assert await total(client, "Patient") == 1


async def test_a_slow_request_is_stopped_and_audited(start: Start, database_name: str) -> None:
    async with start(request_timeout_seconds=0.0001, database=database_name) as client:
        response = await client.get("Patient/x")
        refused(response, 503, says="longer than 0.0001 seconds")
        assert response.headers["retry-after"]
    async with start(database=database_name) as client:
        (event,) = await events(client, response)
        assert event["outcome"] == "8"


async def test_prefer_on_update(client: httpx.AsyncClient) -> None:
    await client.put("Patient/pref", json=patient(id="pref"))
    kinds = (("return=minimal", None), ("return=representation", "Patient"), ("x", "Patient"),
                             ("return=OperationOutcome", "OperationOutcome"), ("return=bogus", "Patient"))  # fmt: skip
    for n, (preference, kind) in enumerate(kinds):
        sent = patient(id="pref", language=f"x-{n}")
        response = await client.put("Patient/pref", json=sent, headers={"Prefer": preference})
        assert response.status_code == 200
        assert (body(response)["resourceType"] if response.content else None) == kind
        assert response.headers["etag"]


async def test_trailing_and_double_slashes_mean_the_same(client: httpx.AsyncClient) -> None:
    logical_id = await posted(client, patient())
    for path in (f"Patient/{logical_id}/", f"/Patient//{logical_id}"):
        response = await client.get(f"{str(client.base_url).rstrip('/')}/{path}")
        assert response.status_code == 200
