"""The table of official files that are refused: `python -m tests.resources.refused` writes it into docs/."""

from __future__ import annotations

from resources import validation
from tests.resources.official import ROOT, package_resources

FILE = ROOT / "docs" / "refused-official-examples.md"

_HEAD = """# Official files that are not valid R4

The official package of R4 (npm `hl7.fhir.r4.examples` 4.0.1) holds {total} resources. {accepted} are accepted. The
{refused} below break rules of R4 themselves and are refused. The table is written by
`python -m tests.resources.refused`; a test keeps it true.

Accepted with a warning, because the standard's own examples have it: a narrative of white space alone (txt-2), and
four references to types that the definitions do not allow (`resources/reference_rules.py` names them).

| file | errors | the first |
|---|---|---|
"""


def table() -> str:
    """The document; the official package must be there."""
    rows: list[str] = []
    total = 0
    for name, resource in package_resources():
        total += 1
        errors = [issue for issue in validation.validate(resource) if issue.severity == "error"]
        if errors:
            said = " ".join(errors[0].diagnostics.split()).replace("|", "\\|")
            rows.append(f"| `{name}` | {len(errors)} | {said} |\n")
    return _HEAD.format(total=total, accepted=total - len(rows), refused=len(rows)) + "".join(rows)


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
