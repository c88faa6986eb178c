from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom.charset import Charset, charset, without_controls

KANJI = "山田^太郎"


@pytest.mark.parametrize(
    ("terms", "encoding"),
    [
        (b"", "ascii"),
        (b"ISO_IR 6", "ascii"),
        (b"ISO_IR 100 ", "latin_1"),
        (b"ISO_IR 192", "UTF8"),
        (b"iso_ir 192", "UTF8"),
        (b"UTF-8", "UTF8"),
        (b"ISO-IR 100", "latin_1"),
        (b"ISO IR 100", "latin_1"),
        (b"ISO_IR_100", "latin_1"),
        (b"GB18030\0", "GB18030"),
    ],
)
def test_names_of_character_sets(terms: bytes, encoding: str) -> None:
    found = charset(terms)
    assert found.encodings[0] == encoding
    assert found.known


def test_unknown_names() -> None:
    assert not charset(b"KLINGON").known
    assert not charset(b"ISO_IR 100\\KLINGON").known


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        (b"ISO_IR 100", b"M\xfcller", "Müller"),
        (b"ISO_IR 192", "Müller".encode(), "Müller"),
        (b"ISO_IR 144", "Дюма".encode("iso8859_5"), "Дюма"),
        (b"GB18030", "张^小东".encode("gb18030"), "张^小东"),
        (b"ISO_IR 13", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
        (b"\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", KANJI),
        (
            b"\\ISO 2022 IR 149",
            b"\x1b$)C" + "洪".encode("euc_kr") + b"^\x1b$)C" + "吉洞".encode("euc_kr"),
            "洪^吉洞",
        ),
        (b"\\ISO 2022 IR 58", b"\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "张^小东"),
    ],
)
def test_text_is_what_the_character_set_says(terms: bytes, raw: bytes, text: str) -> None:
    assert charset(terms).decoded(raw, "PN") == (text, True)


def test_half_of_a_kanji_is_no_backslash() -> None:
    text, _ = charset(b"GB18030").decoded("誠".encode("gb18030"), "LO")
    assert text == "誠"


@pytest.mark.parametrize(
    ("terms", "raw", "text"),
    [
        (b"", "Müller".encode(), "Müller"),
        (b"", b"M\xfcller", "Müller"),
        (b"KLINGON", "Müller".encode(), "Müller"),
        (b"ISO_IR 192", b"M\xfcller", "Müller"),
    ],
)
def test_where_it_is_wrong_the_bytes_count(terms: bytes, raw: bytes, text: str) -> None:
    assert charset(terms).decoded(raw, "LO") == (text, False)


def test_no_control_characters() -> None:
    assert without_controls("a\x00b\x1b$)Ac\x07\r\nd\te") == "abc\r\nd\te"


@given(st.binary(max_size=40), st.binary(max_size=60), st.sampled_from(["PN", "LO", "UT"]))
def test_whatever_the_bytes_there_is_text(terms: bytes, raw: bytes, vr: str) -> None:
    text, _ = charset(terms).decoded(raw, vr)
    assert "\x1b" not in text
    assert "\x00" not in text
    text.encode()


@given(st.text(alphabet=st.characters(blacklist_categories=["C", "Z"]), max_size=40))
def test_utf_8_is_read_as_it_was_written(text: str) -> None:
    assert Charset(("UTF8",)).decoded(text.encode(), "LO")[0] == text
