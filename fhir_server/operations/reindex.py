"""The operations `$reindex` and `$reindex-status`: search values of stored resources made anew, and how far that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capability.table import TABLE
from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import reindexing
from fhir_server.search.index import GENERATION
from fhir_server.search.site import Site
from resources.outcome import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fhir_server.store.store import Store
    from fhir_server.store.unit import Unit

CONTROL = {"_format", "_pretty", "_summary", "_elements"}


async def reindex(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """Begins a reindex, or prolongs the one that runs; its state as Parameters, 202 while it is not done.

    `type` names the types, otherwise those that are not indexed by all parameters; with `everything=true` what is
    indexed already is indexed again.
    """
    site = await ctx.parameters.newest()
    types, everything = _asked(request)
    job = await begin(ctx.store, site, types, everything=everything)
    return Result(202, reindexing.parameters(job), changed=False)


async def reindex_status(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """How far the reindex is that runs, or ran last."""
    return Result(200, reindexing.parameters(await reindexing.state(ctx.store)), changed=False)


async def begin(store: Store, site: Site, types: Iterable[str], *, everything: bool) -> dict[str, object]:
    """Asks for the job; without `types` for those that need it, or for all with `everything`."""
    wanted = list(types)
    if not wanted:
        stored = await store.stored_types()
        wanted = stored if everything else [each for each in stored if await _needs_it(store, site, each)]
    return await reindexing.ask(store, wanted, site.generation, everything=everything)


async def _needs_it(store: Store, site: Site, resource_type: str) -> bool:
    latest = max((each.generation for each in site.table.custom_of(resource_type)), default=0)
    stale = {f"s.{GENERATION}": {"$lt": latest}}
    return bool(latest and await store.find(resource_type, stale, limit=1, projection={"_id": 1}))


def _asked(request: FhirRequest) -> tuple[list[str], bool]:
    pairs = list(request.query)
    for each in (request.resource or {}).get("parameter", ()):
        value = next(
            (each[name] for name in ("valueCode", "valueString", "valueBoolean") if name in each), ""
        )
        pairs.append((each["name"], str(value).lower() if isinstance(value, bool) else value))
    types: list[str] = []
    everything = False
    for name, value in pairs:
        if name == "type":
            types += value.split(",")
        elif name == "everything" and value in {"true", "false"}:
            everything = value == "true"
        elif name not in CONTROL:
            raise bad_parameter(
                name[:64], "type (resource types) and everything (true or false) were expected"
            )
    for unknown in set(types) - set(TABLE.types):
        raise bad_parameter("type", f"'{unknown[:64]}' is not a resource type")
    return types, everything
