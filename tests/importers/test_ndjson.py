from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers import ndjson
from importers.files import Refused, Source, sources
from importers.ndjson import Piece, Reader, numbered

PATIENT = b'{"resourceType":"Patient","id":"p1"}'
NAMELESS = b'{"resourceType":"Patient"}'
BUNDLE = b'{"resourceType":"Bundle","type":"batch"}'

Read = Callable[[str, bytes], list[Piece | Refused]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """What a file of that name and content gives."""

    def reading(name: str, content: bytes) -> list[Piece | Refused]:
        (tmp_path / name).write_bytes(content)
        with Reader() as reader:
            return list(reader.pieces(one(tmp_path / name)))

    return reading


def one(path: Path) -> Source:
    (found,) = sources([path])
    assert isinstance(found, Source)
    return found


def refused(found: list[Piece | Refused]) -> str:
    (only,) = found
    assert isinstance(only, Refused)
    return only.text


class Dripping(io.BytesIO):
    """Gives at most `drop` bytes at a time."""

    def __init__(self, content: bytes, drop: int) -> None:
        super().__init__(content)
        self.drop = drop

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.drop)


@given(st.lists(st.sampled_from([b"", b" ", b"a", b"bb\r", b"\tccc "])), st.integers(1, 9), st.booleans())
def test_lines_are_the_same_wherever_the_stream_is_cut(lines: list[bytes], drop: int, ended: bool) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    expected = [(at, line.strip()) for at, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    assert list(numbered(Dripping(content, drop))) == expected


@given(st.integers(1, 40), st.integers(1, 9))
def test_a_line_that_is_too_long_is_passed_over_alone(length: int, drop: int) -> None:
    before = ndjson.MAX_LINE
    ndjson.MAX_LINE = 20
    try:
        content = b"x" * length + b"\nafter"
        first = (1, None if length > 20 else b"x" * length)
        assert list(numbered(Dripping(content, drop))) == [first, (2, b"after")]
        assert list(numbered(Dripping(b"before\n" + b"x" * length, drop))) == [(1, b"before"), (2, first[1])]
    finally:
        ndjson.MAX_LINE = before


def test_ndjson_gives_its_lines_with_their_numbers(read: Read, tmp_path: Path) -> None:
    found = read("a.ndjson", PATIENT + b"\r\n\n" + BUNDLE)
    assert [each.name for each in found] == [f"{tmp_path}/a.ndjson line 1", f"{tmp_path}/a.ndjson line 3"]
    assert [(each.body, each.alone) for each in found if isinstance(each, Piece)] == [
        (PATIENT, False),
        (BUNDLE, True),
    ]


def test_a_key_stands_for_the_content_wherever_it_lies(read: Read) -> None:
    (alone,) = read("a.json", PATIENT)
    first, second = read("b.ndjson", b"\n" + NAMELESS + b"\n" + PATIENT)
    packed = read("c.ndjson.gz", gzip.compress(PATIENT))
    assert isinstance(alone, Piece)
    assert isinstance(first, Piece)
    assert isinstance(second, Piece)
    assert isinstance(packed[0], Piece)
    assert alone.key == second.key == packed[0].key != first.key


def test_what_has_no_id_and_comes_twice_is_two_and_the_same_two_next_time(read: Read) -> None:
    content = b"\n".join([NAMELESS, PATIENT, NAMELESS, PATIENT, BUNDLE, BUNDLE])
    keys = [each.key for each in read("a.ndjson", content) if isinstance(each, Piece)]
    assert keys[1] == keys[3]
    assert len({*keys}) == 5
    assert keys == [each.key for each in read("a.ndjson", content) if isinstance(each, Piece)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"", "is empty"),
        ("a.json", b" \n", "is empty"),
        ("a.ndjson", b"\n \n", "is empty"),
        ("a.json.gz", PATIENT, "not gzip"),
        ("a.json.gz", b"", "is empty"),
        ("a.json.gz", gzip.compress(bytes(range(256)) * 9)[:-20], "damaged"),
        ("a.ndjson.gz", gzip.compress(PATIENT)[:-4], "damaged"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(read: Read, name: str, content: bytes, said: str) -> None:
    refusals = [each.text for each in read(name, content) if isinstance(each, Refused)]
    assert len(refusals) == 1
    assert said in refusals[0]


def test_broken_json_is_a_piece_for_whoever_performs_it_to_refuse(read: Read) -> None:
    found = read("a.ndjson", b'{"resourceType":\n\x00\xff\n' + b"[" * 100_000)
    assert [type(each) for each in found] == [Piece] * 3


def test_a_bomb_is_found_before_it_is_in_memory(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndjson, "FREE_BYTES", 1024)
    for name in ("a.json.gz", "a.ndjson.gz"):
        assert "250 times" in refused(read(name, gzip.compress(b" " * 20_000_000)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * 20_000_000)
    with Reader() as reader:
        assert "250 times" in refused(list(reader.pieces(one(tmp_path / "a.zip"))))


def test_a_file_that_is_too_large_is_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_FILE", len(PATIENT))
    assert isinstance(read("a.json", PATIENT)[0], Piece)
    assert "larger than" in refused(read("a.json", PATIENT + b" "))


def test_members_of_an_archive_are_read_in_any_order(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", PATIENT)
        archive.writestr("b.ndjson", NAMELESS + b"\n" + NAMELESS)
    first, second = (each for each in sources([tmp_path / "a.zip"]) if isinstance(each, Source))
    with Reader() as reader:
        bodies = [
            each.body
            for source in (second, first)
            for each in reader.pieces(source)
            if isinstance(each, Piece)
        ]
    assert bodies == [NAMELESS, NAMELESS, PATIENT]


def test_a_damaged_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.json", PATIENT)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(PATIENT, PATIENT.replace(b"p1", b"p2")))
    with Reader() as reader:
        assert "CRC" in refused(list(reader.pieces(one(tmp_path / "a.zip"))))


def test_a_file_that_vanishes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(PATIENT)
    source = one(path)
    path.unlink()
    with Reader() as reader:
        assert refused(list(reader.pieces(source))) == "No such file or directory"
        assert not reader.begins_batch(source)


@pytest.mark.parametrize(
    ("name", "content", "batch"),
    [
        ("a.json", b'{"type" : "batch", "resourceType":"Bundle"}', True),
        ("a.json.gz", gzip.compress(BUNDLE), True),
        ("a.json", b'{"resourceType":"Bundle","type":"transaction"}', False),
        ("a.json", b'{"resourceType":"Basic","type":"batch"}', False),
        ("a.json.gz", BUNDLE, False),
        ("a.ndjson", BUNDLE, False),
    ],
)
def test_a_batch_is_recognised_by_its_beginning(
    tmp_path: Path, name: str, content: bytes, batch: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    with Reader() as reader:
        assert reader.begins_batch(one(tmp_path / name)) is batch


def test_the_position_goes_from_the_beginning_to_the_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n".join(NAMELESS for _ in range(1000))))
    source = one(path)
    with Reader() as reader:
        places = [reader.position for _ in reader.pieces(source)]
        assert places == sorted(places)
        assert reader.position == source.size
