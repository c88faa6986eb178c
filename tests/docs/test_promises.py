"""Every promise to users names the test that keeps it, and that test is there."""

from __future__ import annotations

import re

from tests.docs.markdown import ROOT

_ROW = re.compile(r"^\| (.+?) \| (`tests/.+`) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/.]+)(?:::(\w+))?`")


def test_every_promise_has_its_test() -> None:
    text = (ROOT / "docs/promises.md").read_text()
    rows = _ROW.findall(text)
    assert len(rows) == text.count("\n| ") - 2, "each row has a promise and tests"
    missing = []
    for promise, tests in rows:
        named = _TEST.findall(tests)
        assert named, promise
        missing += [f"{promise}: {path} {name}" for path, name in named if not _is_there(path, name)]
    assert missing == []


def _is_there(path: str, name: str) -> bool:
    file = ROOT / path
    if not file.is_file():
        return False
    wanted = rf"^(?:async )?def {name}\(" if name else r"^(?:async )?def test_"
    return re.search(wanted, file.read_text(), re.MULTILINE) is not None
