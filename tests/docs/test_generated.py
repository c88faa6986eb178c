"""Tables in the documents are those the code prints; `python -m tests.docs.test_generated` writes them anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from capability.table import SEARCHABLE_TYPES
from capability.tables import indexes_table, parameters_table, routes_table, search_table
from fhir_server.search.clause import LATER
from fhir_server.settings import markdown
from tests.docs.markdown import replace_section, section

CURATED = ("Patient", "Encounter", "Observation", "MedicationRequest", "AuditEvent")

KINDS = ("token", "reference", "string", "date", "uri", "number", "quantity", "composite", "special")


def not_searchable_yet() -> str:
    """What R4's search has and this server has not yet, as items of a list."""
    kinds = [kind for kind in KINDS if kind not in SEARCHABLE_TYPES]
    lacking = [f"parameters of type {', '.join(kinds)}"] if kinds else []
    lacking += [", ".join(f"`{name}`" for name in sorted(LATER))] if LATER else []
    return "\n".join(f"- {each}" for each in lacking)


SECTIONS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "settings"): markdown,
    ("README.md", "not searchable yet"): not_searchable_yet,
    ("docs/search.md", "not searchable yet"): not_searchable_yet,
    ("docs/search.md", "indexes"): indexes_table,
    ("docs/supported.md", "interactions"): routes_table,
    ("docs/supported.md", "search parameter types"): search_table,
    ("docs/supported.md", "search parameters"): lambda: parameters_table(CURATED),
}


@pytest.mark.parametrize(("document", "name"), SECTIONS)
def test_the_table_is_what_the_code_prints(document: str, name: str) -> None:
    assert section(document, name) == SECTIONS[document, name]().strip("\n"), (
        "python -m tests.docs.test_generated"
    )


if __name__ == "__main__":
    for (document, name), printed in SECTIONS.items():
        replace_section(document, name, printed())
