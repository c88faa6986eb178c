"""Transactions that look for nothing are committed together; each is all or nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from fhir_server.app import open_context, open_store
from fhir_server.context import Context
from fhir_server.settings import Settings
from fhir_server.submit import submitter
from importers.submit import Sender
from resources.outcome import FHIRError

SENDER = Sender(software="test")
Entry = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def ctx(mongod_uri: str, database_name: str) -> AsyncIterator[Context]:
    settings = Settings(mongodb_uri=SecretStr(mongod_uri), mongodb_database=database_name)
    store = open_store(settings)
    yield await open_context(settings, store)
    await store.close()


def put(resource_type: str, logical_id: str, more: Entry | None = None, **request: str) -> Entry:
    resource = {"resourceType": resource_type, "id": logical_id, **(more or {})}
    return {
        "fullUrl": f"http://example.org/{resource_type}/{logical_id}",
        "resource": resource,
        "request": {"method": "PUT", "url": f"{resource_type}/{logical_id}", **request},
    }


def bundle(*entries: Entry) -> Entry:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def pair(number: int) -> Entry:
    return bundle(
        put("Patient", f"p{number}", ifNoneMatch="*"), put("Organization", f"o{number}", {"name": "x"})
    )


async def stored(ctx: Context, resource_type: str) -> dict[str, int]:
    return {each["_id"]: each["v"] for each in await ctx.store.find(resource_type, {}) if "r" in each}


async def events(ctx: Context, action: str) -> int:
    return await ctx.store.count("AuditEvent", {"r.action": action})


async def test_many_share_few_commits(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(pair(100), SENDER, "collections are made")
    before = await _commits(ctx)
    await asyncio.gather(*(submit(pair(n), SENDER, f"k{n}") for n in range(40)))
    assert await _commits(ctx) - before <= 10


async def _commits(ctx: Context) -> int:
    status = await ctx.store.client.admin.command("serverStatus")
    count: int = status["metrics"]["commands"]["commitTransaction"]["total"]
    return count


async def test_each_is_there_with_its_events(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    answers = await asyncio.gather(*(submit(pair(n), SENDER, f"k{n}") for n in range(40)))
    for number, answer in enumerate(answers):
        assert answer is not None
        assert [entry["response"]["location"] for entry in answer["entry"]] == [
            f"Patient/p{number}/_history/1",
            f"Organization/o{number}/_history/1",
        ]
    assert await stored(ctx, "Patient") == {f"p{n}": 1 for n in range(40)}
    assert await stored(ctx, "Organization") == {f"o{n}": 1 for n in range(40)}
    assert await events(ctx, "U") == 80
    assert await events(ctx, "E") == 40


async def test_one_that_fails_fails_alone(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(bundle(put("Patient", "p7", {"active": True})), SENDER, "before")
    answers = await asyncio.gather(
        *(submit(pair(n), SENDER, f"k{n}") for n in range(20)), return_exceptions=True
    )
    refused = answers.pop(7)
    assert isinstance(refused, FHIRError)
    assert refused.status == 412
    assert all(isinstance(answer, dict) for answer in answers)
    assert await stored(ctx, "Patient") == {f"p{n}": 1 for n in range(20)}
    assert await stored(ctx, "Organization") == {f"o{n}": 1 for n in range(20) if n != 7}


async def test_the_same_key_at_once_is_done_once(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    answers = await asyncio.gather(*(submit(pair(1), SENDER, "same") for _ in range(10)))
    assert sum(answer is not None for answer in answers) == 1
    assert await stored(ctx, "Organization") == {"o1": 1}
    assert await events(ctx, "U") == 2


async def test_of_writers_of_one_version_one_wins(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(pair(1), SENDER, "first")

    def change(number: int) -> Entry:
        return bundle(
            put("Patient", "p1", {"birthDate": f"20{number:02}"}, ifMatch='W/"1"'),
            put("Organization", f"by{number}", {"name": "x"}),
        )

    answers = await asyncio.gather(
        *(submit(change(n), SENDER, f"k{n}") for n in range(10)), return_exceptions=True
    )
    [winner] = [n for n, answer in enumerate(answers) if isinstance(answer, dict)]
    assert {answer.status for answer in answers if isinstance(answer, FHIRError)} == {412}
    assert await stored(ctx, "Patient") == {"p1": 2}
    assert await stored(ctx, "Organization") == {"o1": 1, f"by{winner}": 1}


async def test_what_has_to_be_looked_for_is_found_in_a_transaction_of_its_own(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    identifier = [{"system": "urn:x", "value": "1"}]
    await submit(bundle(put("Patient", "p1", {"identifier": identifier})), SENDER, "k1")
    about = {"status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient?identifier=urn:x|1"}}
    await submit(bundle(put("Observation", "a", about)), SENDER, "k2")
    [found] = await ctx.store.find("Observation", {})
    assert found["r"]["subject"] == {"reference": "Patient/p1"}
    missing = {**about, "subject": {"reference": "Patient?identifier=urn:x|2"}}
    with pytest.raises(FHIRError) as refused:
        await submit(bundle(put("Observation", "b", missing), put("Patient", "p2")), SENDER, "k3")
    assert refused.value.status in {400, 404, 412, 422}
    assert await stored(ctx, "Patient") == {"p1": 1}


def first(number: int, *identifiers: str) -> Entry:
    """A patient who is to be the first with any of the identifiers, and an organization beside him."""
    known = [{"system": "urn:x", "value": value} for value in identifiers]
    criteria = ",".join(f"urn:x|{value}" for value in identifiers)
    patient = {
        "fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        "resource": {"resourceType": "Patient", "identifier": known},
        "request": {"method": "PUT", "url": f"Patient?identifier={criteria}", "ifNoneMatch": "*"},
    }
    account = {"status": "active", "subject": [{"reference": patient["fullUrl"]}]}
    return bundle(patient, put("Account", f"a{number}", account, ifNoneMatch="*"))


async def accounts(ctx: Context) -> dict[str, str]:
    found = await ctx.store.find("Account", {})
    return {each["_id"]: each["r"]["subject"][0]["reference"] for each in found}


async def test_the_first_that_match_share_few_commits_too(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(first(100, "100"), SENDER, "collections are made")
    before = await _commits(ctx)
    await asyncio.gather(*(submit(first(n, str(n)), SENDER, f"k{n}") for n in range(40)))
    assert await _commits(ctx) - before <= 10
    patients = {f"Patient/{each}" for each in await stored(ctx, "Patient")}
    assert len(patients) == 41
    assert set((await accounts(ctx)).values()) == patients


async def test_one_that_is_not_the_first_is_refused_alone(ctx: Context) -> None:
    submit = submitter(ctx, plain=True)
    await submit(bundle(put("Patient", "p", {"identifier": [{"system": "urn:x", "value": "7"}]})), SENDER)
    answers = await asyncio.gather(
        *(submit(first(n, str(n)), SENDER, f"k{n}") for n in range(20)), return_exceptions=True
    )
    refused = answers.pop(7)
    assert isinstance(refused, FHIRError)
    assert refused.status == 412
    assert all(isinstance(answer, dict) for answer in answers)
    assert len(await stored(ctx, "Patient")) == 20
    assert (await accounts(ctx)).keys() == {f"a{n}" for n in range(20) if n != 7}


async def test_of_those_that_would_be_the_first_one_is_on_all_servers(
    ctx: Context, mongod_uri: str, database_name: str
) -> None:
    settings = Settings(mongodb_uri=SecretStr(mongod_uri), mongodb_database=database_name)
    other = await open_context(settings, open_store(settings))
    here, there = submitter(ctx, plain=True), submitter(other, plain=True)
    asked = [(here, there)[n % 2](first(n, "shared", f"own{n % 3}"), SENDER, f"k{n}") for n in range(20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    await other.store.close()
    assert [each.status for each in answers if isinstance(each, FHIRError)] == [412] * 19
    [patient] = await stored(ctx, "Patient")
    assert list((await accounts(ctx)).values()) == [f"Patient/{patient}"]
