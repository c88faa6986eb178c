from __future__ import annotations

import copy
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.codec import Spelled
from resources.element_criterion import Criterion, read_criterion
from resources.element_path_syntax import Syntax
from resources.outcome import FHIRError

IDENTIFIER: dict[str, Any] = {
    "use": "official",
    "system": "http://example.org",
    "value": "O'Brien",
    "type": {"coding": [{"code": "MR"}, {"code": "SS"}]},
    "period": {"start": "2020-01-01"},
    "extension": [{"url": "http://example.org/q", "valueQuantity": {"value": Decimal("6.30"), "unit": "g"}}],
}


def criterion(text: str) -> Criterion:
    return read_criterion(Syntax(text + ")"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use = 'official'", True),
        ("`use` = 'official'", True),
        ("use = 'usual'", False),
        ("use != 'usual' and system.exists()", True),
        ("use = 'usual' or (system.startsWith('http:') and system.length() > 5)", True),
        ("value = 'O\\'Brien'", True),
        ("type.coding.where(code = 'SS').exists()", True),
        ("type.coding.code contains 'MR'", True),
        ("'XX' in type.coding.code", False),
        ("type.coding.count() = 2", True),
        ("type.coding[1].code = 'SS'", True),
        ("type.coding.all(code.exists())", True),
        ("type.coding.where(userSelected = true).exists()", False),
        ("period.start >= @2020", None),
        ("period.start > @2019-12-31", True),
        ("period.end.empty()", True),
        ("extension('http://example.org/q').value.value = 6.3", True),
        ("extension.value.ofType(Quantity).unit = 'g'", True),
        ("(extension.value as Quantity).value > 6", True),
        ("extension.value is Quantity", True),
        ("assigner", False),
        ("use", True),
        ("true", True),
        ("false", False),
    ],
)
def test_criteria(text: str, expected: bool | None) -> None:
    before = copy.deepcopy(IDENTIFIER)
    if expected is not None:  # None: FHIRPath leaves open whether 2020-01-01 >= 2020
        assert criterion(text).holds(IDENTIFIER, "Identifier") is expected
    assert repr(before) == repr(IDENTIFIER)


def test_a_boolean_element_is_its_own_answer() -> None:
    assert criterion("preferred").holds({"preferred": True}, "Patient.communication")
    assert not criterion("preferred").holds({"preferred": False}, "Patient.communication")
    assert criterion("preferred.not()").holds({"preferred": False}, "Patient.communication")
    assert not criterion("preferred and true").holds({"preferred": False}, "Patient.communication")


def test_primitives_and_numbers_with_a_spelling() -> None:
    assert criterion("$this = 'a'").holds("a", "string")
    assert criterion("$this").holds(True, "boolean")
    assert not criterion("$this").holds(False, "boolean")
    assert criterion("value > 999").holds({"value": Spelled("1e3")}, "Quantity")
    assert criterion("$this > @2000-01-01").holds("2020-05-06", "date")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "use =",
        "use = 'a' 'b'",
        "use = 'a' use",
        "use 'a'",
        "use = 'a",
        "use.",
        "and",
        "use = @",
        "use = {}",
        "use | system",
        "value * 2 = 4",
        "use ~ 'a'",
        "$index = 0",
        "$total = 0",
        "%resource.name.exists()",
        "%context.exists()",
        "value.matches('(a+)+$')",
        "value . matches ('(a+)+$')",
        "value.`matches`('(a+)+$')",
        "value.matches/**/('(a+)+$')",
        "value.replaceMatches('a', 'b') = 'c'",
        "value = 'x\\\\' or value = ' or $this.matches('",
        "repeat(extension).exists()",
        "descendants().exists()",
        "children().exists()",
        "select($this & $this).exists()",
        "resolve().exists()",
        "trace('x').exists()",
        "type.coding.combine(type.coding).exists()",
        "(" * 11 + "true" + ")" * 11,
        "nonsense()",
        "type.coding.where(userSelected).exists()",
        "type.coding.exists(userSelected)",
    ],
)
def test_what_is_not_let_through(text: str) -> None:
    with pytest.raises(FHIRError) as caught:
        criterion(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "text", ["value > 3", "type.coding", "value + 3 = 4", "use.first().value.toInteger() + 'x' = 2"]
)
def test_what_the_engine_cannot_answer_is_422(text: str) -> None:
    with pytest.raises(FHIRError, match="cannot be answered for Identifier") as caught:
        criterion(text).holds({**IDENTIFIER, "use": {"value": "1"}}, "Identifier")
    assert caught.value.status == 422


def test_the_cost_is_not_far_from_the_time_it_takes() -> None:
    codings = {"coding": [{"code": str(i), "system": "http://example.org"} for i in range(2000)]}
    slow = criterion(
        "coding.where(code.startsWith('x') and system.contains('y')).exists() and coding.code.count() > 3"
    )
    slow.holds(codings, "CodeableConcept")
    started = time.perf_counter()
    slow.holds(codings, "CodeableConcept")
    assert time.perf_counter() - started < 20 * slow.cost(codings) / 1_000_000


WORDS = [
    "use",
    "value",
    ".",
    "(",
    ")",
    "'a'",
    "=",
    "and",
    "where",
    "exists()",
    "$this",
    "[0]",
    "@2020",
    "is",
    "not()",
    ">",
]


@given(st.text(max_size=30) | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_any_text_is_a_criterion_or_refused(text: str) -> None:
    try:
        criterion(text).holds(IDENTIFIER, "Identifier")
    except FHIRError as error:
        assert error.status in {400, 422}  # noqa: PT017
