"""Numbers and names in the documents are those of the code."""

from __future__ import annotations

import re

import pytest

from capability.table import SEARCHABLE_TYPES, TABLE
from fhir_server.rest import protocol
from fhir_server.search import chain, clauses, include, joins, page, query, sort
from fhir_server.search import filter as filters
from fhir_server.settings import Settings
from fhir_server.store.mongod_folder import LOG_BYTES
from fhir_server.system import perform
from resources import codec, faults, validation
from tests.docs.markdown import ROOT

DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}

FACTS = [
    ("README.md", f"all {len(TABLE.types)} of R4"),
    ("README.md", f"http://{DEFAULTS['host']}:{DEFAULTS['port']}/fhir"),
    ("docs/operations.md", f"{codec.MAX_DEPTH} levels"),
    ("docs/operations.md", f"{codec.MAX_DIGITS} significant digits"),
    ("docs/operations.md", f"{DEFAULTS['max_body_bytes'] >> 20} MiB each"),
    ("docs/operations.md", f"{DEFAULTS['max_inflated_bytes'] >> 20} MiB each"),
    ("docs/operations.md", f"{DEFAULTS['request_timeout_seconds']:g} s, settable"),
    ("docs/operations.md", f"{protocol.HEAD_BYTES >> 10} KiB"),
    ("docs/operations.md", f"{LOG_BYTES >> 20} MB"),
    ("docs/operations.md", f"{clauses.MAX_CLAUSES} parameters, {clauses.MAX_VALUES} values"),
    ("docs/search.md", f"{clauses.MAX_CLAUSES} parameters and {clauses.MAX_VALUES} values"),
    ("docs/search.md", f"{clauses.MAX_LENGTH >> 10} KiB for one value"),
    ("docs/search.md", f"at most {chain.MOST_LINKS} references long"),
    ("docs/search.md", f"a step that leads over more than {joins.MOST_JOINED:,} resources"),
    ("docs/search.md", f"One search looks into {chain.MOST_LOOKUPS}"),
    ("docs/search.md", f"At most {filters.MOST_TESTS} tests, {filters.MOST_DEPTH} parentheses deep"),
    ("docs/search.md", f"At most {include.MOST_INCLUDED:,} resources from {include.MOST_LEVELS} levels"),
    ("docs/search.md", f"entries of a page, {DEFAULTS['default_count']} unless set"),
    ("docs/validation.md", f"the first {faults.MAX_ISSUES} of its structure"),
    ("docs/validation.md", f"{validation.MAX_ISSUES} issues at most"),
    ("docs/adr/0005-group-commit.md", f"retried up to {perform.ATTEMPTS} times"),
    ("docs/adr/0006-exact-numbers.md", f"beyond {codec.MAX_DIGITS} digits"),
]


@pytest.mark.parametrize(("document", "said"), FACTS)
def test_the_document_says_what_the_code_does(document: str, said: str) -> None:
    assert said in (ROOT / document).read_text()


def test_each_type_of_parameter_is_told_with_its_modifiers() -> None:
    rows = [
        re.split(r"(?<!\\)\|", row) for row in re.findall(r"^\| `[a-z]+` .*$", _parameters(), re.MULTILINE)
    ]
    told = {row[1].strip(" `"): re.findall(r"`:([\w-]+)`", row[3]) for row in rows}
    known = {kind: list(modifiers) for kind, modifiers in query._MODIFIERS.items()}
    assert told == {**known, "reference": ["identifier", "Patient"]}
    assert told.keys() == SEARCHABLE_TYPES


def _parameters() -> str:
    return (ROOT / "docs/search.md").read_text().partition("## Parameters")[2].partition("\n## ")[0]


def test_what_is_sorted_by_and_how_long_a_cursor_holds_is_told() -> None:
    text = (ROOT / "docs/search.md").read_text()
    assert f"| `_sort` | {', '.join(f'`{each}`' for each in clauses.SORTABLE)}, " in text
    assert f"all types but {' and '.join(clauses.WITHOUT_ORDER)}" in text
    assert f"than {sort.MOST:,} are a 413" in text
    assert page.MAX_AGE.days == 1
    assert "for one day" in text


def test_what_is_said_not_to_be_there_yet_is_not() -> None:
    assert {each.name for each in TABLE.operations} == {
        "explain", "reindex", "reindex-status", "process-hl7v2", "process-dicom", "instances", "feed", "feed-message", "feed-replay",
    }  # fmt: skip
