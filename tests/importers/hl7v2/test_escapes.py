from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.escapes import unescape

CHARACTERS = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\", "P": "#"}


def plain(text: str, encoding: str = "utf-8") -> str:
    return unescape(text, "\\", CHARACTERS, encoding)


@pytest.mark.parametrize(
    ("escaped", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f\P\g", "a|b^c&d~e\\f#g"),
        (r"first\.br\second", "first\nsecond"),
        (r"\H\bold\N\ and not", "bold and not"),
        (r"\.sp2\x\.sp\y", "\n\nx\ny"),
        (r"\.in+4\\.ti-2\\.fi\\.nf\text\.ce\middle", "text\nmiddle"),
        (r"\.sk3\x", "   x"),
        (r"\X41\\X0D0A\\X0d\\X09\B", "A\n\n\tB"),
        (r"\XC3A6\ and \XE6\ alone", "æ and æ alone"),
        (r"\X00\\X1b\x", "x"),
        (r"\X4\ \XZZ\ \X\ ", r"\X4\ \XZZ\ \X\ "),
        (r"\Zlocal\ \unknown\ ", r"\Zlocal\ \unknown\ "),
        (r"C:\dir\.br\next", "C:\\dir\nnext"),
        (r"5 \ 10", r"5 \ 10"),
        ("ends\\", "ends\\"),
        (r"\\", r"\\"),
        (r"\.br\\.br\\F\ ", "\n\n| "),
        (r"\.sp999\ ", "\n" * 200 + " "),
    ],
)
def test_a_sequence_means(escaped: str, meant: str) -> None:
    assert plain(escaped) == meant


def test_bytes_are_of_the_encoding_of_the_message() -> None:
    assert plain(r"\XA4\ ", "iso8859-15") == "€ "
    assert plain(r"\XA4D1\ ", "big5") == b"\xa4\xd1".decode("big5") + " "


def test_sequences_that_change_the_character_set() -> None:
    kanji = "山田"
    inside = kanji.encode("iso2022_jp")[3:-3].decode("ascii")
    assert plain(rf"A\M2442\{inside}\C2842\ B") == f"A{kanji} B"
    assert plain("\\C2D42\\\u00b1\\C2842\\", "iso8859-1") == b"\xb1".decode("iso8859-2")
    assert plain("\\C2D42\\\u4e00") == "\u4e00"
    assert plain("\\M2442\\\u4e00") == "\u4e00"


@given(st.text())
def test_what_is_escaped_comes_back(text: str) -> None:
    letters = {character: letter for letter, character in CHARACTERS.items()}
    escaped = "".join(f"\\{letters[each]}\\" if each in letters else each for each in text)
    assert plain(escaped) == text


@given(st.text(alphabet="\\.brXFH0AspZ|~MC2842"))
def test_anything_is_read(text: str) -> None:
    result = plain(text)
    assert len(result) <= max(len(text), 1) * 200
    assert "\r" not in result


def test_nothing_is_read_twice() -> None:
    """Each part between escape characters is looked at once, however many there are."""

    class Counting(dict[str, str]):
        looked = 0

        def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
            Counting.looked += 1
            return super().get(key, default)

    many = 20_000
    unescape("\\unknown" * many, "\\", Counting(CHARACTERS), "utf-8")
    assert Counting.looked <= many
    Counting.looked = 0
    assert unescape("\\F\\" * many, "\\", Counting(CHARACTERS), "utf-8") == "|" * many
    assert Counting.looked <= many
