"""What is known about each ADT message of other people holds for what becomes of it. docs/hl7v2.md, "Decisions"."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from importers.hl7v2 import batch, charset, er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import ConversionError
from importers.hl7v2.convert import convert
from importers.hl7v2.reconcile import reconcile
from resources import codec, validation
from tests.importers.hl7v2 import corpus

Json = dict[str, Any]

REFUSED = {"v077_adt_a01_22_badseg.hl7"}
"""Messages that are answered AE: no PID"""
DECIDED_OTHERWISE = {
    ("v012_adt_a05_22.hl7", "encounter.status"),  # a pre-admission is planned, whatever its class
    (
        "v009_adt_a03_26_full.hl7",
        "peer.count.Organization",
    ),  # a company without number is inside its Coverage
}


def _names() -> list[str]:
    if not corpus.FOLDER.is_dir():
        return []
    return sorted(path.name for path in corpus.FOLDER.glob("*adt*.hl7"))


def _conversions(name: str) -> Iterator[Any]:
    for part in batch.split((corpus.FOLDER / name).read_bytes()).messages:
        message = er7.parse(charset.decode(part).text)
        if message.type == "ADT":
            yield convert(message, FeedConfig(), name)


def _bundle(conversion: Any) -> Json:
    """What is written where nothing is stored."""
    steps = reconcile(conversion)
    try:
        queries = next(steps)
        while True:
            queries = steps.send([[] for _ in queries])
    except StopIteration as end:
        bundle: Json = end.value.bundle
        return bundle


def _plain(value: Any) -> Any:
    """Without the extensions of primitives, which this FHIRPath confuses with the values."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items() if not name.startswith("_")}
    return [_plain(member) for member in value] if isinstance(value, list) else value


@pytest.fixture(params=_names() or [""])
def name(request: pytest.FixtureRequest) -> str:
    if not request.param:
        pytest.skip(f"There are no messages in {corpus.FOLDER}; FHIR_CORPUS names their folder")
    return str(request.param)


def test_every_resource_is_valid(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(ConversionError):
            list(_conversions(name))
        return
    for conversion in _conversions(name):
        for entry in _bundle(conversion)["entry"]:
            issues = validation.validate(entry["resource"])
            assert [issue for issue in issues if issue.severity in {"error", "fatal"}] == []


def test_what_is_known_about_it_holds(name: str) -> None:
    expected = json.loads((corpus.FOLDER / "expected" / name.replace(".hl7", ".json")).read_bytes())
    if name in REFUSED or not expected.get("facts"):
        pytest.skip("Nothing is known about what becomes of it")
    [conversion] = _conversions(name)
    bundle = _plain(json.loads(codec.encode(_bundle(conversion))))
    failed = [
        fact
        for fact in expected["facts"]
        if fhirpathpy.evaluate(bundle, fact["fhirpath"], {}, models["r4"]) != [True]
        and (name, fact["id"]) not in DECIDED_OTHERWISE
    ]
    assert [fact["id"] for fact in failed if fact["level"] in {"must", "policy"}] == []
    wanted = [fact for fact in expected["facts"] if fact["level"] == "should"]
    assert len([fact for fact in failed if fact["level"] == "should"]) <= len(wanted) / 10
