from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2 import batch, er7
from importers.hl7v2.charset import codec_of, decode
from tests.importers.hl7v2 import corpus


def message(charset: str, name: str, encoding: str) -> bytes:
    return f"MSH|^~\\&|APP|{name}|||20240102||ADT^A01|1|P|2.5||||||{charset}\rPID|1||7||{name}".encode(
        encoding
    )


@pytest.mark.parametrize(
    ("declared", "encoding", "name"),
    [
        ("", "utf-8", "Jørgen"),
        ("ASCII", "ascii", "Jones"),
        ("8859/1", "iso8859-1", "Jørgen"),
        ("8859/2", "iso8859-2", "Łukasz"),
        ("8859/5", "iso8859-5", "Иванов"),
        ("8859/7", "iso8859-7", "Παπαδόπουλος"),
        ("8859/8", "iso8859-8", "כהן"),
        ("8859/9", "iso8859-9", "Şahin"),
        ("8859/15", "iso8859-15", "Œuf €"),
        ("8859", "iso8859-1", "Müller"),
        ("ISO-8859-1", "iso8859-1", "Müller"),
        ("ISO_8859-2", "iso8859-2", "Łukasz"),
        ("UNICODE UTF-8", "utf-8", "山田"),
        ("UNICODE", "utf-8", "山田"),
        ("UTF8", "utf-8", "山田"),
        ("utf-8", "utf-8", "山田"),
        ("windows-1252", "cp1252", "“Müller”"),
        ("ISO IR6", "ascii", "Jones"),
        ("ISO IR14", "shift_jis", "ﾔﾏﾀﾞ"),
        ("ISO IR87", "iso2022_jp", "山田"),
        ("~ISO IR87", "iso2022_jp", "山田"),
        ("ISO IR6~ISO IR87~ISO IR159", "iso2022_jp_1", "山田丂"),
        ("GB 18030-2000", "gb18030", "王小明𠀀"),
        ("KS X 1001", "euc_kr", "김철수"),
        ("BIG-5", "big5", "許功蓋"),
        ("BIG5", "big5", "許功蓋"),
    ],
)
def test_a_message_is_read_in_the_set_it_names(declared: str, encoding: str, name: str) -> None:
    decoded = decode(message(declared, name, encoding))
    assert decoded.issues == []
    read = er7.parse(decoded.text, decoded.encoding)
    pid = read.first("PID")
    assert pid is not None
    assert pid.text(5) == read.sending_facility == name


def test_bytes_that_are_delimiters_elsewhere() -> None:
    """Of 許功蓋 in Big5 second bytes are those of backslash; of others in ISO-2022-JP those of all delimiters."""
    raw = message("BIG-5", "許功蓋", "big5")
    assert raw.count(b"\\") > 1 + message("BIG-5", "", "big5").count(b"\\")
    inside = "".join(chr(code) for code in range(0x4E00, 0x6000))
    japanese = inside.encode("iso2022_jp", "ignore").decode("iso2022_jp")
    raw = message("ISO IR87", japanese, "iso2022_jp")
    assert all(raw.count(each) > 10 for each in (b"|", b"^", b"~", b"\\", b"&"))
    decoded = decode(raw)
    read = er7.parse(decoded.text, decoded.encoding)
    assert decoded.issues == []
    assert read.segments[1].text(5) == japanese


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-32-le", b""),
        ("utf-32-be", b""),
    ],
)
@pytest.mark.parametrize("declared", ["", "UNICODE UTF-16", "UNICODE UTF-32", "8859/1"])
def test_marks_and_wide_letters_win_over_what_is_named(encoding: str, mark: bytes, declared: str) -> None:
    decoded = decode(mark + message(declared, "山田", encoding))
    assert decoded.issues == []
    assert er7.parse(decoded.text).sending_facility == "山田"


@pytest.mark.parametrize(
    ("declared", "encoding", "name", "told"),
    [
        ("", "iso8859-1", "Jørgen", "102"),
        ("UNICODE UTF-8", "iso8859-1", "Jørgen", "102"),
        ("ASCII", "utf-8", "Jørgen", "102"),
        ("ASCII", "iso8859-1", "Jørgen", "102"),
        ("ISO IR87", "utf-8", "山田", "102"),
        ("UNICODE UTF-8", "cp1252", "“Jørgen”", "102"),
        ("PRELIM", "utf-8", "Jørgen", "103"),
        ("44", "utf-8", "Jørgen", "103"),
        ("8859/99", "utf-8", "Jørgen", "103"),
        ("CNS 11643-1992", "utf-8", "許功蓋", "103"),
    ],
)
def test_a_set_that_is_not_so_is_told(declared: str, encoding: str, name: str, told: str) -> None:
    decoded = decode(message(declared, name, encoding))
    assert [(issue.place, issue.code) for issue in decoded.issues] == [("MSH-18", told)]
    assert er7.parse(decoded.text).sending_facility == name


def test_the_default_holds_where_nothing_is_named() -> None:
    assert decode(message("", "Иванов", "iso8859-5"), "iso8859-5").text.count("Иванов") == 2
    assert decode(message("8859/1", "Müller", "iso8859-1"), "iso8859-5").text.count("Müller") == 2


@given(st.binary(), st.sampled_from(["", "8859/1", "ASCII", "ISO IR87", "UNICODE UTF-16", "nonsense"]))
def test_any_bytes_become_text(garbage: bytes, declared: str) -> None:
    for raw in (garbage, message(declared, "x", "ascii") + garbage):
        decoded = decode(raw)
        assert len(decoded.text) <= len(raw)
        assert "\ufffd".encode() in raw or "\ufffd" not in decoded.text or decoded.encoding != "utf-8"


@pytest.mark.parametrize(
    "name", ["rot13", "hex", "base64", "unicode_escape", "idna", "zlib", "8859/1/1", "mbcs"]
)
def test_what_python_calls_an_encoding_is_none_for_that(name: str) -> None:
    assert codec_of(name) is None


def test_no_message_of_others_is_garbled() -> None:
    for row in corpus.manifest():
        for raw in batch.split(corpus.raw(row)).messages:
            decoded = decode(raw)
            assert "\ufffd" not in decoded.text, row["file"]
            assert not any(each in decoded.text for each in ("Ã¤", "Ã©", "Ã¥")), row["file"]
