"""What is known about the messages of other people, tried on what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from importers.hl7v2 import batch, charset, er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.convert import convert
from importers.hl7v2.reconcile import reconcile
from resources import codec, validation
from tests.importers.hl7v2 import corpus

Json = dict[str, Any]


def conversions(name: str) -> Iterator[Conversion]:
    """What becomes of each message in a file."""
    for part in batch.split((corpus.FOLDER / name).read_bytes()).messages:
        yield convert(er7.parse(charset.decode(part).text), FeedConfig(), name)


def bundle(conversion: Conversion) -> Json:
    """What is written where nothing is stored."""
    steps = reconcile(conversion)
    try:
        queries = next(steps)
        while True:
            queries = steps.send([[] for _ in queries])
    except StopIteration as end:
        written: Json = end.value.bundle
        return written


def assert_valid(written: Json) -> None:
    for entry in written["entry"]:
        issues = validation.validate(entry["resource"])
        assert [issue for issue in issues if issue.severity in {"error", "fatal"}] == []


def assert_known_facts_hold(name: str, written: Json, decided_otherwise: Collection[str] = ()) -> None:
    """Every fact that must hold or was decided, and nine of ten that should; ids of others are excepted."""
    expected = json.loads((corpus.FOLDER / "expected" / name.replace(".hl7", ".json")).read_bytes())
    if not expected.get("facts"):
        pytest.skip("Nothing is known about what becomes of it")
    found = _plain(json.loads(codec.encode(written)))
    failed = [
        fact
        for fact in expected["facts"]
        if fhirpathpy.evaluate(found, fact["fhirpath"], {}, models["r4"]) != [True]
        and fact["id"] not in decided_otherwise
    ]
    assert [fact["id"] for fact in failed if fact["level"] in {"must", "policy"}] == []
    wanted = [fact for fact in expected["facts"] if fact["level"] == "should"]
    assert len([fact for fact in failed if fact["level"] == "should"]) <= len(wanted) / 10


def _plain(value: Any) -> Any:
    """Without the extensions of primitives, which this FHIRPath confuses with the values."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items() if not name.startswith("_")}
    return [_plain(member) for member in value] if isinstance(value, list) else value
