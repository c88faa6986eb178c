from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import narrative

NS = 'xmlns="http://www.w3.org/1999/xhtml"'


def div(content: str) -> str:
    return f"<div {NS}>{content}</div>"


@pytest.mark.parametrize(
    "content",
    [
        "text",
        "<p>a<br/>b</p>",
        '<img src="#photo" alt="x"/>',
        '<img src="data: image/png;base64,AAAA"/>',
        '<a href="http://example.org/a?b=1&amp;c=2" title="t">x</a>',
        '<table border="1" class="grid"><tbody><tr><td colspan="2" style="color: red">1&#160;&nbsp;&uuml;</td></tr></tbody></table>',
        "<!-- a comment -->x",
        "<h:p xmlns:h='http://www.w3.org/1999/xhtml'>x</h:p>",
        '<p xml:lang="de">x</p>',
    ],
)
def test_allowed(content: Any) -> None:
    assert narrative.fault(div(content)) is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("hello", "not well-formed"),
        ("", "not well-formed"),
        (div("<p>"), "not well-formed"),
        (div("&nothing;"), "not well-formed"),
        (div("\ud800"), "not well-formed"),
        (div("x") + "<p/>", "not well-formed"),
        ("<div>x</div>", "namespace"),
        (f"<p {NS}>x</p>", "outermost"),
        (div("<script>x</script>"), "<script>"),
        (div("<iframe src='http://x'/>x"), "<iframe>"),
        (div("<form><input/></form>"), "<form>"),
        (div('<p onclick="x()">x</p>'), "onclick"),
        (div('<a href=" javascript:x()">x</a>'), "active"),
        (div('<a href="data:text/html,x">x</a>'), "active"),
        (div('<p style="width: expression(x)">x</p>'), "active"),
        (div('<svg xmlns="http://www.w3.org/2000/svg"/>x'), "<svg>"),
        (div("<?php x ?>x"), "<?php"),
        (f'<!DOCTYPE div [<!ENTITY a "b">]><div {NS}>&a;</div>', "document type"),
        (div("<p>" * 300 + "x" + "</p>" * 300), "nested"),
        (div(""), "empty"),
        (div("<p></p>"), "empty"),
    ],
)
def test_refused_naming_what(text: Any, named: Any) -> None:
    fault = narrative.fault(text)
    assert fault is not None
    assert fault.severity == "error"
    assert named in fault.text


def test_white_space_alone_is_a_warning_as_examples_of_the_standard_have_it() -> None:
    fault = narrative.fault(div("\n   "))
    assert fault is not None
    assert fault.severity == "warning"


@given(st.text())
def test_any_text_gets_an_answer(text: Any) -> None:
    narrative.fault(text)
    narrative.fault(div(text))
