from __future__ import annotations

import os
import zipfile
from pathlib import Path

from importers.files import Found, Refused, Skipped, Source, printable, sources


def kinds(found: list[Found], root: Path) -> list[tuple[str, str]]:
    return [(type(each).__name__, each.name.removeprefix(f"{root}/")) for each in found]


def write(path: Path, text: str = "{}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_is_walked_by_name_without_hidden_files(tmp_path: Path) -> None:
    for name in (
        "b.json",
        "a/2.ndjson",
        "a/1.JSONL",
        "c.json.gz",
        ".hidden.json",
        ".git/x.json",
        "README.md",
    ):
        write(tmp_path / name)
    assert kinds(list(sources([tmp_path])), tmp_path) == [
        ("Skipped", "README.md"),
        ("Source", "a/1.JSONL"),
        ("Source", "a/2.ndjson"),
        ("Source", "b.json"),
        ("Source", "c.json.gz"),
    ]


def test_forms_and_sizes_are_told_by_the_name(tmp_path: Path) -> None:
    plain, packed = write(tmp_path / "a.json", "{ }"), write(tmp_path / "b.ndjson.gz", "abcd")
    bare = write(tmp_path / "c.gz")
    assert list(sources([plain, packed, bare])) == [
        Source(str(plain), plain, "json", 3),
        Source(str(packed), packed, "ndjson", 4, gzip=True),
        Source(str(bare), bare, "json", 2, gzip=True),
    ]


def test_what_is_named_but_missing_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    other, missing, pipe = write(tmp_path / "notes.txt"), tmp_path / "nowhere.json", tmp_path / "pipe.json"
    os.mkfifo(pipe)
    found = list(sources([other, missing, pipe]))
    assert kinds(found, tmp_path) == [
        ("Refused", "notes.txt"),
        ("Refused", "nowhere.json"),
        ("Refused", "pipe.json"),
    ]
    texts = [each.text for each in found if isinstance(each, Refused)]
    assert ".ndjson" in texts[0]
    assert texts[1] == "No such file or directory"
    assert "neither a file nor a folder" in texts[2]


def test_links_are_followed_but_not_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.json")
    (tmp_path / "in" / "loop").symlink_to("..")
    (tmp_path / "linked").symlink_to("in")
    (tmp_path / "dangling.json").symlink_to("nowhere")
    found = list(sources([tmp_path]))
    assert ("Source", "in/a.json") in kinds(found, tmp_path)
    assert ("Source", "linked/a.json") in kinds(found, tmp_path)
    assert ("Refused", "dangling.json") in kinds(found, tmp_path)
    loops = [each for each in found if isinstance(each, Refused) and "not followed" in each.text]
    assert len(loops) == 2
    assert len(found) == 5


def test_an_archive_is_listed_by_name_and_nothing_in_it_is_a_path(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in (
            "b.json",
            "a.ndjson",
            "../../up.json",
            "inner.zip",
            "x.json.gz",
            ".h.json",
            "__MACOSX/y.json",
            "t.txt",
        ):
            archive.writestr(name, "{}")
    found = list(sources([tmp_path / "a.zip"]))
    assert kinds(found, tmp_path) == [
        ("Source", "a.zip/../../up.json"),
        ("Source", "a.zip/a.ndjson"),
        ("Source", "a.zip/b.json"),
        ("Refused", "a.zip/inner.zip"),
        ("Skipped", "a.zip/t.txt"),
        ("Refused", "a.zip/x.json.gz"),
    ]
    assert all(each.path == tmp_path / "a.zip" for each in found if isinstance(each, Source))


def test_what_calls_itself_zip_and_is_none_is_refused(tmp_path: Path) -> None:
    found = list(sources([write(tmp_path / "a.zip", "no archive")]))
    assert kinds(found, tmp_path) == [("Refused", "a.zip")]


def test_a_file_name_cannot_command_the_terminal(tmp_path: Path) -> None:
    assert printable("a\x1b[31m\nb.json") == "a\ufffd[31m\ufffdb.json"
    write(tmp_path / "x\x1b[2J.md")
    assert [type(each) for each in sources([tmp_path])] == [Skipped]
    assert all("\x1b" not in each.name for each in sources([tmp_path]))
