"""The documents as the tests read them: marked sections, code blocks, links, headings."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")})

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def section(document: str, name: str) -> str:
    """What stands between `<!-- name: begin … -->` and `<!-- name: end -->` in a document of the project."""
    text = (ROOT / document).read_text()
    pattern = rf"<!-- {name}: begin[^>]*-->\n(.*?)<!-- {name}: end -->"
    found: list[str] = re.findall(pattern, text, re.DOTALL)
    assert len(found) == 1, f"{document} has {len(found)} sections {name!r}"
    return found[0].strip("\n")


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced code blocks as (language, content)."""
    return _BLOCK.findall(text)


def links(text: str) -> list[str]:
    """The targets of all links, code blocks left out."""
    return _LINK.findall(_BLOCK.sub("", text))


def anchors(text: str) -> set[str]:
    """What a `#fragment` may name, as GitHub makes it of the headings."""
    titles = _HEADING.findall(_BLOCK.sub("", text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
