from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from resources import codec, outcome, validation
from resources.outcome import FHIRError, Issue


@given(st.text(st.characters(exclude_categories=[]), min_size=1).filter(lambda text: text.strip()))
def test_every_outcome_is_valid_whatever_it_quotes(text: str) -> None:
    told = outcome.bad_request(f"'{text}' was not expected", f"Patient.`{text}`").outcome()
    validation.check(codec.decode(codec.encode(told)))


def test_errors_carry_status_headers_and_place() -> None:
    fault = outcome.error(405, "not-supported", "no", "Patient.name", Retry_After="2")
    assert (fault.status, fault.headers, str(fault)) == (405, {"Retry-After": "2"}, "no")
    moved = fault.within("Bundle.entry[3].resource")
    assert moved.issues[0].expression == ("Bundle.entry[3].resource.name",)
    assert moved.headers == fault.headers
    assert Issue("error", "invalid", "x").within("Bundle.entry[0]").expression == ("Bundle.entry[0]",)


def test_what_breaks_only_rules_is_422_and_what_breaks_structure_400() -> None:
    rule, structure = Issue("error", "invariant", "a"), Issue("error", "structure", "b")
    warning = Issue("warning", "structure", "c")
    assert outcome.invalid([rule, warning]).status == 422
    assert outcome.invalid([rule, structure]).status == 400


def test_makers_say_what_was_expected() -> None:
    fault = outcome.method_not_allowed("PUT", "metadata", ["GET", "HEAD"])
    assert isinstance(fault, FHIRError)
    assert fault.headers == {"Allow": "GET, HEAD"}
    assert "Possible: GET, HEAD" in str(fault)
    assert outcome.gone("Patient", "1", 3, "2026-01-01T00:00:00Z").headers == {"ETag": 'W/"3"'}
    assert outcome.unavailable("x").headers == {"Retry-After": "2"}
