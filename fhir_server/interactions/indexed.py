"""Whether a search may use a server's own search parameters: everything it asks has to be indexed by them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fhir_server.interactions import own_parameters, reindexing
from fhir_server.search import chain
from fhir_server.search.clause import CONTROL, LIST, PRESENTATION, Clause
from fhir_server.search.filter import Compared
from fhir_server.search.include_syntax import ANY, is_include
from fhir_server.search.index import GENERATION
from resources.outcome import FHIRError, not_supported
from resources.registry import is_resource
from resources.search_parameters import SearchParameter, parameters

if TYPE_CHECKING:
    from fhir_server.context import Context, FhirRequest
    from fhir_server.search.clauses import Search
    from fhir_server.store.unit import Unit

MOST_MILLISECONDS = 2_000

_BUNDLES = {"transaction", "batch", "capabilities"}
_NAME = re.compile(r"(?:^|[?&])([^=&]+)=")
_PLAIN = CONTROL | PRESENTATION | {LIST}


def may_mean_own(request: FhirRequest) -> bool:
    """Whether a request may be about parameters of the server's own, so that the newest have to be known."""
    if request.interaction in _BUNDLES:
        return not request.plain
    names = [name for name, value in request.query if not _follows_built_in(name, value)]
    if request.if_none_exist:
        names += _NAME.findall(request.if_none_exist)
    if not names:
        return False
    built_in = parameters(request.resource_type or "Resource")
    sorts = [
        key.removeprefix("-") for name, text in request.query if name == "_sort" for key in text.split(",")
    ]
    return any(
        "." in name or (name.partition(":")[0] not in built_in and name not in _PLAIN)
        for name in [*names, *sorts]
    )


def _follows_built_in(name: str, value: str) -> bool:
    """Whether this is an include by what R4 defines: `Observation:patient`, or `Observation:*`, which means no more."""
    if not is_include(name):
        return False
    source, _, rest = value.partition(":")
    code = rest.partition(":")[0]
    return value == ANY or (is_resource(source) and (code == ANY or code in parameters(source)))


async def check(ctx: Context, unit: Unit, search: Search) -> None:
    """400 that says how far it is where a resource is not indexed yet by a parameter that the search uses."""
    for resource_type, parameter in _used(search).items():
        stale = {f"s.{GENERATION}": {"$lt": parameter.generation}}
        found = await unit.find(
            resource_type, stale, limit=1, projection={"_id": 1}, max_time_ms=MOST_MILLISECONDS
        )
        if found:
            raise await _refusal(ctx, resource_type, parameter)


def _used(search: Search) -> dict[str, SearchParameter]:
    """By type the latest of the server's own parameters that the search uses."""
    latest: dict[str, SearchParameter] = {}
    for each in _parameters(search):
        if each.generation and each.generation > getattr(latest.get(each.base[0]), "generation", 0):
            latest[each.base[0]] = each
    return latest


def _parameters(search: Search) -> Iterator[SearchParameter]:
    yield from (clause.parameter for clause in search.clauses)
    yield from (each.parameter for each in search.includes if each.parameter is not None)
    known = search.table.parameters(search.resource_type)
    yield from (known[name] for name, _ in search.sort if name in known)
    for join in search.joins:
        for each in chain.nodes(join.criterion):
            if isinstance(each, Clause | chain.Chained | chain.Referred):
                yield each.parameter
            elif isinstance(each, Compared):
                yield each.clause.parameter


async def _refusal(ctx: Context, resource_type: str, parameter: SearchParameter) -> FHIRError:
    about = f"Parameter '{parameter.code}' of {resource_type}"
    job = await reindexing.state(ctx.store)
    if job is not None and reindexing.works_on(job, resource_type, parameter.generation):
        return not_supported(
            f"{about} is being indexed: {reindexing.percent(job)} %. Ask again when that is done"
        )
    if await _is_about_new_data(ctx, resource_type, parameter):
        await reindexing.ask(ctx.store, [resource_type], parameter.generation)
        return not_supported(f"{about} is being indexed for what was written just now. Ask again in a moment")
    text = "is not indexed yet for what was stored before. Have it indexed with POST [base]/$reindex or fhir-server reindex"
    return not_supported(f"{about} {text}")


async def _is_about_new_data(ctx: Context, resource_type: str, parameter: SearchParameter) -> bool:
    """Whether all that is left was written after the parameter came, by who did not know it: no job for operators."""
    came = await own_parameters.since(ctx.store, parameter.generation)
    if came is None:
        return False
    old = {f"s.{GENERATION}": {"$lt": parameter.generation}, "t": {"$lt": came}}
    return not await ctx.store.find(
        resource_type, old, limit=1, projection={"_id": 1}, max_time_ms=MOST_MILLISECONDS
    )
