"""The operation `$explain`: what a search asks of MongoDB, step by step, and what each step costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bson.regex import Regex

from capability.table import TABLE
from fhir_server.context import Context, FhirRequest, Result
from fhir_server.interactions import indexed, pages
from fhir_server.interactions.asking import bounded, planned
from fhir_server.interactions.pairs import pairs
from fhir_server.operations.suggestion import suggestion
from fhir_server.search import across, clauses, joins, sort, value_sets
from fhir_server.search.ask import Ask, Planning, T, everything
from fhir_server.search.plan import Plan, plan
from fhir_server.store.explaining import MOST_VALUES, Explained, explain
from resources.codec import Json
from resources.outcome import bad_parameter, unknown_type

if TYPE_CHECKING:
    from fhir_server.search.site import Condition
    from fhir_server.store.unit import Unit

SEARCH = "search"
_SHOWN = 20
"""Values of a list that are shown"""


@dataclass(frozen=True, slots=True)
class Question:
    """What a search asks MongoDB for: what for, in words, and a find."""

    what: str
    collection: str
    filter: Condition
    sort: Sequence[tuple[str, int]] = ()
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A question, and how it is answered."""

    question: Question
    explained: Explained
    suggestion: str | None


async def steps(ctx: Context, unit: Unit, search_url: str) -> list[Step]:
    """How `Observation?code=718-7` would be answered, or `Patient/1/Observation?code=718-7`, or, over several types,
    `?_type=Patient,Group` and `Patient/1/*`.

    FHIRError as for the search itself. Chained steps are performed, since each needs what the one before found.
    """
    path, _, query = search_url.removeprefix(ctx.base_url).strip().lstrip("/").partition("?")
    *owner, resource_type = path.split("/")
    compartment = _compartment(path, owner)
    if resource_type == ("*" if compartment else ""):
        found = await _over_types(ctx, unit, query, compartment)
    else:
        found = await _of_type(ctx, unit, resource_type, query, compartment)
    return [await _step(unit, question) for question in found]


def _compartment(path: str, owner: list[str]) -> tuple[str, str] | None:
    if not owner:
        return None
    if len(owner) != 2 or owner[0] not in TABLE.compartments:
        raise bad_parameter(
            SEARCH,
            f"'{path[:128]}' was expected to be like Observation, Patient/1/Observation or Patient/1/*",
        )
    return owner[0], owner[1]


async def _of_type(
    ctx: Context, unit: Unit, resource_type: str, query: str, compartment: tuple[str, str] | None
) -> list[Question]:
    if resource_type not in (TABLE.types if compartment is None else TABLE.compartments[compartment[0]]):
        raise unknown_type(resource_type)
    search = clauses.parse(
        resource_type,
        pairs(query),
        table=ctx.site.table,
        default_count=ctx.settings.default_count,
        max_count=ctx.settings.max_count,
    )
    search = replace(search, compartment=compartment)
    await indexed.check(ctx, unit, search)
    asks: list[Ask] = []
    ctx = ctx.at(await planned(unit, _noted(value_sets.known([search], ctx.site, everything), asks)))
    joined = await planned(unit, _noted(joins.conditions(search, ctx.site, everything), asks))
    found = _asked("to know what the search means", asks)
    return [*found, *_of_page(plan(search, ctx.site, ctx.secret, joined=joined))]


async def _over_types(
    ctx: Context, unit: Unit, query: str, compartment: tuple[str, str] | None
) -> list[Question]:
    search = across.parse(
        pairs(query),
        TABLE.types if compartment is None else TABLE.compartments[compartment[0]],
        table=ctx.site.table,
        default_count=ctx.settings.default_count,
        max_count=ctx.settings.max_count,
        compartment=compartment,
    )
    start = across.position(search, ctx.site, ctx.secret)
    search = search.only(set(await unit.store.stored_types()))
    for each in search.searches.values():
        await indexed.check(ctx, unit, each)
    asks: list[Ask] = []
    ctx = ctx.at(await planned(unit, _noted(value_sets.known([search.whole], ctx.site, everything), asks)))
    criteria = await planned(unit, _noted(across.criteria(search, ctx.site, everything), asks))
    found = _asked("to know what the search means", asks)
    if search.whole.only_total:
        return [*found, *(Question("to count", name, filter_) for name, filter_ in criteria.items())]
    of_page: list[Ask] = []
    await planned(unit, _noted(across.documents(search, criteria, start), of_page))
    return [*found, *_asked("for the page", of_page)]


def _asked(what: str, asks: Sequence[Ask]) -> list[Question]:
    return [Question(what, each.resource_type, each.filter, each.sort, each.limit) for each in asks]


def _noted(planning: Planning[T], asks: list[Ask]) -> Planning[T]:
    """The same planning, and what it asks for."""
    try:
        level = next(planning)
        while True:
            asks += level
            level = planning.send((yield level))
    except StopIteration as end:
        result: T = end.value
        return result


def _of_page(page: Plan) -> list[Question]:
    what, name = pages.described(page), page.search.resource_type
    if page.sorted_here:
        return [Question(f"{what}, sorted by the server", name, page.criteria, limit=sort.MOST + 1)]
    if not page.limit:
        return [Question(f"{what}, to count", name, page.criteria)]
    more = [
        Question(f"{what}, if the page is not full", name, each, order, page.limit)
        for each, order in page.more
    ]
    return [Question(what, name, page.filter, page.sort, page.limit), *more]


async def _step(unit: Unit, question: Question) -> Step:
    with bounded(unit, f"to look into {question.collection}"):
        told = await explain(unit.store, question.collection, question.filter, question.sort, question.limit)
    return Step(question, told, suggestion(question.collection, question.filter, question.sort, told))


def as_text(found: Sequence[Step]) -> str:
    """For a terminal: a paragraph for each step."""
    paragraphs = []
    for number, step in enumerate(found, 1):
        lines = [f"{number}. {step.question.collection}: {step.question.what}"]
        lines += [f"   {name:<12} {value}" for name, value in _facts(step).items()]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def as_parameters(found: Sequence[Step]) -> Json:
    """http://hl7.org/fhir/R4/parameters.html"""
    return {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "step",
                "part": [
                    {"name": "what", "valueString": step.question.what},
                    {"name": "collection", "valueString": step.question.collection},
                    *({"name": name, **_value(each)} for name, each in _facts(step).items()),
                ],
            }
            for step in found
        ],
    }


def _value(value: Any) -> Json:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    return {"valueInteger": value} if isinstance(value, int) else {"valueString": value}


def _facts(step: Step) -> dict[str, Any]:
    told = step.explained
    facts: dict[str, Any] = {"filter": shown(step.question.filter)}
    if step.question.sort:
        facts["sort"] = ", ".join(f"{'-' if way < 0 else ''}{field}" for field, way in step.question.sort)
    facts["index"] = ", ".join(told.indexes) or "none: every document is read"
    facts["keys"] = told.keys
    facts["documents"] = told.documents
    facts["returned"] = told.returned
    facts["milliseconds"] = told.milliseconds
    facts["memory-sort"] = told.sorted_in_memory
    if told.left_out:
        facts["left-out"] = (
            f"{told.left_out:,} values: of a list only the first {MOST_VALUES:,} are explained, so that the search "
            f"itself costs more than this"
        )
    if step.suggestion is not None:
        facts["suggestion"] = step.suggestion
    return facts


def shown(filter_: Any) -> str:
    """A filter as JSON, with its values; of long lists the beginning."""
    return json.dumps(_plain(filter_), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        more = [f"… {len(value) - _SHOWN:,} more"] if len(value) > _SHOWN else []
        return [*map(_plain, value[:_SHOWN]), *more]
    if isinstance(value, Regex):
        return {"$regex": value.pattern}
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


async def explain_search(ctx: Context, request: FhirRequest, unit: Unit) -> Result:
    """`GET [base]/$explain?search=Observation%3Fcode%3D718-7`; as Parameters, a `step` for each question."""
    asked = [value for name, value in request.query if name == SEARCH]
    given = (request.resource or {}).get("parameter", ())
    asked += [each.get("valueString", "") for each in given if each["name"] == SEARCH]
    if len(asked) != 1 or not asked[0]:
        raise bad_parameter(
            SEARCH, "one search was expected, such as Observation?code=718-7, with ? and & escaped"
        )
    return Result(200, as_parameters(await steps(ctx, unit, asked[0])), changed=False)
