"""Searches over stored documents in a real MongoDB, on the indexes a server has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from fhir_server.search.clauses import parse
from fhir_server.search.index import search_document
from fhir_server.search.query import filter_of
from fhir_server.search.site import Condition, Site
from fhir_server.store.documents import CODEC_OPTIONS

BASE = "https://home.example.org/fhir"
NOW = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)

SITE = Site(BASE, UTC, lambda: NOW)

Resource = dict[str, Any]


@dataclass
class Shelf:
    """One resource type's documents, as the store keeps them."""

    collection: Collection[dict[str, Any]]
    resource_type: str
    site: Site = SITE
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def put(self, *resources: Resource) -> None:
        self.collection.insert_many([self.document(resource) for resource in resources])

    def document(self, resource: Resource, moment: datetime = NOW) -> dict[str, Any]:
        whole = {"resourceType": self.resource_type, **resource}
        whole.setdefault("id", f"n{next(self.numbers):06}")
        return {"_id": whole["id"], "v": 1, "t": moment, "r": whole, "s": search_document(whole, self.site)}

    def filter(self, *query: tuple[str, str]) -> Condition:
        return filter_of(parse(self.resource_type, query), self.site)

    def find(self, *query: tuple[str, str]) -> list[str]:
        """The ids a query finds, in order."""
        return [
            found["_id"] for found in self.collection.find(self.filter(*query), {"_id": 1}).sort("_id", 1)
        ]

    def finds(self, resource: Resource, *query: tuple[str, str]) -> bool:
        """Whether the query finds this one resource."""
        document = self.document({**resource, "id": f"n{next(self.numbers):06}"})
        self.collection.insert_one(document)
        condition = {"$and": [{"_id": document["_id"]}, self.filter(*query)]}
        return self.collection.find_one(condition, {"_id": 1}) is not None

    def stages(self, *query: tuple[str, str]) -> str:
        """The stages of the winning plan, as text."""
        plan = self.collection.find(self.filter(*query)).explain()
        return str(plan["queryPlanner"]["winningPlan"])


@pytest.fixture(scope="module")
def client(mongod_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongod_uri) as client:
        yield client


@pytest.fixture(scope="module")
def shelves(client: MongoClient[dict[str, Any]], module_database_name: str) -> dict[str, Shelf]:
    """An empty shelf for each type that is asked for, kept for the tests of one file."""
    database = client.get_database(module_database_name, CODEC_OPTIONS)

    class Shelves(dict[str, Shelf]):
        def __missing__(self, resource_type: str) -> Shelf:
            collection = database[resource_type]
            collection.create_index([("s.$**", 1)])
            self[resource_type] = Shelf(collection, resource_type)
            return self[resource_type]

    return Shelves()
