from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.header import Header, read_header

MSH = b"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260101||ORU^R01|00042|P|2.5.1\rPID|1\r"


def header(raw: bytes) -> Header:
    found = read_header(raw)
    assert found is not None
    return found


def test_fields_are_numbered_as_hl7_does() -> None:
    read = header(MSH)
    assert (read.separator, read.declared, read.raw(3), read.raw(10)) == ("|", "^~\\&", "LAB", "00042")
    assert (read.component(9, 1), read.component(9, 2), read.component(9, 3)) == ("ORU", "R01", "")
    assert (read.raw(18), read.raw(999)) == ("", "")


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n", b" \t", b"\x0b", b"\x00", b"\r\r\n "])
def test_what_stands_before_is_passed_over(before: bytes) -> None:
    assert header(before + MSH).control_id == "00042"


@pytest.mark.parametrize(
    "raw", [b"garbage\r" + MSH, b"garbage" + MSH, MSH.replace(b"\r", b"\n"), b"msh" + MSH[3:]]
)
def test_a_header_is_found_where_it_should_not_be(raw: bytes) -> None:
    assert header(raw).control_id == "00042"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"PID|1",
        b"MSH",
        b"MSHA|x",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01MSHx",
        b"MSH\r|^~\\&",
    ],
)
def test_nothing_is_found_where_there_is_none(raw: bytes) -> None:
    assert read_header(raw) is None


def test_other_delimiters() -> None:
    read = header(b"MSH#$%?!#LAB#HOSP#EHR#CLINIC###ADT$A01#7#P#2.3\r")
    assert (read.separator, read.declared, read.component(9, 2), read.control_id) == ("#", "$%?!", "A01", "7")


@pytest.mark.parametrize("raw", [b"MSH|", b"MSH|A|B", b"MSH||LAB", b'MSH|"|x'])
def test_delimiters_that_are_none_are_the_usual_ones(raw: bytes) -> None:
    assert header(raw).declared == "^~\\&"
    assert header(raw.replace(b"|", b"^")).declared == "~\\&$"


def test_batches_and_files_have_their_control_id_elsewhere() -> None:
    assert header(b"FHS|^~\\&|A|B|C|D|2026||name|comment|F7|R\r").control_id == "F7"
    assert header(b"BHS|^~\\&|A|B|C|D|2026||name|comment|B7|R\r").control_id == "B7"


@pytest.mark.parametrize(
    ("raw", "answers"),
    [
        (MSH, False),
        (b"MSH|^~\\&|A|B|C|D|2026||ACK^R01|1|P|2.5\r", True),
        (b"MSH|^~\\&|A|B|C|D|2026||ACK|1|P|2.5\rMSA|AA|7\r", True),
        (b"MSH|^~\\&|A|B|C|D|2026||RSP^K22|1|P|2.5\rMSA|AA|7\r", True),
        (b"MSH|^~\\&|A|B|C|D|2026||RSP^K22|1|P|2.5\nMSA|AA|7\n", True),
        (MSH + b"NTE|1||MSA|x\r", False),
        (b"BHS|^~\\&|A|B|C|D|2026||n|c|1\rMSH|^~\\&|||||||ACK|1\rMSA|AA\r", False),
    ],
)
def test_answers_are_known_as_such(raw: bytes, answers: bool) -> None:
    assert header(raw).answers is answers


NAME = st.binary(max_size=8).map(lambda name: name.translate(None, b"|\r\n\x0b\x1c"))


@given(NAME, NAME)
def test_fields_come_back_byte_for_byte(name: bytes, number: bytes) -> None:
    read = header(b"MSH|^~\\&|" + name + b"|HOSP|EHR|CLINIC|20260101||ORU^R01|" + number + b"|P|2.5.1\r")
    assert read.encode(read.raw(3)) == name
    assert read.encode(read.control_id) == number


@pytest.mark.parametrize(
    ("charset", "encoding", "name"),
    [
        ("ISO IR87", "iso2022_jp", "東京病院"),
        ("~ISO IR87", "latin-1", "TOKYO"),
        ("BIG-5", "big5", "功能"),
        ("GB 18030-2000", "gb18030", "北京"),
        ("ISO IR14", "shift_jis", "ｿｰﾄ表"),
        ("UNICODE UTF-8", "latin-1", ""),
    ],
)
def test_characters_that_contain_delimiters(charset: str, encoding: str, name: str) -> None:
    text = f"MSH|^~\\&|LAB|{name}|EHR|CLINIC|20260101||ORU^R01|7|P|2.5.1||||||{charset}\r"
    read = header(text.encode(encoding))
    assert (read.encoding, read.raw(4), read.control_id) == (encoding, name, "7")
    assert read.encode(read.raw(4)) == name.encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_wide_characters_with_and_without_mark(encoding: str, mark: str) -> None:
    read = header((mark + MSH.decode()).encode(encoding))
    assert (read.encoding, read.control_id) == (encoding, "00042")
    assert read.encode("MSA") == (mark + "MSA").encode(encoding)


def test_what_frames_a_block_is_not_given_back() -> None:
    read = header(b"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260101||ORU^R01|1\x1c|P\x0b|2.5.1\r")
    assert read.encode(read.control_id) == b"1"


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"MSH", b"MSH|", b"MSH|^~\\&|", b"\xff\xfeM\x00S\x00H\x00"]),
)
def test_any_bytes_are_survived(garbage: bytes, before: bytes) -> None:
    found = read_header(before + garbage)
    if found is not None:
        found.encode(found.raw(3) + found.control_id + found.component(9, 2) + found.declared)


@pytest.mark.parametrize("filling", [b"\r", b"\r\n", b" ", b"\x0b", b"MSH", b"\rMSH", b"MSH|", b"\r "])
def test_time_is_bounded(filling: bytes) -> None:
    before = time.process_time()
    read_header(filling * (1_000_000 // len(filling)))
    assert time.process_time() - before < 1
