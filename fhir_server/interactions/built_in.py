"""The search parameters of R4 and US Core as resources that can be read and searched, beside those that are stored.

They lie in a collection of their own, so that they are in no history and no export, and are filled in by the first
search for SearchParameters. What a client stores under the id of one, which can only be that parameter again, takes
its place (docs/adr/0015-definitions-beside.md).
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pymongo import ReplaceOne

from fhir_server.search.index import search_document
from fhir_server.store.documents import Document
from fhir_server.store.faults import faults
from fhir_server.store.search_format import FORMAT
from resources import codec
from resources.built_in_parameters import PUBLISHED, built_in
from resources.outcome import error, unprocessable

if TYPE_CHECKING:
    from fhir_server.context import Context
    from fhir_server.store.unit import Unit
    from resources.codec import Json

TYPE = "SearchParameter"
COLLECTION = "_definitions"
_SERVER = "_server"
_ALIVE = {"deleted": {"$ne": True}}


def definition(resource_type: str, logical_id: str) -> Document | None:
    """The document of what is built in under this id."""
    if resource_type != TYPE or logical_id not in built_in():
        return None
    return {"_id": logical_id, "v": 1, "t": datetime.fromisoformat(PUBLISHED), "r": built_in()[logical_id]}


def check_identity(resource: Json, logical_id: str) -> None:
    """422 for another resource under the id of a parameter of R4 or US Core."""
    known = built_in().get(logical_id)
    if known is not None and resource["url"] != known["url"]:
        text = f"SearchParameter/{logical_id} is that of R4 or US Core, {known['url']}; choose another id"
        raise unprocessable(text, "SearchParameter.id")


def refuse_change(resource_type: str, logical_id: str) -> None:
    """405 for what is built in."""
    if definition(resource_type, logical_id) is not None:
        text = f"SearchParameter/{logical_id} is that of R4 or US Core, which stays as it is"
        raise error(405, "not-supported", text, Allow="GET, HEAD, OPTIONS, PUT")


async def find(
    ctx: Context,
    unit: Unit,
    resource_type: str,
    filter_: Document,
    *,
    sort: Any = None,
    limit: int = 0,
    projection: Any = None,
    max_time_ms: int = 0,
) -> list[Document]:
    """As `unit.find` for the type SearchParameter: those that are stored or built in."""
    pipeline = await _both(ctx, unit, filter_)
    if sort:
        pipeline.append({"$sort": dict(sort)})
    if limit:
        pipeline.append({"$limit": limit})
    if projection:
        pipeline.append({"$project": projection})
    return await _aggregated(unit, pipeline, max_time_ms)


async def count(ctx: Context, unit: Unit, filter_: Document, *, max_time_ms: int = 0) -> int:
    """As `store.count`."""
    found = await _aggregated(unit, [*await _both(ctx, unit, filter_), {"$count": "n"}], max_time_ms)
    return int(found[0]["n"]) if found else 0


async def _aggregated(unit: Unit, pipeline: list[Document], max_time_ms: int) -> list[Document]:
    with faults():
        collection = unit.store.collections.collection(COLLECTION)
        cursor = await collection.aggregate(pipeline, session=unit.session, maxTimeMS=max_time_ms)
        found: list[Document] = await cursor.to_list()
    return found


async def _both(ctx: Context, unit: Unit, filter_: Document) -> list[Document]:
    await _fill(ctx)
    places = await unit.find(TYPE, {"_id": {"$in": list(built_in())}, **_ALIVE}, projection={"_id": 1})
    others = {"_id": {"$nin": [each["_id"] for each in places]}}
    return [
        {"$match": {"$and": [filter_, others]}},
        {"$unionWith": {"coll": TYPE, "pipeline": [{"$match": filter_}]}},
    ]


async def _fill(ctx: Context) -> None:
    """Makes the collection what this release has; several servers that do so at once do the same."""
    server = ctx.store.database[_SERVER]
    with faults():
        known = await server.find_one({"_id": COLLECTION, "value": _state(ctx)})
        if known is not None:
            return
        documents = [definition(TYPE, each) for each in built_in()]
        made = [
            ReplaceOne({"_id": each["_id"]}, {**each, "s": search_document(each["r"], ctx.site)}, upsert=True)
            for each in documents
            if each is not None
        ]
        collection = ctx.store.collections.collection(COLLECTION)
        await collection.bulk_write(made, ordered=False)
        await collection.delete_many({"_id": {"$nin": list(built_in())}})
        await server.update_one({"_id": COLLECTION}, {"$set": {"value": _state(ctx)}}, upsert=True)


def _state(ctx: Context) -> str:
    """Changes with what is built in, and with how it is indexed."""
    own = max((each.generation for each in ctx.site.table.custom_of(TYPE)), default=0)
    return f"{FORMAT} {_digest()} {own}"


@cache
def _digest() -> str:
    return hashlib.sha256(codec.encode(dict(built_in()))).hexdigest()
