from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from importers.dicom.spool import Spool


def _never_asked(_: bytes) -> bool:
    raise AssertionError


def test_little_stays_in_memory_and_is_not_looked_at() -> None:
    spool = Spool(_never_asked, kept=10)
    assert spool.write(b"0123456789") == 10
    assert spool.opened().read() == b"0123456789"
    assert spool.size == 10


def test_what_follows_after_the_header_is_counted_and_forgotten() -> None:
    asked: list[bytes] = []

    def enough(head: bytes) -> bool:
        asked.append(head)
        return True

    spool = Spool(enough, kept=10)
    for _ in range(1000):
        spool.write(b"01234567")
    assert spool.size == 8000
    assert spool.opened().read() == b"0123456701234567"
    assert asked == [b"0123456701234567"]
    assert not spool.overflown


def test_a_header_that_goes_on_waits_in_a_file_up_to_a_limit(tmp_path: Path) -> None:
    spool = Spool(lambda _: False, kept=10, most=30, folder=str(tmp_path))
    for each in b"abcdef":
        spool.write(bytes([each]) * 8)
    assert spool.overflown
    kept = spool.opened().read()
    assert kept == b"aaaaaaaabbbbbbbbcccccccc"
    assert spool.getvalue() == b""
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_what_is_kept_is_the_beginning_of_what_came(pieces: list[bytes]) -> None:
    for enough in (True, False):
        spool = Spool([lambda _: False, lambda _: True][enough], kept=50)
        for each in pieces:
            spool.write(memoryview(each))
        came = b"".join(pieces)
        kept = spool.opened().read()
        assert came.startswith(kept)
        assert kept == came or (enough and len(kept) > 50)
        spool.close()
