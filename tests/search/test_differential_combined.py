"""Combinations answered twice: `_filter`, several parameters and values at once, orders, parameters of one's own.

The parts are questions of `test_differential`, with its second answers; here they are combined as sets.

http://hl7.org/fhir/R4/search_filter.html, http://hl7.org/fhir/R4/search.html#combining,
http://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pymongo import MongoClient

from capability.table import TABLE
from fhir_server.search import joins, sort
from fhir_server.search.ask import everything
from fhir_server.search.clauses import WITHOUT_ORDER, parse
from fhir_server.search.query import filter_of
from fhir_server.store.documents import CODEC_OPTIONS
from resources.search_parameters import SearchParameter
from tests.search.conftest import SITE, Resource, Shelf
from tests.search.driving import Driver
from tests.search.test_differential import (
    CORPUS,
    WITHOUT_CASE,
    brute_force,
    elements,
    ends,
    moment,
    pairs,
    questions,
    read_corpus,
    simple,
    span,
    texts,
)
from tests.search.test_differential_joins import read_bundles

Shelves = Mapping[str, Shelf]
Part = tuple[str, str, set[str]]
"""(a test of `_filter`, the same as a parameter or nothing, who meets it)"""

ROUNDS = 25


@pytest.fixture(scope="module")
def corpus(shelves: Shelves) -> dict[str, list[Resource]]:
    """The official examples, and Synthea's patients with what is about them."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real resources is not there (FHIR_CORPUS)")
    found = read_corpus()
    for name, some in read_bundles().items():
        known = {each["id"] for each in found.get(name, ())}
        found.setdefault(name, []).extend(each for each in some if each["id"] not in known)
    for resource_type, resources in found.items():
        shelves[resource_type].put(*resources)
    return found


def possible(resource_type: str) -> list[SearchParameter]:
    return [
        each
        for each in TABLE.search_parameters(resource_type)
        if not each.code.startswith("_") and each.code != "near" and "xtension(" not in str(each.expression)
    ]


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def parts(parameter: SearchParameter, resources: list[Resource], chance: random.Random) -> Iterator[Part]:
    """Tests about what is there, each with those who meet it."""

    def met(modifier: str, asked: str) -> set[str]:
        return set(brute_force(parameter, modifier, asked, resources))

    def having(fits: Any) -> set[str]:
        return {each["id"] for each in resources if any(fits(value) for value in elements(parameter, each))}

    code = parameter.code
    values = [value for each in resources for value in elements(parameter, each)]
    yield f"{code} pr true", f"{code}:missing=false", met("missing", "false")
    if parameter.type == "composite" or not values:
        return
    asked_of = [each for each in questions(parameter, values, chance) if each[0] == ""]
    for _, asked in chance.sample(asked_of, min(2, len(asked_of))):
        if parameter.type in {"date", "number", "quantity"}:
            if parameter.type == "date" or "|" not in asked:
                yield f"{code} {asked[:2]} {asked[2:]}", f"{code}={asked}", met("", asked)
        elif parameter.type == "token" and not asked.endswith("|") and "\\" not in asked:
            yield f"{code} eq {quoted(asked)}", f"{code}={asked}", met("", asked)
            if "|" not in asked and code not in WITHOUT_CASE:
                others = having(
                    lambda value, asked=asked: any(own not in {asked, None} for _, own in pairs(value))
                )
                yield f"{code} ne {quoted(asked)}", "", others
        elif parameter.type == "reference":
            yield f"{code} re {quoted(asked)}", f"{code}={asked}", met("", asked)
        elif parameter.type == "uri":
            yield f"{code} eq {quoted(asked)}", f"{code}={asked}", met("", asked)
    if parameter.type == "string":
        text = simple(chance.choice([each for value in values for each in texts(value)] or ["x"]))
        if text and not set(text) & set("\\,$|"):
            yield f"{code} eq {quoted(text)}", "", having(lambda value: text in map(simple, texts(value)))
            yield (
                f"{code} ne {quoted(text)}",
                "",
                having(lambda value: any(simple(each) != text for each in texts(value))),
            )
            end = text[-3:].strip() or text
            yield (
                f"{code} ew {quoted(end)}",
                "",
                having(lambda value: any(simple(each).endswith(end) for each in texts(value))),
            )
            yield f"{code} co {quoted(end)}", "", met("contains", end)
            yield (
                f"{code} sw {quoted(text[:4].strip())}",
                f"{code}={text[:4].strip()}",
                met("", text[:4].strip()),
            )
            yield (
                f"{code} gt {quoted(text)}",
                "",
                having(lambda value: any(simple(each) > text for each in texts(value))),
            )
            yield (
                f"{code} le {quoted(text)}",
                "",
                having(lambda value: any(simple(each) <= text for each in texts(value))),
            )
    if parameter.type == "date":
        spans = [each for each in map(span, values) if each is not None and each[0].year > 1]
        start = f"{chance.choice(spans)[0]:%Y-%m}" if spans else "2012-03"
        a, b = moment(start)
        over = [
            each["id"] for each in resources if any(s < b and e > a for s, e in found_spans(parameter, each))
        ]
        around = [
            each["id"]
            for each in resources
            if any(s <= a and e >= b for s, e in found_spans(parameter, each))
        ]
        yield f"{code} po {start}", "", set(over)
        yield f"{code} co {start}", "", set(around)


def found_spans(parameter: SearchParameter, resource: Resource) -> list[Any]:
    return [each for each in map(span, elements(parameter, resource)) if each is not None]


def find(shelves: Shelves, resource_type: str, *query: tuple[str, str]) -> set[str]:
    search = parse(resource_type, query)
    joined = Driver(shelves).planned(joins.conditions(search, SITE, everything))
    filter_ = filter_of(search, SITE, joined=joined)
    return {each["_id"] for each in shelves[resource_type].collection.find(filter_, {"_id": 1})}


def combined(some: list[Part], everybody: set[str], chance: random.Random) -> tuple[str, set[str]]:
    """A filter of several tests, and who meets it: from left to right."""
    text, _, found = some[0]
    if chance.random() < 0.3:
        text, found = f"not ({text})", everybody - found
    for test, _, ids in some[1:]:
        turned = chance.random() < 0.3
        more, met = (f"not({test})", everybody - ids) if turned else (test, ids)
        if chance.random() < 0.5:
            text, found = f"{text} and {more}", found & met
        else:
            text, found = f"{text} or {more}", found | met
    return text, found


def test_filters_and_combinations(shelves: Shelves, corpus: dict[str, list[Resource]]) -> None:
    differences, count, some_found = [], 0, 0
    for resource_type, resources in corpus.items():
        chance = random.Random(resource_type)
        everybody = {each["id"] for each in resources}
        codes = possible(resource_type)
        known = [
            part
            for each in chance.sample(codes, min(14, len(codes)))
            for part in parts(each, resources, chance)
        ]
        asked: list[tuple[tuple[tuple[str, str], ...], set[str]]] = [
            ((("_filter", text),), ids) for text, _, ids in known
        ]
        plain = [(each.partition("="), ids) for _, each, ids in known if each]
        for _ in range(ROUNDS if known else 0):
            text, ids = combined(chance.sample(known, min(3, len(known))), everybody, chance)
            asked.append(((("_filter", text),), ids))
            if len(plain) > 1:
                (one, ids), (two, more) = chance.sample(plain, 2)
                asked.append((((one[0], one[2]), (two[0], two[2])), ids & more))
                if ":" not in one[0]:
                    same = [(each, those) for each, those in plain if each[0] == one[0]]
                    value = ",".join(each[2] for each, _ in same)
                    asked.append((((one[0], value),), set().union(*(those for _, those in same))))
        for query, ids in asked:
            found = find(shelves, resource_type, *query)
            count += 1
            some_found += bool(ids)
            if found != ids:
                differences.append((resource_type, query, sorted(found - ids)[:3], sorted(ids - found)[:3]))
    assert differences == []
    assert count > 5000
    assert some_found > 2000


def key(parameter: SearchParameter, resource: Resource, way: int) -> Any:
    """What a resource is sorted by; None where there is nothing."""
    found: list[Any] = []
    for value in elements(parameter, resource):
        if parameter.type == "date":
            found += [each[0] for each in [span(value)] if each is not None]
        elif parameter.type == "number":
            found += [each[0] for each in [ends(value)] if each is not None]
        elif parameter.type == "string":
            found += [simple(each)[:64] for each in texts(value)]
        elif parameter.type == "token":
            codes = [code for _, code in pairs(value) if code is not None]
            found += [each.lower() if parameter.code in WITHOUT_CASE else each for each in codes]
    return (min(found) if way > 0 else max(found)) if found else None


def test_orders(shelves: Shelves, corpus: dict[str, list[Resource]]) -> None:
    """Absent values come last, both ways; ties by id, in the direction of the last key."""
    count = 0
    for resource_type, resources in corpus.items():
        chance = random.Random(resource_type)
        sortable = [
            each
            for each in possible(resource_type)
            if each.type in {"date", "number", "string", "token"} and each.type not in WITHOUT_ORDER
        ]
        documents = list(shelves[resource_type].collection.find())
        for parameter in chance.sample(sortable, min(6, len(sortable))):
            if any(
                "|" in str(value) or "\\" in str(value)
                for each in resources
                for value in elements(parameter, each)
            ):
                continue
            for way in (1, -1):
                search = parse(resource_type, [("_sort", ("-" if way < 0 else "") + parameter.code)])
                found = [
                    each[-1] for each in sort.page(search, documents, None, backwards=False, limit=10_000)
                ]
                by_id = sorted((each["id"] for each in resources), reverse=way < 0)
                keys = {each["id"]: key(parameter, each, way) for each in resources}
                present = sorted(
                    (each for each in by_id if keys[each] is not None), key=keys.__getitem__, reverse=way < 0
                )
                if way < 0:  # a sort in reverse keeps ties as they were
                    present = sorted(sorted(present, reverse=True), key=keys.__getitem__, reverse=True)
                expected = present + [each for each in by_id if keys[each] is None]
                assert found == expected, (resource_type, parameter.code, way)
                count += 1
    assert count > 500


def test_parameters_of_ones_own(
    client: MongoClient[dict[str, Any]], module_database_name: str, corpus: dict[str, list[Resource]]
) -> None:
    """http://hl7.org/fhir/R4/searchparameter.html: one of one's own finds what R4's finds with the same expression."""
    database = client.get_database(f"{module_database_name}-own", CODEC_OPTIONS)
    differences, count = [], 0
    for resource_type, resources in sorted(corpus.items()):
        chance = random.Random(resource_type)
        codes = [each for each in possible(resource_type) if each.type not in {"composite", "special"}]
        chosen = chance.sample(codes, min(5, len(codes)))
        own = tuple(
            dataclasses.replace(each, code=f"own-{each.code}", base=(resource_type,), generation=1)
            for each in chosen
        )
        site = dataclasses.replace(SITE, table=dataclasses.replace(TABLE, custom=own), generation=1)
        shelf = Shelf(database[resource_type], resource_type, site)
        shelf.put(*resources)
        for r4s, mine in zip(chosen, own, strict=True):
            values = [value for each in resources for value in elements(r4s, each)]
            for modifier, value in questions(r4s, values, chance):
                name = f"{mine.code}:{modifier}" if modifier else mine.code
                search = parse(resource_type, [(name, value)], table=site.table)
                filter_ = filter_of(search, site)
                found = sorted(each["_id"] for each in shelf.collection.find(filter_, {"_id": 1}))
                expected = brute_force(r4s, modifier, value, resources)
                count += 1
                if found != expected:
                    differences.append((resource_type, name, value, found, expected))
    client.drop_database(database)
    assert differences == []
    assert count > 1000
