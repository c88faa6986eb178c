"""http://hl7.org/fhir/R4/search.html"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.clause import Clause
from fhir_server.search.clauses import MAX_LENGTH, parse
from resources.outcome import FHIRError
from resources.search_parameters import parameters


def clause(resource_type: str, code: str, modifier: str | None, *values: str) -> Clause:
    return Clause(parameters(resource_type)[code], modifier, values)


def test_clauses_in_order_with_modifiers_and_alternatives() -> None:
    search = parse(
        "Observation", [("code", "a,b\\,c"), ("subject:Patient", "1"), ("date", "ge2020"), ("date", "lt2021")]
    )
    assert search.clauses == (
        clause("Observation", "code", None, "a", "b\\,c"),
        clause("Observation", "subject", "Patient", "1"),
        clause("Observation", "date", None, "ge2020"),
        clause("Observation", "date", None, "lt2021"),
    )


def test_what_is_not_said_has_a_default() -> None:
    search = parse("Patient", [])
    assert (search.count, search.total, search.summary, search.elements, search.sort, search.cursor) == (
        (20, "none", None, (), (), None)
    )
    assert parse("Patient", [], default_count=7).count == 7
    assert parse("Patient", [], default_count=70, max_count=50).count == 50


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("1", 1), ("1000", 1000), ("1001", 1000), ("9" * 400, 1000)]
)
def test_count_is_capped(text: str, count: int) -> None:
    assert parse("Patient", [("_count", text)]).count == count


@pytest.mark.parametrize("text", ["-1", "", "x", "1.5", "1e3", "+1", " 1", "٣", "0x10"])
def test_a_count_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(FHIRError, match="'_count'") as refused:
        parse("Patient", [("_count", text)])
    assert refused.value.status == 400


def test_how_the_result_is_wanted() -> None:
    query = [
        ("_total", "accurate"),
        ("_summary", "text"),
        ("_elements", "id,name"),
        ("_sort", "-_lastUpdated,_id"),
    ]
    search = parse("Patient", [*query, ("_cursor", "x"), ("_format", "json"), ("_pretty", "true")])
    assert search.total == "accurate"
    assert search.summary == "text"
    assert search.elements == ("id", "name")
    assert search.sort == (("_lastUpdated", -1), ("_id", 1))
    assert search.cursor == "x"
    assert search.clauses == ()


@pytest.mark.parametrize("query", [[("_count", "0")], [("_summary", "count")]])
def test_nothing_but_the_total(query: list[tuple[str, str]]) -> None:
    assert parse("Patient", query).only_total
    assert not parse("Patient", []).only_total


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_total", "exact"),
        ("_summary", "yes"),
        ("_elements", "a b"),
        ("_elements", ""),
        ("_sort", "near"),
        ("_sort", "shoe-size"),
        ("_sort", "_text"),
        ("_sort", "_id,_id"),
        ("_sort", ""),
        ("_sort", "--_id"),
    ],
)
def test_malformed_control_parameters_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(FHIRError, match=f"'{name}'") as refused:
        parse("Patient", [(name, value)], lenient=True)
    assert refused.value.status == 400


def test_a_control_parameter_that_stands_twice_is_refused() -> None:
    with pytest.raises(FHIRError, match="'_count': is given twice"):
        parse("Patient", [("_count", "1"), ("_count", "2")])


def test_strict_refuses_what_is_unknown_and_says_what_is_known() -> None:
    with pytest.raises(FHIRError, match="'shoe-size' is not known for Patient") as refused:
        parse("Patient", [("shoe-size", "46")])
    assert refused.value.status == 400
    assert "birthdate, " in str(refused.value)
    for unsupported in ("_cursor", "age", "birthOrderBoolean"):
        assert f" {unsupported}," not in str(refused.value)


def test_lenient_leaves_out_what_is_unknown_and_says_so() -> None:
    search = parse("Patient", [("shoe-size", "46"), ("gender", "male"), ("link.size", "1")], lenient=True)
    assert [each.name for each in search.clauses] == ["gender"]
    assert search.ignored == ("shoe-size", "link.size")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("_query", "_query"),
        ("_contained", "_contained"),
    ],
)
def test_what_cannot_be_answered_yet_is_said(name: str, why: str) -> None:
    with pytest.raises(
        FHIRError, match=rf"^Parameter '{re.escape(name)}': this server does not support .*{why}.* yet$"
    ) as refused:
        parse("Observation", [(name, "x")])
    assert refused.value.status == 400
    assert refused.value.issues[0].code == "not-supported"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", ""),
        ("code", ","),
        ("code", "a,,b"),
        ("code", "a,"),
        ("code:", "a"),
        ("code", "a\0b"),
        ("code", "\ud800"),
    ],
)
def test_values_that_say_nothing_are_refused(name: str, value: str) -> None:
    with pytest.raises(FHIRError, match="'code") as refused:
        parse("Observation", [(name, value)], lenient=True)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "name", ["co\0de", "\ud800", "x" * 10_000, "", "$where", "s.code", "_id.x", "constructor"]
)
def test_strange_names_are_refused(name: str) -> None:
    with pytest.raises(FHIRError, match="arameter '") as refused:
        parse("Observation", [(name, "x")])
    assert refused.value.status == 400
    assert len(refused.value.issues[0].diagnostics) < 2500


def test_sizes_are_bounded() -> None:
    parse("Observation", [("code", "é" * (MAX_LENGTH // 2))])
    with pytest.raises(FHIRError, match="'code': its value is longer"):
        parse("Observation", [("code", "é" * (MAX_LENGTH // 2 + 1))])
    with pytest.raises(FHIRError, match="501 parameters"):
        parse("Observation", [("code", "a")] * 501)
    with pytest.raises(FHIRError, match="501 values"):
        parse("Observation", [("code", ",".join("a" * 250)), ("code", ",".join("a" * 251))])


def test_normalized_forgets_order_and_control() -> None:
    one = parse(
        "Patient", [("identifier", "s|1,s|2"), ("gender", "male"), ("gender", "male"), ("_count", "5")]
    )
    two = parse("Patient", [("gender", "male"), ("identifier", "s|2,s|1,s|1"), ("_sort", "_id")])
    assert one.normalized() == two.normalized() == "Patient?gender=male&identifier=s%7C1%2Cs%7C2"


@pytest.mark.parametrize(
    "other",
    [
        [("gender", "male,female")],
        [("gender", "male"), ("gender", "female")],
        [("gender", "male\\,female")],
        [("gender:not", "male")],
        [("gender", "male&gender=female")],
        [],
    ],
)
def test_normalized_tells_different_searches_apart(other: list[tuple[str, str]]) -> None:
    others = [[("gender", "male")], [("birthdate", "male")]]
    assert parse("Patient", other).normalized() not in {
        parse("Patient", each).normalized() for each in others
    }
    assert parse("Person", other).normalized() != parse("Patient", other).normalized()


def test_applied_says_what_counts() -> None:
    query = [
        ("nothing", "1"),
        ("_sort", "-_lastUpdated"),
        ("gender:not", "a,b"),
        ("_count", "5000"),
        ("_total", "none"),
        ("_pretty", "true"),
        ("_format", "json"),
    ]
    search = parse("Patient", [*query, ("_elements", "id"), ("_summary", "false")], lenient=True)
    assert search.applied() == [
        ("gender:not", "a,b"),
        ("_sort", "-_lastUpdated"),
        ("_summary", "false"),
        ("_elements", "id"),
        ("_count", "1000"),
        ("_pretty", "true"),
        ("_format", "json"),
    ]


@given(
    st.lists(st.tuples(st.text() | st.sampled_from([*parameters("Patient"), "_count", "_sort"]), st.text()))
)
def test_any_query_is_parsed_or_refused(query: list[tuple[str, str]]) -> None:
    refused: FHIRError | None = None
    try:
        search = parse("Patient", query, lenient=True)
    except FHIRError as error:
        refused = error
    if refused is None:
        assert parse("Patient", search.applied()).normalized() == search.normalized()
    else:
        assert refused.status == 400
        assert refused.issues[0].diagnostics.encode()
