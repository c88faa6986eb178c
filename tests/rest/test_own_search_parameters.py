"""Search parameters of a server's own: http://hl7.org/fhir/R4/searchparameter.html"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fhir_server.interactions import own_parameters
from tests.rest.conftest import Start

URL = "http://example.org/fhir/SearchParameter/"
NICKNAME = "Patient.name.where(use = 'nickname').given"


def definition(code: str, **changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "SearchParameter", "id": f"own-{code}", "url": URL + code, "name": "Own", "status": "active",
        "description": "One of our own", "code": code, "base": ["Patient"], "type": "string", "expression": NICKNAME,
        **changes,
    }  # fmt: skip


def patient(logical_id: str, nickname: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": logical_id, "name": [{"use": "nickname", "given": [nickname]}]}


async def put(client: httpx.AsyncClient, *resources: dict[str, Any]) -> None:
    for resource in resources:
        answer = await client.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
        assert answer.status_code in {200, 201}, answer.text


async def ids(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get(query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", ())]


async def refusal(client: httpx.AsyncClient, query: str) -> str:
    answer = await client.get(query)
    assert answer.status_code == 400, answer.text
    (issue,) = answer.json()["issue"]
    assert issue["code"] == "not-supported"
    return str(issue["diagnostics"])


async def reindexed(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.post("$reindex" + query)
    assert answer.status_code == 202, answer.text
    return await done(client)


async def done(client: httpx.AsyncClient) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            state = await status(client)
            if state["status"] != "running":
                return state
            await asyncio.sleep(0.1)


async def status(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("$reindex-status")
    assert answer.status_code == 200, answer.text
    named = [
        (each["name"], next(v for k, v in each.items() if k != "name")) for each in answer.json()["parameter"]
    ]
    return dict(named)


@pytest.fixture
async def client(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    async with start() as client:
        yield client


async def test_new_data_is_found_at_once(client: httpx.AsyncClient) -> None:
    assert "not known" in await refusal(client, "Patient?nickname=bo")
    await put(client, definition("nickname"), patient("1", "Bobby"))
    assert await ids(client, "Patient?nickname=bo") == ["1"]
    assert await ids(client, "Patient?nickname:missing=true") == []
    assert await ids(client, "Patient?_sort=-nickname") == ["1"]


async def test_old_data_is_refused_until_it_is_indexed(client: httpx.AsyncClient) -> None:
    await put(client, patient("1", "Bobby"), definition("nickname"))
    told = await refusal(client, "Patient?nickname=bo")
    assert "$reindex" in told
    state = await reindexed(client)
    assert (state["status"], state["percent"], state["changed"]) == ("completed", 100, 1)
    assert await ids(client, "Patient?nickname=bo") == ["1"]


async def test_a_reindex_makes_no_version_and_no_history(client: httpx.AsyncClient) -> None:
    await put(client, patient("1", "Bobby"), definition("nickname"))
    before = (await client.get("Patient/1")).json()
    await reindexed(client)
    assert (await client.get("Patient/1")).json() == before
    assert len((await client.get("Patient/1/_history")).json()["entry"]) == 1


async def test_refused_also_in_chains_sorts_includes_and_conditions(client: httpx.AsyncClient) -> None:
    await put(
        client,
        patient("1", "Bobby"),
        {
            "resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"},
            "subject": {"reference": "Patient/1"}, "focus": [{"reference": "Patient/1"}],
        },
        definition("nickname"),
        definition("about", base=["Observation"], type="reference", target=["Patient"], expression="Observation.focus"),
    )  # fmt: skip
    queries = [
        "Observation?subject:Patient.nickname=bo",
        "Patient?_sort=nickname",
        "Patient?_filter=nickname+ew+bby",
        "Patient?_has:Observation:about:status=final",
        "Observation?_include=Observation:about",
        "Observation?about.gender=male",
        "?_type=Patient&nickname=bo",
    ]
    for query in queries:
        assert "not indexed yet" in await refusal(client, query), query
    answer = await client.put("Patient?nickname=bo", json={"resourceType": "Patient"})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "not-supported")
    await reindexed(client)
    assert await ids(client, queries[0]) == ["o"]
    assert await ids(client, "Patient?_has:Observation:about:status=final") == ["1"]
    assert await ids(client, "Observation?_include=Observation:about") == ["o", "1"]
    assert (await client.put("Patient?nickname=bo", json=patient("1", "Bobby"))).status_code == 200


async def test_an_update_means_other_values_and_is_refused_until_they_are_there(
    client: httpx.AsyncClient,
) -> None:
    await put(client, definition("nickname"), patient("1", "Bobby"))
    await put(client, definition("nickname", description="said better"))
    assert await ids(client, "Patient?nickname=bo") == ["1"]
    await put(client, definition("nickname", expression="Patient.name.where(use = 'usual').given"))
    assert "not indexed yet" in await refusal(client, "Patient?nickname=bo")
    await reindexed(client)
    assert await ids(client, "Patient?nickname=bo") == []


@pytest.mark.parametrize("way", ["delete", "retire"])
async def test_what_is_deleted_or_retired_is_unknown_again(client: httpx.AsyncClient, way: str) -> None:
    await put(client, definition("nickname"), patient("1", "Bobby"))
    if way == "delete":
        assert (await client.delete("SearchParameter/own-nickname")).status_code == 204
    else:
        await put(client, definition("nickname", status="retired"))
    assert "not known" in await refusal(client, "Patient?nickname=bo")
    await put(client, definition("nickname"))
    assert "not indexed yet" in await refusal(client, "Patient?nickname=bo")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"expression": "Patient.nmae"}, "no element 'nmae'"),
        ({"expression": "Patient.name.("}, "expected a name"),
        ({"expression": "Patient.name.given.where(matches('(a+)+$'))"}, "matches() is not evaluated"),
        ({"expression": "Patient.repeat(contact)"}, "repeat() is not evaluated"),
        ({"expression": "Patient.name.given | %resource.id"}, "%resource is not evaluated"),
        ({"expression": "Patient" + ".name" * 300}, "at most 1,000"),
        ({"expression": "Observation.code"}, "no part of the expression is about Patient"),
        ({"expression": "Patient.photo.data"}, "base64Binary"),
        ({"code": "birthdate"}, "already"),
        ({"code": "a.b"}, "is not a name"),
        ({"code": "_mine"}, "is not a name"),
        ({"type": "special"}, "of type special"),
        ({"base": ["AuditEvent"], "expression": "AuditEvent.action"}, "built in"),
        ({"type": "composite", "expression": "Patient.contact"}, "components were expected"),
    ],
)
async def test_what_cannot_be_searched_by_is_refused_with_the_reason(
    client: httpx.AsyncClient, changes: dict[str, Any], told: str
) -> None:
    answer = await client.put("SearchParameter/own-x", json={**definition("x"), **changes, "id": "own-x"})
    assert answer.status_code == 422, answer.text
    issues = answer.json()["issue"]
    assert any(told in issue["diagnostics"] for issue in issues), issues
    assert all(issue["expression"][0].startswith("SearchParameter.") for issue in issues)
    draft = {**definition("x"), **changes, "id": "own-x", "status": "draft"}
    assert (await client.put("SearchParameter/own-x", json=draft)).status_code == 201


async def test_one_code_of_a_type_has_one_definition(client: httpx.AsyncClient) -> None:
    await put(client, definition("nickname"))
    second = definition("nickname", id="another", url=URL + "another")
    answer = await client.put("SearchParameter/another", json=second)
    assert answer.status_code == 422
    assert "SearchParameter/own-nickname" in answer.json()["issue"][0]["diagnostics"]


async def test_the_definitions_of_r4_and_us_core_change_nothing(client: httpx.AsyncClient) -> None:
    built_in = definition(
        "birthdate", url="http://hl7.org/fhir/SearchParameter/individual-birthdate", type="date",
        expression="Patient.birthDate",
    )  # fmt: skip
    guide = definition("birthdate", id="guide", type="date", expression="Patient.birthDate")
    await put(client, built_in, guide, {"resourceType": "Patient", "id": "1", "birthDate": "2020"})
    assert await ids(client, "Patient?birthdate=2020") == ["1"]
    assert URL not in str((await client.get("metadata")).json()["rest"])


async def test_a_composite_of_ones_own(client: httpx.AsyncClient) -> None:
    await put(
        client,
        definition(
            "contact-gender-given", type="composite", expression="Patient.contact",
            component=[
                {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"},
                {"definition": "http://hl7.org/fhir/SearchParameter/individual-given", "expression": "name.given"},
            ],
        ),
        {
            "resourceType": "Patient", "id": "1",
            "contact": [
                {"gender": "male", "name": {"given": ["Ann"]}}, {"gender": "female", "name": {"given": ["Bo"]}},
            ],
        },
    )  # fmt: skip
    assert await ids(client, "Patient?contact-gender-given=male$ann") == ["1"]
    assert await ids(client, "Patient?contact-gender-given=male$bo") == []


async def test_one_for_all_types(client: httpx.AsyncClient) -> None:
    await put(client, definition("lang", base=["Resource"], type="token", expression="Resource.language"))
    await put(client, {"resourceType": "Patient", "id": "1", "language": "de"})
    await put(client, {"resourceType": "Basic", "id": "2", "code": {"text": "x"}, "language": "de"})
    assert await ids(client, "Patient?lang=de") == ["1"]
    assert await ids(client, "?_type=Basic,Patient&lang=de") == ["2", "1"]


async def test_the_statement_lists_them_with_their_url(client: httpx.AsyncClient) -> None:
    await put(client, definition("nickname"))
    (rest,) = (await client.get("metadata")).json()["rest"]
    of_patient = next(each for each in rest["resource"] if each["type"] == "Patient")
    assert {"name": "nickname", "definition": URL + "nickname", "type": "string"} in of_patient["searchParam"]
    assert {each["name"] for each in rest["operation"]} >= {"explain", "reindex", "reindex-status"}


async def test_in_a_transaction_all_or_none_becomes_searchable(client: httpx.AsyncClient) -> None:
    def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
        entries = [
            {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
            for each in resources
        ]
        return {"resourceType": "Bundle", "type": "transaction", "entry": entries}

    bad = await client.post("", json=bundle(definition("one"), definition("one", id="two", url=URL + "two")))
    assert bad.status_code == 422
    assert bad.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.code"]
    assert "not known" in await refusal(client, "Patient?one=a")
    good = await client.post("", json=bundle(definition("one"), definition("two")))
    assert good.status_code == 200, good.text
    await put(client, patient("1", "Bobby"))
    assert await ids(client, "Patient?one=bo&two=bo") == ["1"]


async def test_two_servers_never_pass_over_what_the_other_wrote(start: Start) -> None:
    """What the second writes before it knows the parameter is refused, then indexed by itself, and never missed."""
    async with start() as one, start() as two:
        await put(two, patient("0", "Zoe"))
        await one.delete("Patient/0")
        await put(one, definition("nickname"))
        await put(two, *(patient(f"b{number}", "Bobby") for number in range(5)))
        await put(one, *(patient(f"a{number}", "Bobby") for number in range(5)))
        answers = [await client.get("Patient?nickname=bo") for client in (two, one)]
        for answer in answers:
            assert answer.status_code in {200, 400}
            if answer.status_code == 200:
                assert len(answer.json()["entry"]) == 10
            else:
                assert "is being indexed" in answer.json()["issue"][0]["diagnostics"]
        async with asyncio.timeout(20):
            while (await two.get("Patient?nickname=bo")).status_code != 200:
                await asyncio.sleep(0.2)
        for client in (one, two):
            assert len(await ids(client, "Patient?nickname=bo")) == 10


async def test_what_a_server_that_did_not_know_wrote_is_refused_until_it_was_indexed_by_itself(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a long pause of a process: it goes on with what it knew."""
    async with start() as one, start() as two:
        await put(two, patient("0", "Zoe"))
        await two.delete("Patient/0")
        monkeypatch.setattr(own_parameters, "FORGOTTEN_AFTER", 3600.0)
        await put(one, definition("nickname"))
        await put(two, patient("1", "Bobby"))
        assert "written just now" in await refusal(one, "Patient?nickname=bo")
        async with asyncio.timeout(20):
            while (await one.get("Patient?nickname=bo")).status_code != 200:
                await asyncio.sleep(0.1)
        assert await ids(one, "Patient?nickname=bo") == ["1"]
        await put(two, patient("2", "Bobby"))
        assert "written just now" in await refusal(one, "Patient?nickname=bo")
        await done(one)
        assert await ids(two, "Patient?nickname=bo") == ["1", "2"]


async def test_searches_during_a_reindex_are_right_or_refused(start: Start) -> None:
    async with start(reindex_per_second=200) as client:
        await put(client, *(patient(f"p{number:03}", "Bobby") for number in range(300)))
        await put(client, definition("nickname"))
        assert (await client.post("$reindex")).status_code == 202
        told = set()
        refused = 0
        async with asyncio.timeout(30):
            while True:
                answer = await client.get("Patient?nickname=bo&_total=accurate&_count=1")
                if answer.status_code == 200:
                    break
                refused += 1
                told.add(answer.json()["issue"][0]["diagnostics"].rpartition(":")[2])
                await put(client, patient(f"p{refused % 300:03}", "Bobby Brown"))
                await asyncio.sleep(0.02)
        assert answer.json()["total"] == 300
        assert refused
        assert any("%" in each for each in told)
        assert await ids(client, "Patient?nickname=bobby+brown&_count=1000")


async def test_after_a_reindex_everything_is_found_as_if_it_had_just_been_loaded(
    start: Start, database_name: str
) -> None:
    resources = [
        {
            "resourceType": "Patient", "id": f"p{number}", "active": number % 2 == 0, "birthDate": f"19{50 + number}",
            "name": [{"use": "nickname", "given": [f"N{number}"]}], "identifier": [{"system": "urn:x", "value": str(number)}],
        }
        for number in range(20)
    ]  # fmt: skip
    queries = [
        "Patient?nickname=n1", "Patient?nickname:exact=N7", "Patient?nickname:missing=true", "Patient?active=true",
        "Patient?birthdate=ge1960", "Patient?identifier=urn:x|3", "Patient?_sort=-nickname", "Patient?_sort=birthdate",
    ]  # fmt: skip
    async with (
        start(database=f"{database_name[:30]}_f") as fresh,
        start(database=f"{database_name[:30]}_o") as old,
    ):
        await put(fresh, definition("nickname"), *resources)
        await put(old, *resources, definition("nickname"))
        await reindexed(old, "?type=Patient&everything=true")
        for query in queries:
            assert await ids(old, f"{query}&_count=50") == await ids(fresh, f"{query}&_count=50"), query


async def test_the_job_leaves_one_event(client: httpx.AsyncClient) -> None:
    await put(client, patient("1", "Bobby"), definition("nickname"))
    await reindexed(client)
    events = (await client.get("AuditEvent?agent-name=fhir-server+reindex")).json()["entry"]
    assert len(events) == 1


async def test_wrong_types_are_named(client: httpx.AsyncClient) -> None:
    answer = await client.post("$reindex?type=Patiant")
    assert (answer.status_code, "Patiant" in answer.text) == (400, True)
    body = {"resourceType": "Parameters", "parameter": [{"name": "type", "valueCode": "Patient"}]}
    assert (await client.post("$reindex", json=body)).status_code == 202
    with contextlib.suppress(TimeoutError):
        assert (await done(client))["type"] == "Patient"
