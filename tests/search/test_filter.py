"""The language of `_filter`. http://hl7.org/fhir/R4/search_filter.html"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search import filter as filters
from fhir_server.search.clause import Clause
from fhir_server.search.clauses import parse
from resources.outcome import FHIRError


def refusal(work: Callable[[], object]) -> FHIRError | None:
    try:
        work()
    except FHIRError as refused:
        return refused
    return None


def said(text: str) -> str:
    """The tree of a filter over one-letter paths, with brackets around everything."""

    def shown(node: object) -> str:
        if isinstance(node, filters.Logical):
            inside = f" {node.operator} ".join(shown(part) for part in node.parts)
            return f"not[{inside}]" if node.operator == "not" else f"[{inside}]"
        return str(node)

    return shown(filters.parse(text, lambda path, operator, value: f"{path}{operator}{value}"))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a eq 1", "aeq1"),
        ("  a   eq\t1  ", "aeq1"),
        ("a eq 1 and b eq 2 and c eq 3", "[aeq1 and beq2 and ceq3]"),
        # from left to right, without precedence
        ("a eq 1 or b eq 2 and c eq 3", "[[aeq1 or beq2] and ceq3]"),
        ("a eq 1 and b eq 2 or c eq 3", "[[aeq1 and beq2] or ceq3]"),
        ("a eq 1 or (b eq 2 and c eq 3)", "[aeq1 or [beq2 and ceq3]]"),
        ("not(a eq 1)", "not[aeq1]"),
        ("not (a eq 1 or b eq 2) and c eq 3", "[not[[aeq1 or beq2]] and ceq3]"),
        ("not(not(a eq 1))", "not[not[aeq1]]"),
        ('a eq "x y) and \\"z\\""', 'aeqx y) and "z"'),
        ("a eq and", "aeqand"),
        ("a eq or and b eq not", "[aeqor and beqnot]"),
        ("order eq 1 and notes eq 2", "[ordereq1 and noteseq2]"),
        ("(a eq 1)and(b eq 2)", "[aeq1 and beq2]"),
        ("a.b-c._d eq http://x.org|1-2,3", "a.b-c._deqhttp://x.org|1-2,3"),
        ('a eq "\\u00fc"', "aeqü"),
    ],
)
def test_what_a_filter_means(text: str, meant: str) -> None:
    assert said(text) == meant


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "a eq", "a eq )", "a zz 1", "a EQ 1", "a eq 1 b", "a eq 1 and", "and", "a eq 1 and and b eq 2", "()", "(", ")",
     "a eq 1)", "(a eq 1", "not a eq 1", "not", "not(", "not()", "a eq 1 not (b eq 2)", 'a eq "', 'a eq "x', 'a eq "\\x"', "a[b eq 1].c eq 2",
     "a eq 1 or or", '"a" eq 1', "eq 1"],
)  # fmt: skip
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(FHIRError, match="'_filter'") as refused:
        said(text)
    assert refused.value.status == 400


@given(st.text(alphabet=st.sampled_from('ab ()[]"\\.|,:eqandornt1\n\t\xa0é'), max_size=60))
def test_any_text_is_a_filter_or_a_400(text: str) -> None:
    refused = refusal(lambda: parse("Patient", [("_filter", text)]))
    assert refused is None or refused.status == 400


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40))
def test_any_value_can_be_quoted(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    search = parse("Patient", [("_filter", f'identifier eq "{quoted}"')])
    clause = search.joins[0].criterion
    assert isinstance(clause, Clause)
    (only,) = clause.values
    assert only.replace("\\,", ",").replace("\\\\", "\\") == value


def test_bounds() -> None:
    most = " or ".join(["a eq 1"] * filters.MOST_TESTS)
    assert said(most).count("aeq1") == filters.MOST_TESTS
    for text in (f"{most} or a eq 1", "(" * filters.MOST_DEPTH + "a eq 1" + ")" * filters.MOST_DEPTH):
        with pytest.raises(FHIRError):
            said(text)


def test_each_operator_is_answered_or_refused_by_name() -> None:
    for kind in ("string", "token", "reference", "uri", "date", "number", "quantity", "composite", "special"):
        for operator in filters._ALL:
            refused = refusal(lambda kind=kind, operator=operator: filters.meaning(kind, "name", operator))  # type: ignore[misc]
            assert refused is None or f"'{operator}' is not possible for name" in str(refused)
            assert refused is None or "Possible: " in str(refused)


@pytest.mark.parametrize(
    ("name", "operator", "meant"),
    [
        ("_id", "ne", "not"),
        ("_id", "in", None),
        ("_lastUpdated", "ge", "prefix"),
        ("_lastUpdated", "po", None),
        ("_text", "co", ""),
        ("_text", "eq", None),
    ],
)
def test_what_is_stored_otherwise_is_asked_for_otherwise(name: str, operator: str, meant: str | None) -> None:
    kind = {"_id": "token", "_lastUpdated": "date", "_text": "string"}[name]
    if meant is None:
        assert refusal(lambda: filters.meaning(kind, name, operator)) is not None
    else:
        assert filters.meaning(kind, name, operator) == meant
