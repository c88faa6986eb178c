from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom.qido import KEYS, MOST, query
from resources.outcome import FHIRError

KEYWORDS = st.sampled_from([*KEYS, "00100020", "limit", "offset", "includefield", "KVP", "x"])


@given(st.lists(st.tuples(KEYWORDS, st.text(max_size=20)), max_size=4))
def test_any_question_is_understood_or_refused(pairs: list[tuple[str, str]]) -> None:
    try:
        found = query(pairs)
    except FHIRError as fault:
        status = fault.status
    else:
        assert 0 <= found.limit <= MOST
        return
    assert status == 400


@given(st.text(max_size=20).filter(lambda text: not {"*", "?"} & set(text) and text))
def test_a_name_matches_itself_whatever_is_in_it(name: str) -> None:
    [condition] = query([("PatientName", name)]).conditions
    pattern = condition.wanted["$regex"]
    assert re.search(pattern, name + "^^", re.IGNORECASE | re.DOTALL)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("StudyDate", "20240101-20240131", {"$gte": "20240101", "$lte": "20240131"}),
        ("StudyTime", "10-11", {"$gte": "10", "$lte": "11~"}),
        ("StudyInstanceUID", "1.2,1.3\\1.4", {"$in": ["1.2", "1.3", "1.4"]}),
        ("SeriesNumber", "7", {"$eq": 7}),
        ("PatientID", "A.*", {"$regex": "^A\\..*$"}),
        ("AccessionNumber", "A1", {"$eq": "A1"}),
    ],
)
def test_keys_are_matched_as_their_kind_is(name: str, value: str, wanted: dict[str, object]) -> None:
    [condition] = query([(name, value)]).conditions
    assert condition.wanted == wanted
