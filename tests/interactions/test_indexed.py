"""When the newest search parameters have to be known, and what a search asks of MongoDB for that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandListener

from fhir_server.app import open_context
from fhir_server.context import Context, FhirRequest
from fhir_server.interactions.indexed import may_mean_own
from fhir_server.settings import Settings
from fhir_server.store.store import Store
from fhir_server.system.dispatch import answer


def search(*query: tuple[str, str], resource_type: str = "Observation") -> FhirRequest:
    return FhirRequest("search-type", resource_type, query=query)


@pytest.mark.parametrize(
    "query",
    [
        [("patient", "1"), ("code:not", "x"), ("_sort", "-date,code"), ("_count", "3"), ("_format", "json")],
        [("_include", "Observation:patient"), ("_include:iterate", "Patient:organization:Organization")],
        [("_include", "Observation:*"), ("_include", "*")],
        [("_revinclude", "Provenance:target")],
        [("_list", "1")],
    ],
)
def test_what_r4_defines_is_known(query: list[tuple[str, str]]) -> None:
    assert not may_mean_own(search(*query))


@pytest.mark.parametrize(
    "pair",
    [
        ("eye-colour", "blue"),
        ("eye-colour:not", "blue"),
        ("_sort", "date,-eye-colour"),
        ("subject.name", "x"),
        ("_has:Observation:patient:eye-colour", "x"),
        ("_filter", "eye-colour eq blue"),
        ("_include", "Observation:seen-by"),
        ("_include", "Observation:seen-by:Practitioner"),
        ("_include:iterate", "Foo:patient"),
        ("_include", "patient"),
        ("_revinclude", "Provenance:seen-by"),
    ],
)
def test_what_r4_does_not_define_may_be_of_the_server(pair: tuple[str, str]) -> None:
    assert may_mean_own(search(("patient", "1"), pair))


class Commands(CommandListener):
    """What MongoDB was asked, as (command, collection)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    def started(self, event: Any) -> None:
        self.asked.append((event.command_name, event.command.get(event.command_name)))

    def succeeded(self, event: Any) -> None:
        """Nothing to count."""

    def failed(self, event: Any) -> None:
        """Nothing to count."""


@asynccontextmanager
async def watched(uri: str, database: str) -> AsyncIterator[tuple[Context, Commands]]:
    """A server's core, and what it asks MongoDB from now on."""
    commands = Commands()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        uri, event_listeners=[commands], tz_aware=True
    )
    store = Store(client, database)
    try:
        yield (
            await open_context(Settings(mongodb_uri=SecretStr(uri), mongodb_database=database), store),
            commands,
        )
    finally:
        await store.close()


def resource(resource_type: str, logical_id: str, **members: Any) -> FhirRequest:
    return FhirRequest(
        "update",
        resource_type,
        logical_id,
        resource={"resourceType": resource_type, "id": logical_id, **members},
    )


async def test_each_level_of_an_include_is_one_question_more(mongod_uri: str, database_name: str) -> None:
    """http://hl7.org/fhir/R4/search.html#include"""
    async with watched(mongod_uri, database_name) as (ctx, commands):
        await answer(ctx, resource("Organization", "o", name="Mid"))
        await answer(ctx, resource("Patient", "p", managingOrganization={"reference": "Organization/o"}))
        code = {"text": "seen"}
        about = {"reference": "Patient/p"}
        await answer(ctx, resource("Observation", "1", status="final", code=code, subject=about))

        async def questions(*includes: tuple[str, str]) -> list[Any]:
            await ctx.parameters.newest()  # looked for once a second, whatever is asked
            commands.asked.clear()
            result = await answer(ctx, search(("patient", "p"), *includes))
            assert result.resource is not None
            assert len(result.resource["entry"]) == 1 + len(includes)
            return [about for name, about in commands.asked if name != "insert"]

        patients = ("_include", "Observation:patient")
        assert await questions() == ["Observation"]
        assert await questions(patients) == ["Observation", "Patient"]
        organizations = ("_include:iterate", "Patient:organization")
        assert await questions(patients, organizations) == ["Observation", "Patient", "Organization"]
