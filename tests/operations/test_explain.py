"""What a search costs is told step by step, and what would help."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from fhir_server.app import open_context, open_store
from fhir_server.context import Context
from fhir_server.operations.explain import Step, as_parameters, as_text, steps
from fhir_server.operations.suggestion import suggestion
from fhir_server.settings import Settings
from fhir_server.store import explaining
from fhir_server.store.documents import CODEC_OPTIONS
from fhir_server.store.explaining import MOST_VALUES, Explained, explain
from resources import validation
from resources.outcome import FHIRError
from tests.bench import population

MANY, PATIENTS = 3_000, 15


@asynccontextmanager
async def at_hand(uri: str, name: str) -> AsyncIterator[Context]:
    settings = Settings(mongodb_uri=SecretStr(uri), mongodb_database=name)
    store = open_store(settings)
    try:
        yield await open_context(settings, store)
    finally:
        await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ctx(mongod_uri: str, module_database_name: str) -> AsyncIterator[Context]:
    async with at_hand(mongod_uri, module_database_name) as ctx:
        for name, some in (
            ("Patient", population.patients(PATIENTS)),
            ("Observation", population.observations(0, MANY, PATIENTS)),
        ):
            await ctx.store.collections.ensure(name)
            collection = ctx.store.database.get_collection(name, CODEC_OPTIONS)
            await collection.insert_many(population.stored(some, ctx.site))
        yield ctx


async def explained(ctx: Context, search: str) -> list[Step]:
    async with ctx.store.unit() as unit:
        return await steps(ctx, unit, search)


async def test_a_search_with_an_index_of_its_own(ctx: Context) -> None:
    (step,) = await explained(ctx, "Observation?patient=Patient/p7&code=718-7&_sort=-date&_count=5")
    told = step.explained
    assert told.indexes == ("patient+code+date",)
    assert (told.returned, told.documents, told.sorted_in_memory) == (6, 6, False)
    assert step.suggestion is None
    text = as_text([step])
    assert text.startswith("1. Observation: Observation by patient, code\n")
    assert '{"s.patient": "Patient/p7"}' in text or '"s.patient": {"$in": ["Patient/p7"' in text
    assert "-s.date.s, -_id" in text


async def test_chained_steps_one_by_one(ctx: Context) -> None:
    found = await explained(
        ctx, "Observation?patient.family=family7&_has:Observation:has-member:code=x&_count=3"
    )
    assert [each.question.collection for each in found] == ["Patient", *["Observation"] * 3]
    assert "s.family" in found[0].explained.indexes[0]
    assert ":contained" in str(found[1].question.filter)
    assert found[1].explained.documents == 0
    assert "Patient/p7" in str(found[3].question.filter)


async def test_a_search_over_several_types_type_by_type(ctx: Context) -> None:
    """http://hl7.org/fhir/R4/http.html#vsearch"""
    found = await explained(ctx, "?_type=Patient,Observation&_lastUpdated=ge2000&_count=5")
    assert [(each.question.what, each.question.collection) for each in found] == [
        ("for the page", "Observation"),
        ("for the page", "Patient"),
    ]
    assert [each.question.limit for each in found] == [6, 6]
    found = await explained(ctx, "?_type=Patient&_has:Observation:patient:code=718-7&_count=0")
    assert [(each.question.what, each.question.collection) for each in found] == [
        ("to know what the search means", "Observation"),
        ("to count", "Patient"),
    ]


async def test_what_is_in_a_compartment_type_by_type(ctx: Context) -> None:
    """http://hl7.org/fhir/R4/search.html#searchcontexts"""
    for base in ("", "/", f"{ctx.base_url}/"):
        found = await explained(ctx, f"{base}Patient/p7/*?_count=3")
        assert {each.question.collection for each in found} == {"Observation", "Patient"}
        assert all("Patient/p7" in str(each.question.filter) for each in found)
    (only,) = await explained(ctx, "Patient/p7/Observation?code=718-7&_count=3")
    assert only.question.collection == "Observation"


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ("Patient/p7/Organization?name=x", "Organization"),
        ("Organization/1/*", "Patient/1/"),
        ("a/b/c/d", "Patient/1/"),
        ("?_type=Bogus", "Bogus"),
        ("?code=718-7", "name these with _type"),
        ("*", "'\\*'"),
    ],
)
async def test_what_is_no_search_is_refused(ctx: Context, search: str, why: str) -> None:
    with pytest.raises(FHIRError, match=why):
        await explained(ctx, search)


async def test_what_reads_much_for_little_gets_a_suggestion(ctx: Context) -> None:
    (step,) = await explained(ctx, "Observation?status=final&category=laboratory&code=none&_total=none")
    assert step.suggestion is None
    (step,) = await explained(
        ctx, "Observation?performer=Organization/lab&encounter=Encounter/1,Encounter/2&_sort=_lastUpdated"
    )
    assert step.suggestion is None
    (step,) = await explained(ctx, "Observation?status=final&category:not=vital-signs&performer:missing=true")
    assert step.explained.documents > 1000
    assert step.suggestion is not None
    (step,) = await explained(ctx, "Observation?encounter:missing=true")
    assert step.explained.indexes == ("_id_",)
    assert "no index would help" in str(step.suggestion)


@pytest.mark.parametrize(
    ("filter_", "sort", "expected"),
    [
        ({"$and": [{"s.subject": "x"}, {"s.status": "y"}]}, (), "{'s.subject': 1, 's.status': 1, '_id': 1}"),
        ({"$and": [{"s.status": "y"}, {"s.code": {"$in": ["a"]}}, {"s.date.s": {"$lt": 1}}]}, (),
         "{'s.status': 1, 's.date.s': 1, '_id': 1}"),
        ({"$and": [{"s.status": "y"}, {"$or": [{"s.code": "a"}, {"s.code": "b"}]}]}, (("s.date.s", -1), ("_id", -1)),
         "{'s.status': 1, 's.date.s': 1, '_id': 1}"),
    ],
)  # fmt: skip
def test_an_index_is_suggested_that_mongodb_could_make(filter_: Any, sort: Any, expected: str) -> None:
    told = Explained((), False, 5000, 5000, 3, 10)
    assert suggestion("Observation", filter_, sort, told) == (
        f"5,000 documents examined for 3: an index would help, db.Observation.createIndex({expected})"
    )
    assert suggestion("Observation", filter_, sort, Explained((), False, 30, 30, 3, 1)) is None


async def test_long_lists_are_explained_in_part(ctx: Context) -> None:
    """MongoDB 6.0 ends when it explains a list of tens of thousands."""
    ids = [f"Patient/x{n}" for n in range(74_000)]
    told = await explain(ctx.store, "Observation", {"s.patient": {"$in": ids}})
    assert told.left_out == 74_000 - MOST_VALUES
    assert await ctx.store.count("Observation", {}) == MANY


@pytest.mark.parametrize(
    "search",
    [
        "Observation?value-quantity=5.4|http://unitsofmeasure.org|g/L&date=ge2020&_sort=code",
        "Patient?name=müller&_count=0",
        "Patient?birthdate=2020&_sort=birthdate",
        "/Patient/p1/Observation?code=718-7",
        "Observation",
    ],
)
async def test_any_search_is_told_in_valid_fhir(ctx: Context, search: str) -> None:
    found = await explained(ctx, search)
    assert found
    resource = as_parameters(found)
    validation.check(resource)
    for step in resource["parameter"]:
        parts = {part["name"]: next(v for k, v in part.items() if k != "name") for part in step["part"]}
        assert parts.keys() >= {"what", "filter", "index", "keys", "documents", "returned", "milliseconds"}


@pytest.mark.parametrize(
    "search", ["Nothing?x=1", "Observation?nothing=1", "Observation/1?code=x", "Patient/1/Patient/2?x"]
)
async def test_what_is_no_search_is_refused_as_such(ctx: Context, search: str) -> None:
    with pytest.raises(FHIRError) as told:
        await explained(ctx, search)
    assert told.value.status in {400, 404}


def test_plans_of_every_shape_are_read() -> None:
    """A cluster nests the plans of its shards, newer engines the one that is meant."""
    leaf = {"stage": "IXSCAN", "indexName": "values", "keyPattern": {"$_path": 1, "s.x": 1}}
    shards = {"stage": "SHARD_MERGE", "shards": [{"winningPlan": {"stage": "FETCH", "inputStage": leaf}}]}
    newer = {"queryPlan": {"stage": "OR", "inputStages": [leaf]}, "slotBasedPlan": {"stages": "[1] ixseek"}}
    for plan in (shards, newer):
        (stage,) = (each for each in explaining._stages(plan) if "indexName" in each)
        assert explaining._index(stage) == "values (s.x)"
