"""The commands of the README's tour, pasted into a shell beside a real server, show what the README says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.test_serve import ENVIRONMENT, serving
from tests.docs.markdown import blocks, section

MARK = "--- next block ---"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_tour_shows_what_it_says(tmp_path: Path) -> None:
    steps = _steps(section("README.md", "tour"))
    assert len(steps) > 5
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with serving("--data-dir", tmp_path / "data", log=tmp_path / "log") as server:
        script = f"\necho '{MARK}'\n".join(commands for commands, _ in steps)
        assert "http://127.0.0.1:8080" in script
        shown = _pasted(script.replace("http://127.0.0.1:8080", server.base), tmp_path)
    for (commands, expected), output in zip(steps, shown.split(f"{MARK}\n"), strict=True):
        assert _as_said(expected).fullmatch(output), f"{commands}\nshows\n{output}\nnot\n{expected}"


def test_what_is_shown_is_compared() -> None:
    assert _as_said('{"a":"…"}\n200\n').fullmatch('{"a":"b"}\n200\n')
    assert not _as_said('{"a":"…"}\n200\n').fullmatch('{"a":"b"}\n201\n')
    assert not _as_said("a…c\n").fullmatch("a\nc\n")
    assert _as_said("a\n…\nd\n").fullmatch("a\nb\nc\nd\n")
    assert not _as_said("a\n…\nd\n").fullmatch("a\nb\nd\ne\n")


def _steps(tour: str) -> list[tuple[str, str]]:
    """Each block of commands with the block that says what they show; without one they show nothing."""
    steps: list[tuple[str, str]] = []
    for language, content in blocks(tour):
        if language == "sh":
            steps.append((content, ""))
        else:
            assert language == "text"
            assert steps[-1][1] == ""
            steps[-1] = (steps[-1][0], content)
    return steps


def _pasted(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def _as_said(expected: str) -> re.Pattern[str]:
    """`…` is anything within a line; a line of only `…` is any number of lines."""
    parts = [
        r"(?:.*\n)*?" if line == "…\n" else ".*?".join(map(re.escape, line.split("…")))
        for line in expected.splitlines(keepends=True)
    ]
    return re.compile("".join(parts))
