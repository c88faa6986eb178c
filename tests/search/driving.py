"""Answers what a planning asks, from the shelves of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from fhir_server.search.ask import Ask, Planning
from tests.search.conftest import Shelf

T = TypeVar("T")


class Driver:
    """Plans to the end; `levels` keeps what was asked, level by level."""

    def __init__(self, shelves: Mapping[str, Shelf]) -> None:
        self._shelves = shelves
        self.levels: list[Sequence[Ask]] = []

    def planned(self, planning: Planning[T]) -> T:
        try:
            asks = next(planning)
            while True:
                self.levels.append(asks)
                asks = planning.send([self._answer(ask) for ask in asks])
        except StopIteration as end:
            result: T = end.value
            return result

    def _answer(self, ask: Ask) -> list[dict[str, Any]]:
        collection = self._shelves[ask.resource_type].collection
        if ask.distinct is None:
            return list(collection.find(ask.filter, ask.projection, limit=ask.limit))
        code = ask.distinct.removeprefix("s.")
        values: dict[str, None] = {}
        for document in collection.find(ask.filter):
            value = document["s"].get(code)
            for each in value if isinstance(value, list) else [value]:
                if each is not None and each.startswith(ask.prefix):
                    values[each] = None
        return [{"_id": each} for each in list(values)[: ask.limit]]
