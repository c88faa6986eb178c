"""Golden folders: what each message becomes, resource by resource, before anything stored is looked at.

`python -m tests.importers.hl7v2.test_cases [case …]` writes the expected files anew; read the difference before it is committed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from importers.hl7v2 import er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Draft
from importers.hl7v2.convert import convert
from resources import codec, validation
from resources.codec import Json

CASES = Path(__file__).parents[2] / "cases" / "hl7v2"
_CONFIG = FeedConfig(zone=ZoneInfo("Pacific/Auckland"))


def _folders() -> list[Path]:
    return sorted(path.parent for path in CASES.glob("*/input.hl7"))


def _named(folder: Path) -> Json:
    """With short names in place of the urls of drafts."""
    converted = _converted(folder)
    text = codec.encode(converted).decode()
    for number, draft in enumerate(converted["drafts"], 1):
        text = text.replace(draft["url"].removeprefix("urn:uuid:"), f"draft-{number}")
    return codec.decode(text.encode())


def _converted(folder: Path) -> Json:
    text = (folder / "input.hl7").read_bytes().decode("utf-8")
    conversion = convert(er7.parse(text), _CONFIG, "case")
    return {
        "issues": [
            f"{issue.severity} {issue.code} {issue.place}: {issue.text}" for issue in conversion.issues
        ],
        "drafts": [
            {
                "url": draft.url,
                "role": draft.role,
                "match": list(draft.match),
                **({"clear": list(draft.clear)} if draft.clear else {}),
                **({"replacedBy": draft.replaced_by} if draft.replaced_by else {}),
                "resource": _created(draft),
            }
            for draft in conversion.drafts
        ],
    }


def _created(draft: Draft) -> Json:
    """What is stored where nothing was before."""
    told = draft.resource
    return told if draft.adjust is None else draft.adjust({}, told, told, True)


@pytest.mark.parametrize("folder", _folders(), ids=lambda folder: folder.name)
def test_becomes_what_is_expected(folder: Path) -> None:
    assert _named(folder) == codec.decode_any((folder / "expected.json").read_bytes())


@pytest.mark.parametrize("folder", _folders(), ids=lambda folder: folder.name)
def test_is_valid_r4(folder: Path) -> None:
    for draft in _converted(folder)["drafts"]:
        issues = validation.validate(draft["resource"])
        assert [issue for issue in issues if issue.severity in {"error", "fatal"}] == []


def _write(names: list[str]) -> None:
    for folder in _folders():
        if not names or folder.name in names:
            (folder / "expected.json").write_bytes(codec.encode_pretty(_named(folder)) + b"\n")


if __name__ == "__main__":
    _write(sys.argv[1:])
