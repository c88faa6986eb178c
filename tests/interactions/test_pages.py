"""Pages of searches that come in at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

from fhir_server.context import Context, FhirRequest, Query
from fhir_server.system.dispatch import answer
from tests.interactions.test_indexed import watched

CODE = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}


def observation(logical_id: str, patient: str, date: str | None) -> FhirRequest:
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": logical_id,
        "status": "final",
        "code": CODE,
    }
    resource["subject"] = {"reference": f"Patient/{patient}"}
    if date is not None:
        resource["effectiveDateTime"] = date
    return FhirRequest("update", "Observation", logical_id, resource=resource)


def newest(patient: str, *more: tuple[str, str]) -> Query:
    return (("patient", patient), ("code", "718-7"), ("_sort", "-date"), *more)


async def page(ctx: Context, query: Query) -> tuple[list[str], dict[str, str]]:
    """The ids on a page, and its links."""
    result = await answer(ctx, FhirRequest("search-type", "Observation", query=query))
    bundle = result.resource
    assert bundle is not None
    links = {each["relation"]: each["url"] for each in bundle["link"]}
    return [each["resource"]["id"] for each in bundle.get("entry", ())], links


async def test_searches_of_one_moment_are_one_question_and_each_has_its_own_answer(
    mongod_uri: str, database_name: str
) -> None:
    async with watched(mongod_uri, database_name) as (ctx, commands):
        for n in range(12):
            date = None if n < 3 else f"2024-01-{n:02}"
            await answer(ctx, observation(f"o{n:02}", f"p{n % 3}", date))
        queries = [newest("p0"), newest("p1", ("_count", "2")), newest("p2"), newest("nobody")]
        alone = [await page(ctx, query) for query in queries]
        commands.asked.clear()
        together = await asyncio.gather(*(page(ctx, query) for query in queries))
        questions = [name for name, about in commands.asked if about == "Observation"]
        assert questions == ["aggregate"]
        assert [ids for ids, _ in together] == [
            ["o09", "o06", "o03", "o00"], ["o10", "o07"], ["o11", "o08", "o05", "o02"], [],
        ]  # fmt: skip
        assert [ids for ids, _ in together] == [ids for ids, _ in alone]
        assert [set(links) for _, links in together] == [set(links) for _, links in alone]
        cursor = together[1][1]["next"].rpartition("_cursor=")[2]
        rest, _ = await page(ctx, newest("p1", ("_count", "2"), ("_cursor", cursor)))
        assert rest == ["o04", "o01"]
