"""The search interaction over HTTP: control parameters and paging. http://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from resources import validation
from tests.rest.expecting import body, patient, refused, total

MRN = "http://example.org/mrn"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def patients(client: httpx.AsyncClient) -> None:
    """25 patients `s00` … `s24`, every fifth of them male."""
    for n in range(25):
        resource = patient(
            id=f"s{n:02}",
            identifier=[{"system": MRN, "value": f"{n}"}],
            gender="female" if n % 5 else "male",
            birthDate=f"{1950 + n}-06-15",
            name=[{"family": f"Family{n}", "given": ["Ann"]}],
            managingOrganization={"reference": "Organization/o1"},
        )
        assert (await client.put(f"Patient/s{n:02}", json=resource)).status_code == 201


def links(bundle: dict[str, Any]) -> dict[str, str]:
    return {link["relation"]: link["url"] for link in bundle["link"]}


def ids(bundle: dict[str, Any]) -> list[str]:
    return [
        entry["resource"]["id"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == "match"
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("_id=s03,s04", ["s03", "s04"]),
        (f"identifier={MRN}|7", ["s07"]),
        ("identifier=7", ["s07"]),
        ("identifier=|7", []),
        ("gender=male", ["s00", "s05", "s10", "s15", "s20"]),
        ("gender=male&birthdate=ge1960", ["s10", "s15", "s20"]),
        ("birthdate=1951-06,1952-06-15", ["s01", "s02"]),
        ("family=family1&_count=3", ["s01", "s10", "s11"]),
        ("family:exact=Family1", ["s01"]),
        ("family:contains=MILY24", ["s24"]),
        ("organization=Organization/o1&_id=s01", ["s01"]),
        ("organization=o1&_id=s01", ["s01"]),
        ("_lastUpdated=gt2001&_id=s01", ["s01"]),
        ("_lastUpdated=lt2001", []),
        ("name=.*&_count=100", []),
        ("name=%5EFamily", []),
        ("name=$where", []),
        ("family=Family1%00", None),
        ("gender=male&gender=female", []),
    ],
)  # fmt: skip
async def test_what_is_asked_for_is_found(
    client: httpx.AsyncClient, query: str, found: list[str] | None
) -> None:
    response = await client.get(f"Patient?{query}")
    if found is None:
        refused(response, 400)
        return
    bundle = body(response)
    validation.check(bundle)
    assert bundle["type"] == "searchset"
    assert ids(bundle) == found
    assert all(entry["search"]["mode"] == "match" for entry in bundle.get("entry", []))
    assert [entry["fullUrl"] for entry in bundle.get("entry", [])] == [
        f"{client.base_url}Patient/{i}" for i in found
    ]


async def test_a_form_is_asked_the_same_way(client: httpx.AsyncClient) -> None:
    response = await client.post("Patient/_search", content=b"gender=male&_count=2", headers=FORM)
    assert ids(body(response)) == ["s00", "s05"]
    both = await client.post("Patient/_search?gender=male", content=b"birthdate=ge1960", headers=FORM)
    assert ids(body(both)) == ["s10", "s15", "s20"]
    following = links(body(response))["next"]
    assert ids(body(await client.get(following))) == ["s10", "s15"]
    empty = await client.post("Patient/_search?_id=s01", headers={"Content-Type": FORM["Content-Type"]})
    assert ids(body(empty)) == ["s01"]
    refused(await client.post("Patient/_search", json={}), 415)
    refused(await client.post("Patient/_search", content=b"name=\xff", headers=FORM), 400)
    refused(await client.post("Patient/_search", content=b"_elements=bogus", headers=FORM), 400)


@pytest.mark.parametrize("count", [1, 4, 5, 24, 25, 100])
@pytest.mark.parametrize("sort", ["", "_id", "-_id", "_lastUpdated", "-_lastUpdated,_id"])
async def test_pages_lead_forwards_and_back(client: httpx.AsyncClient, count: int, sort: str) -> None:
    url: str | None = f"Patient?_id={','.join(f's{n:02}' for n in range(25))}&_count={count}"
    if sort:
        url = f"{url}&_sort={sort}"
    seen: list[str] = []
    page: dict[str, Any] = {}
    while url is not None:
        page = body(await client.get(url))
        assert len(ids(page)) <= count
        seen += ids(page)
        url = links(page).get("next")
    expected = [f"s{n:02}" for n in range(25)]
    assert seen == (expected[::-1] if sort.startswith("-") else expected)
    back = list(ids(page))
    while (previous := links(page).get("previous")) is not None:
        page = body(await client.get(previous))
        back = ids(page) + back
    assert back == seen


@pytest.mark.parametrize(
    "path", ["Patient?gender=male&_count=1", "?_type=Patient&_count=1", "Patient?_count=0"]
)
async def test_links_keep_how_the_answer_is_written(client: httpx.AsyncClient, path: str) -> None:
    found = links(body(await client.get(f"{path}&_format=json&_pretty=true")))
    assert "self" in found
    for link in found.values():
        params = httpx.URL(link).params
        assert (params.get_list("_format"), params.get_list("_pretty")) == (["json"], ["true"])
        assert "\n  " in (await client.get(link)).text


async def test_a_page_neither_repeats_nor_loses_while_others_write(client: httpx.AsyncClient) -> None:
    tag = {"meta": {"tag": [{"code": "moving"}]}}
    for n in range(0, 10, 2):
        await client.put(f"Patient/m{n}", json=patient(id=f"m{n}", **tag))
    first = body(await client.get("Patient?_tag=moving&_count=2"))
    await client.put("Patient/m1", json=patient(id="m1", **tag))
    await client.delete("Patient/m0")
    rest = body(await client.get(links(first)["next"].replace("_count=2", "_count=9")))
    assert ids(first) + ids(rest) == ["m0", "m2", "m4", "m6", "m8"]


async def test_the_self_link_says_what_was_applied(client: httpx.AsyncClient) -> None:
    bundle = body(await client.get("Patient?gender=male&_count=2&_pretty=true"))
    applied = parse_qs(urlsplit(links(bundle)["self"]).query)
    assert applied == {"gender": ["male"], "_count": ["2"], "_pretty": ["true"]}
    assert links(bundle)["self"].startswith(f"{client.base_url}Patient?")


async def test_totals_only_on_request(client: httpx.AsyncClient) -> None:
    assert "total" not in body(await client.get("Patient?gender=male"))
    accurate = body(await client.get("Patient?gender=male&_count=2&_total=accurate"))
    assert (accurate["total"], len(accurate["entry"])) == (5, 2)
    for query in ("_summary=count", "_count=0"):
        counted = body(await client.get(f"Patient?gender=male&{query}"))
        validation.check(counted)
        assert counted["total"] == 5
        assert "entry" not in counted


async def test_strict_refuses_what_lenient_leaves_out(client: httpx.AsyncClient) -> None:
    refused(await client.get("Patient?nickname=x&_id=s01"), 400, says="nickname")
    strict = await client.get("Patient?nickname=x", headers={"Prefer": "handling=strict"})
    refused(strict, 400)
    lenient = await client.get("Patient?nickname=x&_id=s01", headers={"Prefer": "handling=lenient"})
    bundle = body(lenient)
    validation.check(bundle)
    assert ids(bundle) == ["s01"]
    outcome = bundle["entry"][-1]
    assert outcome["search"]["mode"] == "outcome"
    assert "nickname" in outcome["resource"]["issue"][0]["diagnostics"]
    assert "nickname" not in links(bundle)["self"]
    malformed = await client.get("Patient?birthdate=soon", headers={"Prefer": "handling=lenient"})
    refused(malformed, 400, says="birthdate")


@pytest.mark.parametrize(
    "query",
    ["_count=-1", "_count=x", "_count=1&_count=2", "_total=all", "_sort=_text", "_sort=", "_cursor=x", "_cursor=%FF",
     "_summary=all", "_elements=", "_elements=nickname", "_elements=name,", "birthdate=soon", "birthdate=2020-02-30",
     "birthdate=ge", "birthdate=1950-06-15T10:00:00+01:00", "_lastUpdated=2026-13", "name", "name=", "_id=", "_id=,",
     "identifier=|", "identifier=a|b|c", "name:bogus=x", "name:=x", "=x", "$where=1", "name[$ne]=1", "a.b=1",
     "name=%00", "name=%FF", "name=%zz", "name=%", "_has:Observation:patient=1", "_include=x"],
)  # fmt: skip
async def test_what_cannot_be_understood_is_refused(client: httpx.AsyncClient, query: str) -> None:
    refused(await client.get(f"Patient?{query}"), 400)


async def test_searches_have_bounds(client: httpx.AsyncClient) -> None:
    refused(await client.get("Patient?name=" + "a" * 9000), 400, says="name")
    refused(await client.get("Patient?" + "&".join(["name=a"] * 500)), 400)
    refused(await client.get("Patient?" + "&".join(["name=a"] * 1500)), 400)
    refused(await client.get("Patient?_id=" + ",".join(["a"] * 2000)), 400)
    bounded = body(await client.get("Patient?_count=999999999999"))
    assert parse_qs(urlsplit(links(bounded)["self"]).query)["_count"] == ["1000"]


@pytest.mark.parametrize(
    "text", ["(a+)+$", "a{1,99999}", "[", "(?=", "\\", ".*.*.*.*.*!", "a|b", "\ud7ff", "🩺"]
)
async def test_hostile_texts_find_nothing(client: httpx.AsyncClient, text: str) -> None:
    for name in ("family", "family:contains", "family:exact", "name", "address"):
        response = await client.get("Patient", params={name: text})
        assert response.status_code == 200, response.text
        assert ids(body(response)) == []


async def test_types_nobody_stored_are_empty(client: httpx.AsyncClient) -> None:
    assert await total(client, "Substance") == 0
    bundle = body(await client.get("Substance"))
    validation.check(bundle)
    assert "entry" not in bundle


async def test_a_cursor_serves_only_its_own_search(client: httpx.AsyncClient) -> None:
    following = links(body(await client.get("Patient?gender=male&_count=2")))["next"]
    refused(await client.get(following.replace("gender=male", "gender=female")), 400, says="_cursor")
    refused(await client.get(following.replace("/Patient?", "/Practitioner?")), 400)
    refused(await client.get(following[:-2]), 400, says="_cursor")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.9999999-05:00", "0001-01-01T00:00:00.000%2B14:00"])
async def test_the_edges_of_the_calendar_are_stored_and_searched(
    client: httpx.AsyncClient, moment: str
) -> None:
    told = moment.replace("%2B", "+")
    observed = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"code": f"edge-{moment[0]}"}]},
    }
    for effective in (
        {"effectiveDateTime": told},
        {"effectivePeriod": {"start": told}},
        {"effectivePeriod": {"end": told}},
        {"effectiveTiming": {"event": [told]}},
    ):
        stored = await client.post("Observation", json={**observed, **effective})
        assert stored.status_code == 201, stored.text
        validation.check(body(stored))
    for prefix in ("", "ne", "lt", "le", "gt", "ge", "sa", "eb", "ap"):
        for query in (f"Observation?date={prefix}{moment}", f"Patient?_lastUpdated={prefix}{moment}"):
            assert (await client.get(query)).status_code == 200, query
    same = body(await client.get(f"Observation?code=edge-{moment[0]}&date={moment}"))
    assert len(same["entry"]) == 3, "the dateTime, the event, and the Period whose open end is this edge, too"
    for query in (f"_since={moment}", f"_at={moment}"):
        assert (await client.get(f"Patient/_history?{query}")).status_code == 200, query
