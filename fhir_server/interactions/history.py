"""The history interactions: of an instance, a type, or the whole system.

Newest first. Pages follow the position (last updated, type, id, version) of their last entry, so that they
neither repeat nor lose a version while others are written.

http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bson.max_key import MaxKey
from bson.min_key import MinKey

from fhir_server.context import Context, FhirRequest, Query, Result
from fhir_server.interactions import cursor
from fhir_server.store.documents import Document, instant
from fhir_server.store.indexes import HISTORY
from resources import datatypes
from resources.outcome import FHIRError, bad_parameter, not_found, unknown_parameter

if TYPE_CHECKING:
    from fhir_server.store.unit import Unit
    from resources.codec import Json

NEWEST_FIRST = [("t", -1), ("_id", -1)]
PARAMETERS = {"_since", "_at", "_count", "_cursor"}
ELSEWHERE = {"_format", "_pretty", "_summary", "_elements"}
"""Answered by the representation, not by the interaction"""

Position = tuple[datetime, str, str, int]


@dataclass(slots=True, frozen=True)
class Asked:
    """What a history request asks for."""

    count: int
    since: datetime | None = None
    at: tuple[datetime, datetime] | None = None
    after: Position | None = None


async def history(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """A Bundle of type `history`; no total, because nobody can wait for a count of everything.

    404 for an instance that never was.
    """
    asked = _asked(ctx, request)
    types = [request.resource_type] if request.resource_type else await unit.store.stored_types()
    rows: dict[tuple[str, str, int], tuple[str, Document]] = {}
    for resource_type in types:
        found = await _versions(unit, resource_type, request.id, asked)
        rows.update({(resource_type, row["_id"], row["v"]): (resource_type, row) for row in found})
    newest = sorted(rows.values(), key=lambda row: _position(*row), reverse=True)
    if not newest and request.id is not None and asked.after is None:
        await _must_exist(unit, request)
    shown, more = newest[: asked.count], len(newest) > asked.count
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "history",
        "link": list(_links(ctx, request, asked, shown, more)),
    }
    if shown:
        bundle["entry"] = [_entry(ctx.base_url, resource_type, row) for resource_type, row in shown]
    also = tuple(f"{resource_type}/{row['_id']}/_history/{row['v']}" for resource_type, row in shown)
    return Result(200, bundle, changed=False, also=also)


async def _must_exist(unit: Unit, request: FhirRequest) -> None:
    assert request.resource_type is not None
    assert request.id is not None
    if await unit.current(request.resource_type, request.id) is None:
        raise not_found(request.resource_type, request.id)


async def _versions(unit: Unit, resource_type: str, logical_id: str | None, asked: Asked) -> list[Document]:
    """Current versions first, then superseded ones: a version that moves meanwhile is found twice, not lost."""
    here = {"_id": logical_id} if logical_id else {}
    there = {"_id": {"$gte": {"id": logical_id, "v": MinKey()}, "$lte": {"id": logical_id, "v": MaxKey()}}}
    limit = asked.count + 1
    current = await unit.find(
        resource_type,
        _filter([here, *_after_current(resource_type, asked)], asked),
        sort=NEWEST_FIRST,
        limit=limit,
        projection={"s": 0},
    )
    older = await unit.find(
        resource_type + HISTORY,
        _filter([there if logical_id else {}, *_after_superseded(resource_type, asked)], asked),
        sort=[("_id", -1)] if logical_id else NEWEST_FIRST,
        limit=limit,
    )
    return current + [{**row, "_id": row["_id"]["id"], "v": row["_id"]["v"]} for row in older]


def _filter(conditions: list[Document], asked: Asked) -> Document:
    if asked.since is not None:
        conditions.append({"t": {"$gte": asked.since}})
    if asked.at is not None:
        start, end = asked.at
        conditions.append({"t": {"$lt": end}, "$or": [{"until": None}, {"until": {"$gt": start}}]})
    wanted = [condition for condition in conditions if condition]
    return {"$and": wanted} if wanted else {}


def _after_current(resource_type: str, asked: Asked) -> list[Document]:
    if asked.after is None:
        return []
    moment, at_type, at_id, at_version = asked.after
    if resource_type != at_type:
        return [{"t": {"$lte" if resource_type < at_type else "$lt": moment}}]
    same = {"t": moment, "$or": [{"_id": {"$lt": at_id}}, {"_id": at_id, "v": {"$lt": at_version}}]}
    return [{"$or": [{"t": {"$lt": moment}}, same]}]


def _after_superseded(resource_type: str, asked: Asked) -> list[Document]:
    if asked.after is None:
        return []
    moment, at_type, at_id, at_version = asked.after
    if resource_type != at_type:
        return [{"t": {"$lte" if resource_type < at_type else "$lt": moment}}]
    same = {"t": moment, "_id": {"$lt": {"id": at_id, "v": at_version}}}
    return [{"$or": [{"t": {"$lt": moment}}, same]}]


def _position(resource_type: str, row: Document) -> Position:
    return row["t"], resource_type, row["_id"], row["v"]


def _asked(ctx: Context, request: FhirRequest) -> Asked:
    """http://hl7.org/fhir/R4/http.html#history: `_since`, `_at`, `_count`"""
    given: dict[str, Any] = {"count": ctx.settings.default_count}
    for name, value in request.query:
        if name == "_count":
            given["count"] = _count(value, ctx.settings.max_count)
        elif name == "_since":
            given["since"] = _moment(ctx, name, value)[0]
        elif name == "_at":
            given["at"] = _moment(ctx, name, value)
        elif name == "_cursor":
            given["after"] = _opened(ctx, request, value)
        elif name not in ELSEWHERE and not request.prefer.lenient:
            raise unknown_parameter(name, PARAMETERS, f"the history of {request.where}")
    return Asked(**given)


def _count(value: str, most: int) -> int:
    if not value.isascii() or not value.isdigit():
        raise bad_parameter("_count", f"'{value[:40]}' is not a number of entries (0 or more)")
    return min(int(value[:9]), most)


def _moment(ctx: Context, name: str, value: str) -> tuple[datetime, datetime]:
    try:
        return datatypes.date_interval(value, ctx.settings.default_timezone)
    except (ValueError, FHIRError):
        text = f"'{value[:40]}' is not a date; 2026-11-20 or 2026-11-20T14:36:49Z was expected"
        raise bad_parameter(name, text) from None


def _opened(ctx: Context, request: FhirRequest, text: str) -> Position:
    moment, resource_type, logical_id, version = cursor.unseal(ctx.secret, "history " + request.where, text)
    return datetime.fromtimestamp(moment / 1000, UTC), resource_type, logical_id, version


def _sealed(ctx: Context, request: FhirRequest, position: Position) -> str:
    moment, *rest = position
    return cursor.seal(ctx.secret, "history " + request.where, [round(moment.timestamp() * 1000), *rest])


def _links(
    ctx: Context, request: FhirRequest, asked: Asked, shown: list[tuple[str, Document]], more: bool
) -> Iterator[Json]:
    where = "/".join(part for part in (ctx.base_url, request.resource_type, request.id, "_history") if part)
    kept: Query = tuple(
        (name, value) for name, value in request.query if name in {"_since", "_at"} | ELSEWHERE
    )
    kept = (*kept, ("_count", str(asked.count)))
    here = tuple((name, value) for name, value in request.query if name == "_cursor")
    yield {"relation": "self", "url": _url(where, (*kept, *here))}
    if more and shown:
        following = ("_cursor", _sealed(ctx, request, _position(*shown[-1])))
        yield {"relation": "next", "url": _url(where, (*kept, following))}


def _url(where: str, query: Query) -> str:
    return f"{where}?{urlencode(query)}" if query else where


def _entry(base_url: str, resource_type: str, row: Document) -> Json:
    """http://hl7.org/fhir/R4/http.html#history: request and response of each version"""
    where = f"{resource_type}/{row['_id']}"
    entry: Json = {"fullUrl": f"{base_url}/{where}"}
    if "r" in row:
        entry["resource"] = row["r"]
    if "deleted" in row:
        method, status = "DELETE", "204"
    elif row["v"] == 1:
        method, status = ("PUT" if "put" in row else "POST"), "201"
    else:
        method, status = "PUT", "201" if "put" in row else "200"
    entry["request"] = {"method": method, "url": resource_type if method == "POST" else where}
    entry["response"] = {"status": status, "etag": f'W/"{row["v"]}"', "lastModified": instant(row["t"])}
    return entry
