"""What is known about each ADT message of other people holds for what becomes of it. docs/hl7v2.md, "Decisions"."""

from __future__ import annotations

import pytest

from importers.hl7v2.conversion import Conversion, ConversionError
from tests.importers.hl7v2 import corpus
from tests.importers.hl7v2.facts import assert_known_facts_hold, assert_valid, bundle, conversions

REFUSED = {"v077_adt_a01_22_badseg.hl7"}
"""Messages that are answered AE: no PID"""
DECIDED_OTHERWISE = {
    ("v012_adt_a05_22.hl7", "encounter.status"),  # a pre-admission is planned, whatever its class
    ("v009_adt_a03_26_full.hl7", "peer.count.Organization"),  # a company without number is in its Coverage
}


def _names() -> list[str]:
    if not corpus.FOLDER.is_dir():
        return []
    return sorted(path.name for path in corpus.FOLDER.glob("*adt*.hl7"))


@pytest.fixture(params=_names() or [""])
def name(request: pytest.FixtureRequest) -> str:
    if not request.param:
        pytest.skip(f"There are no messages in {corpus.FOLDER}; FHIR_CORPUS names their folder")
    return str(request.param)


def test_every_resource_is_valid(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(ConversionError):
            _conversions(name)
        return
    for conversion in _conversions(name):
        assert_valid(bundle(conversion))


def test_what_is_known_about_it_holds(name: str) -> None:
    if name in REFUSED or not (found := _conversions(name)):
        pytest.skip("Nothing becomes of it")
    decided = {fact for file, fact in DECIDED_OTHERWISE if file == name}
    assert_known_facts_hold(name, bundle(found[0]), decided)


def _conversions(name: str) -> list[Conversion]:
    """Of the messages of patient administration in a file."""
    return [each for each in conversions(name) if each.message.type == "ADT"]
