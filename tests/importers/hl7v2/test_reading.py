from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.config import Feeds
from importers.hl7v2.reading import Reader, digest
from tests.importers.hl7v2.feeding import message

READ = Reader(Feeds())


def test_what_the_feed_has_to_know() -> None:
    found = READ(
        message("0042", "Jansen", "C7").replace(b"PID|1||0042|", b"PID|1|OLD|0042^^^A^MR~77^^^B|ALT|")
    )
    assert found.message is not None
    row = found.row
    assert (row.sender, row.type, row.control_id, row.version) == ("LAB|HOSP", "ADT^A01", "C7", "2.5.1")
    assert row.patients == ("0042", "77", "OLD", "ALT")
    assert row.keys == ("LAB|HOSP|0042", "LAB|HOSP|77", "LAB|HOSP|OLD", "LAB|HOSP|ALT")


def test_both_patients_of_a_merge_keep_their_place() -> None:
    found = READ(message("1", "x").replace(b"ADT^A01", b"ADT^A40") + b"MRG|2^^^A~3\r")
    assert set(found.row.patients) == {"1", "2", "3"}


def test_the_same_message_has_the_same_name_whatever_ends_its_lines() -> None:
    one = message("1", "x")
    for other in (one.replace(b"\r", b"\r\n"), one.replace(b"\r", b"\n"), one.rstrip(), one + b"\r"):
        assert READ(other).row.id == READ(one).row.id
    assert READ(message("1", "y")).row.id != READ(one).row.id
    assert READ(message("1", "x", "2")).row.id != READ(one).row.id
    assert READ(message("1", "x", sender="RIS|HOSP")).row.id != READ(one).row.id
    assert len(digest(b"")) == 64


def test_ten_thousand_patients_take_a_hundred_places() -> None:
    many = "~".join(str(number) for number in range(10_000)).encode()
    assert len(READ(message("1", "x").replace(b"||1||", b"||" + many + b"||")).row.keys) == 100


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda each: b"MSH|^~\\&|A|B" + each))
def test_any_bytes_are_read_or_told_to_be_unreadable(raw: bytes) -> None:
    found = READ(raw)
    assert (found.message is None) == bool(found.fault.text)
    assert found.row.size == len(raw)


def test_a_charset_that_does_not_exist_is_a_fault_not_a_crash() -> None:
    found = READ(message("1", "x"), "no-such-charset")
    assert found.message is not None or found.fault.text


def test_of_what_is_cut_short_the_header_is_known() -> None:
    fault = READ(b"nothing").fault
    row = READ.header_of(message("1", "x", "C9")[:60], fault).row
    assert (row.application, row.control_id) == ("LAB", "C9")
