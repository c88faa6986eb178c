"""Chains and `_has` answered twice: by MongoDB, and by following every reference with another FHIRPath engine.

http://hl7.org/fhir/R4/search.html#chaining, http://hl7.org/fhir/R4/search.html#has
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from capability.table import TABLE
from fhir_server.search import compartment, joins
from fhir_server.search.ask import everything
from fhir_server.search.clauses import parse
from fhir_server.search.query import filter_of
from resources import codec
from resources.search_parameters import SearchParameter
from tests.search.conftest import SITE, Resource, Shelf
from tests.search.driving import Driver
from tests.search.test_differential import CORPUS, brute_force, elements, questions, read_corpus, references

DEFINITIONS = CORPUS.parent / "fhir-r4/compartments.json"
MOST_OF_A_TYPE = 25
Shelves = Mapping[str, Shelf]
Link = tuple[str, SearchParameter, str]
"""(source type, reference parameter, target type)"""
Question = tuple[str, str, set[str]]
"""(name, value, who meets it)"""


def read_bundles() -> dict[str, list[Resource]]:
    """Of each Bundle of patients the first resources of each type; their references say `Type/id`, as once stored."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for file in sorted((CORPUS / "fhir/synthea").glob("[A-Z]*.json")):
        text = file.read_text()
        for entry in codec.decode(text.encode())["entry"]:
            address = f"{entry['resource']['resourceType']}/{entry['fullUrl'].removeprefix('urn:uuid:')}"
            text = text.replace(f'"{entry["fullUrl"]}"', f'"{address}"')
        counts: dict[str, int] = defaultdict(int)
        for entry in codec.decode(text.encode())["entry"]:
            resource = entry["resource"]
            counts[resource["resourceType"]] += 1
            if counts[resource["resourceType"]] <= MOST_OF_A_TYPE:
                found[resource["resourceType"]].append(resource)
    return found


class World:
    """All resources, those that are contained in others beside them, and where each refers to."""

    def __init__(self) -> None:
        self.resources = {name: list(some) for name, some in read_corpus().items()}
        for name, some in read_bundles().items():
            known = {each["id"] for each in self.resources.get(name, ())}
            self.resources.setdefault(name, []).extend(each for each in some if each["id"] not in known)
        self.inside: dict[str, list[Resource]] = defaultdict(list)
        for name, some in self.resources.items():
            for outer in some:
                for each in outer.get("contained", ()):
                    if "id" in each:
                        told = {**each, "id": f"{name}/{outer['id']}#{each['id']}"}
                        self.inside[each["resourceType"]].append(told)
        self.refers: dict[tuple[str, str], dict[str, set[str]]] = {}
        self.links: list[Link] = []
        self._asked: dict[str, list[Question]] = {}
        for source, some in self.resources.items():
            for parameter in TABLE.search_parameters(source):
                if parameter.type == "reference" and "xtension(" not in str(parameter.expression):
                    self._follow(source, parameter, some)

    def _follow(self, source: str, parameter: SearchParameter, resources: list[Resource]) -> None:
        told = {
            each["id"]: {
                text
                for value in elements(parameter, each)
                for text in references(value) or contained_in(each, value)
            }
            for each in [*resources, *self.inside[source]]
        }
        self.refers[source, parameter.code] = told
        targets = {text.partition("/")[0] for texts in told.values() for text in texts} & set(self.resources)
        self.links += [(source, parameter, each) for each in sorted(targets & set(parameter.target))]

    def referring(self, link: Link, ids: set[str]) -> set[str]:
        """Those of the source that refer to one of these targets; a contained one is referred to from around it."""
        source, parameter, target = link
        wanted = {f"{target}/{each}" for each in ids}
        return {one for one, texts in self.refers[source, parameter.code].items() if texts & wanted}

    def referred(self, link: Link, ids: set[str]) -> set[str]:
        """Those of the target that one of these sources refers to, which is not contained itself."""
        source, parameter, target = link
        told = set().union(*(self.refers[source, parameter.code][each] for each in ids if "#" not in each))
        return {each["id"] for each in self.resources[target] if f"{target}/{each['id']}" in told}

    def asked(self, resource_type: str, chance: random.Random, most: int = 4) -> list[Question]:
        """A few questions about a type."""
        if resource_type not in self._asked:
            self._asked[resource_type] = list(self._questions(resource_type, chance))
        known = self._asked[resource_type]
        some = chance.sample(known, min(2 * most, len(known)))
        return sorted(some, key=lambda each: -len(each[2]))[
            :most
        ]  # what many meet is met through references, too

    def _questions(self, resource_type: str, chance: random.Random) -> Iterator[Question]:
        possible = [
            each
            for each in TABLE.search_parameters(resource_type)
            if each.type in {"token", "string", "date"} and "xtension(" not in str(each.expression)
            and not each.code.startswith("_")
        ]  # fmt: skip
        for parameter in chance.sample(possible, min(12, len(possible))):
            everything_there = [*self.resources[resource_type], *self.inside[resource_type]]
            values = [value for each in everything_there for value in elements(parameter, each)]
            for modifier, value in list(questions(parameter, values, chance))[:4]:
                name = f"{parameter.code}:{modifier}" if modifier else parameter.code
                ids = set(brute_force(parameter, modifier, value, everything_there))
                if ids or chance.random() < 0.2:
                    yield name, value, ids


def contained_in(resource: Resource, value: Any) -> list[str]:
    """What `#a` stands for, as `World.inside` names it."""
    text = value.get("reference", "") if isinstance(value, dict) else ""
    if not text.startswith("#"):
        return []
    where = f"{resource['resourceType']}/{resource['id']}"
    return [
        f"{each['resourceType']}/{where}{text}"
        for each in resource.get("contained", ())
        if each.get("id") == text[1:]
    ]


def find(shelves: Shelves, resource_type: str, name: str, value: str) -> set[str]:
    search = parse(resource_type, [(name, value)])
    joined = Driver(shelves).planned(joins.conditions(search, SITE, everything))
    filter_ = filter_of(search, SITE, joined=joined)
    return {each["_id"] for each in shelves[resource_type].collection.find(filter_, {"_id": 1})}


def cases(world: World) -> Iterator[tuple[str, str, str, set[str]]]:
    """(type, name, value, expected) for one and two references, forwards, backwards and mixed."""
    chance = random.Random(4)
    for link in world.links:
        source, parameter, target = link
        for name, value, ids in world.asked(target, chance, 8):
            yield source, f"{parameter.code}:{target}.{name}", value, world.referring(link, ids)
        for name, value, ids in world.asked(source, chance, 8):
            yield target, f"_has:{source}:{parameter.code}:{name}", value, world.referred(link, ids)
    pairs = [(one, two) for one in world.links for two in world.links]
    for one, two in chance.sample(pairs, 4000):
        (a, p, b), (c, q, d) = one, two
        if b == c:
            for name, value, ids in world.asked(d, chance):
                expected = world.referring(one, world.referring(two, ids))
                yield a, f"{p.code}:{b}.{q.code}:{d}.{name}", value, expected
        if b == d:
            for name, value, ids in world.asked(c, chance):
                yield (
                    a,
                    f"{p.code}:{b}._has:{c}:{q.code}:{name}",
                    value,
                    world.referring(one, world.referred(two, ids)),
                )
        if a == c:
            for name, value, ids in world.asked(d, chance):
                yield (
                    b,
                    f"_has:{a}:{p.code}:{q.code}:{d}.{name}",
                    value,
                    world.referred(one, world.referring(two, ids)),
                )


@pytest.fixture(scope="module")
def world(shelves: Shelves) -> World:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real resources is not there (FHIR_CORPUS)")
    world = World()
    for resource_type, resources in world.resources.items():
        shelves[resource_type].put(*resources)
    return world


def test_both_answers_are_the_same(shelves: Shelves, world: World) -> None:
    differences, found_some, count = [], 0, 0
    for resource_type, name, value, met in cases(world):
        expected = {each for each in met if "#" not in each}
        found = find(shelves, resource_type, name, value)
        count += 1
        found_some += bool(expected)
        if found != expected:
            differences.append((resource_type, name, value, found, expected))
    assert differences == []
    assert count > 3000
    assert found_some > 800


def test_compartments_hold_what_refers_to_their_owner(shelves: Shelves, world: World) -> None:
    """http://hl7.org/fhir/R4/compartmentdefinition.html"""
    if not DEFINITIONS.is_file():
        pytest.skip("the compartments' definitions are not there (fhir-r4 beside FHIR_CORPUS)")
    definitions = json.loads(DEFINITIONS.read_text())
    differences, found_some = [], 0
    for owner, members in definitions.items():
        for logical_id in [each["id"] for each in world.resources[owner]][:12]:
            for member in set(members) & set(world.resources):
                expected = {logical_id} if member == owner else set()
                for code in members[member]:
                    told = world.refers.get((member, code), {})
                    referring = {one for one, texts in told.items() if f"{owner}/{logical_id}" in texts}
                    expected |= {one for one in referring if "#" not in one}
                if not members[member] and member != owner:
                    continue
                condition = compartment.condition((owner, logical_id), member)
                found = {each["_id"] for each in shelves[member].collection.find(condition, {"_id": 1})}
                found_some += len(found) > 1
                if found != expected:
                    differences.append((owner, logical_id, member, found, expected))
    assert differences == []
    assert found_some > 30
