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
    """What stands between `<!-- name: begin -->` and `<!-- name: end -->` in a document of the project."""
    return _section(document, name)[1].strip("\n")


def replace_section(document: str, name: str, content: str) -> None:
    """Puts something else between the marks."""
    text = (ROOT / document).read_text()
    found = _section(document, name)
    (ROOT / document).write_text(f"{text[: found.start(1)]}{content.strip(chr(10))}\n{text[found.end(1) :]}")


def _section(document: str, name: str) -> re.Match[str]:
    pattern = rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->"
    found = list(re.finditer(pattern, (ROOT / document).read_text(), re.DOTALL))
    assert len(found) == 1, f"{document} has {len(found)} sections {name!r}"
    return found[0]


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
