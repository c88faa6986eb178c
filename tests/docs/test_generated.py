"""Tables in the documents are those the code prints; `python -m tests.docs.test_generated` writes them anew."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from capability.tables import parameters_table, routes_table, search_table
from fhir_server.settings import markdown
from tests.docs.markdown import ROOT, section

CURATED = ("Patient", "Encounter", "Observation", "MedicationRequest", "AuditEvent")

SECTIONS: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "settings"): markdown,
    ("docs/supported.md", "interactions"): routes_table,
    ("docs/supported.md", "search parameter types"): search_table,
    ("docs/supported.md", "search parameters"): lambda: parameters_table(CURATED),
}


@pytest.mark.parametrize(("document", "name"), SECTIONS)
def test_the_table_is_what_the_code_prints(document: str, name: str) -> None:
    assert section(document, name) == SECTIONS[document, name]().strip("\n"), (
        "python -m tests.docs.test_generated"
    )


def write() -> None:
    """Puts what the code prints into the documents."""
    for (document, name), printed in SECTIONS.items():
        path = ROOT / document
        pattern = rf"(<!-- {name}: begin[^>]*-->\n).*?(<!-- {name}: end -->)"
        table = printed().strip("\n")
        path.write_text(
            re.sub(pattern, lambda m: f"{m[1]}{table}\n{m[2]}", path.read_text(), flags=re.DOTALL)
        )  # noqa: B023


if __name__ == "__main__":
    write()
