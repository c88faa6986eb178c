from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import element_path
from resources.element_path_syntax import Syntax
from resources.outcome import FHIRError


def test_tokens_know_their_kind_and_place() -> None:
    tokens = Syntax(" a.`b c`[10] = 'it\\'s' >= @2020-01-01T10:00:00Z $this 1.5").tokens
    assert [(token.kind, token.text, token.start) for token in tokens] == [
        ("name", "a", 1),
        ("symbol", ".", 2),
        ("name", "b c", 3),
        ("symbol", "[", 8),
        ("number", "10", 9),
        ("symbol", "]", 11),
        ("symbol", "=", 13),
        ("string", "it\\'s", 15),
        ("symbol", ">=", 23),
        ("time", "@2020-01-01T10:00:00Z", 26),
        ("variable", "$this", 48),
        ("number", "1.5", 54),
    ]
    assert Syntax("'it\\'s'").string() == "it's"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "Patient.",
        ".name",
        "Patient..name",
        "Patient name",
        "Patient.name[",
        "Patient.name[]",
        "Patient.name[-1]",
        "Patient.name[1.5]",
        "Patient.name[x]",
        "Patient.name[9999999999]",
        "Patient.name]",
        "Patient.name)",
        "(Patient.name",
        "(" * 30 + "Patient" + ")" * 30,
        "Patient.name | Patient.contact",
        "Patient.name = 'x'",
        "Patient.active and true",
        "'Patient'",
        "3",
        "Patient.name.where",
        "Patient.name.where()",
        "Patient.name.where(use = 'x'",
        "Patient.name.where(use = 'x",
        "Patient.name.first(1)",
        "Patient.name.skip()",
        "Patient.name.skip('x')",
        "Patient.name.take(1, 2)",
        "Patient.name.ofType()",
        "Patient.name.extension(url)",
        "Patient.name.`first`()",
        "Patient.name as",
        "Patient.name; drop",
        "Patient.name // comment",
        "Patient.näme",
        "Patient.\x00",
        "Patient" + ".name" * 300,
    ],
)
def test_what_is_not_a_path_is_refused(path: str) -> None:
    with pytest.raises(FHIRError) as caught:
        element_path.parse(path, "Patient")
    assert caught.value.status == 400


def test_the_text_says_where() -> None:
    with pytest.raises(FHIRError, match=r"not understood at '\)' \(character 20\): expected name"):
        element_path.parse("Patient.name.ofType()", "Patient")
    with pytest.raises(FHIRError, match="not understood at its end"):
        element_path.parse("Patient.name[0", "Patient")


@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(["Patient", ".", "name", "(", ")", "[", "]", "0", "where", "'", "=", "as", "`"])
    ).map("".join)
)
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        assert element_path.parse(text, "Patient").text == text
    except FHIRError as error:
        assert error.status == 400  # noqa: PT017
