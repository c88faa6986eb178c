"""http://hl7.org/fhir/R4/search.html#escaping, http://hl7.org/fhir/R4/search.html#prefix"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.values import split_bar, split_or, split_prefix, unescape


def escape(text: str) -> str:
    for sign in "\\,|$":
        text = text.replace(sign, "\\" + sign)
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a\\,b,c", ["a\\,b", "c"]),
        ("a\\\\,b", ["a\\\\", "b"]),
        ("", [""]),
        (",", ["", ""]),
        ("a,", ["a", ""]),
        ("a\\", ["a\\"]),
        ("a\\,", ["a\\,"]),
    ],
)
def test_commas_separate_alternatives(text: str, expected: list[str]) -> None:
    assert split_or(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s|c", ["s", "c"]),
        ("s\\|t|c", ["s|t", "c"]),
        ("|c", ["", "c"]),
        ("s|", ["s", ""]),
        ("c\\$\\,\\\\", ["c$,\\"]),
        ("c\\d", ["c\\d"]),
    ],
)
def test_bars_separate_system_and_code(text: str, expected: list[str]) -> None:
    assert split_bar(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024", ("eq", "2024")),
        ("ge2024", ("ge", "2024")),
        ("xx2020", ("eq", "xx2020")),
        ("gege2024", ("ge", "ge2024")),
        ("ap", ("ap", "")),
    ],
)
def test_prefixes(text: str, expected: tuple[str, str]) -> None:
    assert split_prefix(text) == expected


@given(st.lists(st.text(alphabet=st.sampled_from("ab\\,|$")), min_size=1))
def test_what_is_escaped_comes_back_whole(texts: list[str]) -> None:
    assert [unescape(each) for each in split_or(",".join(map(escape, texts)))] == texts
    assert split_bar("|".join(map(escape, texts))) == texts
