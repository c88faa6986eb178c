"""The history interactions. http://hl7.org/fhir/R4/http.html#history"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from resources import validation
from tests.rest.expecting import body, patient, refused


async def pages(client: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    """The entries of all pages."""
    entries: list[dict[str, Any]] = []
    following: str | None = url
    while following is not None:
        response = await client.get(following)
        assert response.status_code == 200, response.text
        bundle = body(response)
        validation.check(bundle)
        assert bundle["type"] == "history"
        assert "total" not in bundle
        entries += bundle.get("entry", [])
        following = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    return entries


async def test_of_an_instance_newest_first(client: httpx.AsyncClient) -> None:
    created = await client.post("Patient", json=patient(language="x-1"))
    logical_id = created.json()["id"]
    await client.put(f"Patient/{logical_id}", json=patient(id=logical_id, language="x-2"))
    await client.delete(f"Patient/{logical_id}")
    await client.put(f"Patient/{logical_id}", json=patient(id=logical_id, language="x-4"))
    entries = await pages(client, f"Patient/{logical_id}/_history")
    told = [(entry["request"]["method"], entry["request"]["url"], entry["response"]["status"][:3],
             entry["response"]["etag"], entry.get("resource", {}).get("language")) for entry in entries]  # fmt: skip
    where = f"Patient/{logical_id}"
    assert told == [
        ("PUT", where, "201", 'W/"4"', "x-4"),
        ("DELETE", where, "204", 'W/"3"', None),
        ("PUT", where, "200", 'W/"2"', "x-2"),
        ("POST", "Patient", "201", 'W/"1"', "x-1"),
    ]
    assert {entry["fullUrl"] for entry in entries} == {f"{client.base_url}{where}"}
    moments = [entry["response"]["lastModified"] for entry in entries]
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize("query", [{"_summary": "text"}, {"_elements": "id,language", "_pretty": "true"}])
async def test_links_keep_how_the_answer_is_wanted(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    logical_id = f"linked{len(query)}"
    for language in ("x-1", "x-2", "x-3"):
        await client.put(f"Patient/{logical_id}", json=patient(id=logical_id, language=language, active=True))
    first = body(await client.get(f"Patient/{logical_id}/_history", params={**query, "_count": "2"}))
    links = {link["relation"]: dict(httpx.URL(link["url"]).params) for link in first["link"]}
    assert links.keys() == {"self", "next"}
    assert all(query.items() <= link.items() for link in links.values()), links
    entries = await pages(client, f"Patient/{logical_id}/_history?{urlencode(query)}&_count=2")
    assert len(entries) == 3
    assert not any("active" in entry["resource"] for entry in entries)
    assert all("SUBSETTED" in str(entry["resource"]["meta"]) for entry in entries)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
async def test_pages_hold_every_version_once(client: httpx.AsyncClient, count: int) -> None:
    for logical_id in ("a", "b", "c"):
        for n in range(3):
            body_ = {
                "resourceType": "Group",
                "id": logical_id,
                "type": "person",
                "actual": True,
                "quantity": n,
            }
            await client.put(f"Group/{logical_id}", json=body_)
    found = [(entry["resource"]["id"], entry["resource"]["meta"]["versionId"])
             for entry in await pages(client, f"Group/_history?_count={count}")]  # fmt: skip
    assert len(found) == len(set(found))
    assert set(found) >= {(logical_id, str(version)) for logical_id in "abc" for version in (1, 2, 3)}
    one = await pages(client, f"Group/a/_history?_count={count}")
    versions = [int(entry["resource"]["meta"]["versionId"]) for entry in one]
    assert versions == sorted(versions, reverse=True)
    assert {1, 2, 3} <= set(versions)


async def test_of_the_whole_system(client: httpx.AsyncClient) -> None:
    await client.put("Patient/sys", json=patient(id="sys"))
    await client.put("Basic/sys", json={"resourceType": "Basic", "id": "sys", "code": {"text": "x"}})
    response = await client.get("_history", params={"_count": 1000})
    types = {entry["resource"]["resourceType"] for entry in body(response)["entry"] if "resource" in entry}
    assert {"Patient", "Basic", "AuditEvent"} <= types


async def test_versions_written_meanwhile_neither_repeat_nor_hide_others(client: httpx.AsyncClient) -> None:
    for n in range(6):
        await client.put("Location/l", json={"resourceType": "Location", "id": "l", "name": f"{n}"})
    first = body(await client.get("Location/l/_history?_count=3"))
    await client.put("Location/l", json={"resourceType": "Location", "id": "l", "name": "new"})
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    second = body(await client.get(following))
    versions = [entry["resource"]["meta"]["versionId"] for entry in first["entry"] + second["entry"]]
    assert versions == ["6", "5", "4", "3", "2", "1"]


async def test_since_and_at(client: httpx.AsyncClient) -> None:
    moments = []
    for n in range(3):
        response = await client.put("Patient/t", json=patient(id="t", language=f"x-{n}"))
        moments.append(response.json()["meta"]["lastUpdated"])
    since = body(await client.get("Patient/t/_history", params={"_since": moments[1]}))
    assert [entry["resource"]["language"] for entry in since["entry"]] == ["x-2", "x-1"]
    at = body(await client.get("Patient/t/_history", params={"_at": moments[1]}))
    assert [entry["resource"]["language"] for entry in at["entry"]] == ["x-1"]
    before = body(await client.get("Patient/t/_history", params={"_at": "1999"}))
    assert "entry" not in before
    year = body(await client.get("Patient/t/_history", params={"_at": moments[0][:4]}))
    assert len(year["entry"]) == 3


@pytest.mark.parametrize(
    "query",
    ["_since=soon", "_since=2026-13-01", "_at=", "_at=yesterday", "_count=-1", "_count=many", "_count=1.5",
     "_cursor=AAAA", "_cursor=%C3%A9", "_cursor=", "_bogus=1", "name=x", "_sort=_id", "_summary=count",
     "_since=2026-01-01T00:00:00+01:00"],
)  # fmt: skip
async def test_what_cannot_be_understood_is_refused(client: httpx.AsyncClient, query: str) -> None:
    await client.put("Patient/q", json=patient(id="q"))
    for path in ("Patient/q/_history", "Patient/_history", "_history"):
        refused(await client.get(f"{path}?{query}"), 400, says=query.partition("=")[0])


async def test_the_unknown_is_ignored_where_lenience_is_preferred(client: httpx.AsyncClient) -> None:
    response = await client.get("Patient/_history?_bogus=1", headers={"Prefer": "handling=lenient"})
    assert response.status_code == 200


async def test_a_cursor_serves_only_what_it_was_given_for(client: httpx.AsyncClient) -> None:
    for logical_id in ("c1", "c2"):
        for n in range(3):
            await client.put(f"Patient/{logical_id}", json=patient(id=logical_id, language=f"x-{n}"))
    first = body(await client.get("Patient/c1/_history?_count=1"))
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    refused(await client.get(following.replace("/c1/", "/c2/")), 400, says="_cursor")


async def test_what_never_was_has_no_history(client: httpx.AsyncClient) -> None:
    refused(await client.get("Patient/never/_history"), 404)
    assert "entry" not in body(await client.get("Substance/_history"))


async def test_count_zero_shows_nothing(client: httpx.AsyncClient) -> None:
    bundle = body(await client.get("Patient/_history?_count=0"))
    assert "entry" not in bundle


async def test_the_count_is_bounded(client: httpx.AsyncClient) -> None:
    bundle = body(await client.get("Patient/_history?_count=99999999999999999999"))
    assert "_count=1000" in bundle["link"][0]["url"]
