"""Numbers and names in the documents are those of the code."""

from __future__ import annotations

import re

import pytest

from capability.table import TABLE
from fhir_server.rest import protocol
from fhir_server.search import clauses, date, page, reference, string, token, uri
from fhir_server.settings import Settings
from fhir_server.store import indexes
from fhir_server.store.mongod_folder import LOG_BYTES
from fhir_server.system import perform
from resources import codec, faults
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
    ("docs/search.md", f"entries of a page, {DEFAULTS['default_count']} unless set"),
    ("docs/validation.md", f"the first {faults.MAX_ISSUES} of its structure"),
    ("docs/adr/0005-group-commit.md", f"retried up to {perform.ATTEMPTS} times"),
    ("docs/adr/0006-exact-numbers.md", f"beyond {codec.MAX_DIGITS} digits"),
]


@pytest.mark.parametrize(("document", "said"), FACTS)
def test_the_document_says_what_the_code_does(document: str, said: str) -> None:
    assert said in (ROOT / document).read_text()


@pytest.mark.parametrize(
    ("kind", "modifiers"),
    [
        ("token", token.MODIFIERS),
        ("string", string.MODIFIERS),
        ("uri", uri.MODIFIERS),
        ("date", date.MODIFIERS),
        ("reference", (reference.IDENTIFIER, "Patient")),
    ],
)
def test_the_modifiers_of_each_type_are_told(kind: str, modifiers: tuple[str, ...]) -> None:
    [row] = re.findall(rf"^\| `{kind}` .*$", (ROOT / "docs/search.md").read_text(), re.MULTILINE)
    cell = re.split(r"(?<!\\)\|", row)[3]
    assert re.findall(r"`:(\w+)`", cell) == list(modifiers)


def test_what_is_sorted_by_and_how_long_a_cursor_holds_is_told() -> None:
    text = (ROOT / "docs/search.md").read_text()
    assert f"| `_sort` | {', '.join(f'`{each}`' for each in clauses.SORTABLE)}, " in text
    assert page.MAX_AGE.days == 1
    assert "for one day" in text


def test_indexes_are_told() -> None:
    text = (ROOT / "docs/adr/0004-indexes.md").read_text()
    assert set(indexes.CURATED) == {"AuditEvent", "Observation"}
    assert sorted(indexes.WITHOUT_WILDCARD) == ["AuditEvent"]
    assert len(indexes.CURATED["AuditEvent"]) == 3
    assert "three compound indexes" in text
