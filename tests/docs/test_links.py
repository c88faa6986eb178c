"""Every link in the documents leads somewhere, and every file that documents and code name exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, anchors, links

PLACES = "fhir_server|resources|capability|importers|tests|docs"
_NAMED = re.compile(rf"`((?:{PLACES})/[\w./-]*)`")
_DOCUMENT = re.compile(r"\bdocs/[\w/-]+\.md\b")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in links(document.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, fragment = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.is_relative_to(ROOT), target
        assert found.exists(), target
        if fragment:
            assert fragment in anchors(found.read_text()), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_files_that_documents_name_exist(document: Path) -> None:
    text = document.read_text()
    for name in [*_NAMED.findall(text), *_DOCUMENT.findall(text)]:
        assert (ROOT / name).exists(), name


def test_documents_that_code_names_exist() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git working tree")
    sources = [
        ROOT / name for name in listed.stdout.split() if name.endswith((".py", ".toml", ".yaml", "Makefile"))
    ]
    assert len(sources) > 100
    missing = {
        f"{_name(source)}: {name}"
        for source in sources
        if source.exists()
        for name in _DOCUMENT.findall(source.read_text())
        if not (ROOT / name).exists()
    }
    assert missing == set()


def test_every_decision_is_in_the_list_of_decisions() -> None:
    listed = set(links((ROOT / "docs/adr/README.md").read_text()))
    pages = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    assert listed == pages
    for name in pages:
        text = (ROOT / "docs/adr" / name).read_text()
        assert text.startswith(f"# {name[:4]} ")
        for part in ("Context", "Decision", "Rejected", "Consequences"):
            assert f"\n## {part}\n" in text, f"{name} lacks {part}"
