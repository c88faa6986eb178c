from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.batch import split
from tests.importers.hl7v2 import corpus

ONE = b"MSH|^~\\&|A|B|||1||ADT^A01|1|P|2.5\rPID|1||7"
TWO = b"MSH|^~\\&|A|B|||1||ADT^A01|2|P|2.5\rPID|1||8"
FHS, BHS = b"FHS|^~\\&|A\r", b"BHS|^~\\&|A\r"


@pytest.mark.parametrize(
    ("file", "wrong"),
    [
        (FHS + BHS + ONE + b"\r" + TWO + b"\rBTS|2\rFTS|1\r", []),
        (BHS + ONE + b"\n" + TWO + b"\nBTS|2\n", []),
        (BHS + ONE + b"\r" + TWO + b"\rBTS\r", []),
        (BHS + ONE + b"\r" + TWO + b"\rBTS|3\r", ["BTS-1"]),
        (FHS + BHS + ONE + b"\rBTS|1\r" + BHS + TWO + b"\rBTS|1\rFTS|2\r", []),
        (FHS + BHS + ONE + b"\rBTS|1\r" + BHS + TWO + b"\rBTS|2\rFTS|1\r", ["BTS-1", "FTS-1"]),
        (FHS + ONE + b"\r" + TWO + b"\rFTS|2\r", []),
        (FHS + BHS + ONE + b"\r\r\n" + TWO, ["FHS", "BHS"]),
        (ONE + b"\r" + TWO + b"\rBTS|2\rFTS|1", ["BTS", "FTS"]),
        (ONE + b"\r" + TWO, []),
        (b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r", []),
        (b"\xef\xbb\xbf \r\n" + ONE + b"\r\n" + TWO + b"\r\n\x1a", []),
    ],
)
def test_each_header_begins_a_message(file: bytes, wrong: list[str]) -> None:
    found = split(file)
    assert [message.rstrip(b"\r\n") for message in found.messages] == [ONE, TWO]
    assert [issue.place for issue in found.issues] == wrong
    assert found.enveloped == (b"HS|" in file)


def test_what_is_before_the_first_header_is_seen() -> None:
    assert split(b"PID|1\r" + ONE).messages == [b"PID|1", ONE]
    assert split(b"GET / HTTP/1.1\r\n\r\n").messages == [b"GET / HTTP/1.1"]
    assert split(b"").messages == split(b"\r\n \x00").messages == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_letters_become_narrow(encoding: str) -> None:
    assert split((ONE + b"\r" + TWO).decode().encode(encoding)).messages == [ONE, TWO]


def test_text_that_only_looks_like_a_header_is_text() -> None:
    file = ONE + b"\rNTE|1||see MSH|^~\\& and\rMSH is a segment\rMSH-3 too"
    assert split(file).messages == [file]


@given(
    st.lists(
        st.sampled_from(
            [
                ONE,
                TWO,
                FHS,
                BHS,
                b"BTS|1",
                b"FTS|x",
                b"BTS|99999999999999",
                b"MSH",
                b"MSH|",
                b"\x0b",
                b"\x1c",
                b"\r",
                b"\n",
                b"x",
            ]
        )
    )
)
def test_anything_is_split(pieces: list[bytes]) -> None:
    file = b"".join(pieces)
    found = split(file)
    assert all(message in file for message in found.messages)
    assert len(found.messages) <= file.count(b"MSH") + 1


def test_ten_thousand_messages_take_no_endless_time() -> None:
    began = time.process_time()
    assert len(split(BHS + (ONE + b"\r") * 50_000).messages) == 50_000
    assert time.process_time() - began < 5


def test_the_files_of_others() -> None:
    counts = {"v072": 1, "v073": 3, "v074": 3}
    for row in corpus.manifest():
        found = split(corpus.raw(row))
        assert len(found.messages) == counts.get(row["file"][:4], 1), row["file"]
        assert found.enveloped == (row["file"][:4] in ("v072", "v074"))
