"""Every file of the official package and of the corpus, and the corpus' one-defect bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resources import codec, validation
from resources.outcome import FHIRError, Issue
from tests.resources import refused
from tests.resources.official import CORPUS, needs_corpus, needs_package


def errors(resource: codec.Json) -> list[Issue]:
    return [issue for issue in validation.validate(resource) if issue.severity == "error"]


@needs_package
def test_the_refused_official_files_are_those_documented() -> None:
    assert refused.table() == refused.FILE.read_text(encoding="utf-8")


@needs_corpus
def test_every_example_of_the_corpus_is_valid() -> None:
    files = sorted((CORPUS / "fhir" / "examples").glob("*.json"))
    assert files
    for file in files:
        assert errors(codec.decode(file.read_bytes())) == [], file.name


def one_defects() -> Any:
    file = CORPUS / "fhir" / "probes" / "one-defect.json"
    probes = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return [pytest.param(each, id=each["label"]) for each in probes]


@pytest.mark.parametrize("probe", one_defects())
def test_a_one_defect_body_is_judged_as_labelled(probe: Any) -> None:
    try:
        resource = codec.decode(probe["body"].encode("utf-8", "surrogatepass"))
        is_refused = resource.get("resourceType") != probe["type"] or bool(errors(resource))
    except FHIRError:
        is_refused = True
    assert probe["expect"] == "either" or is_refused == (probe["expect"] == "reject")


@needs_corpus
def test_every_probe_was_found() -> None:
    assert len(one_defects()) > 100
