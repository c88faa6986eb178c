"""Whatever stands in a header, what becomes of it is valid."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from importers.dicom import imaging_study, json_model, tags
from importers.dicom.sources import SourceConfig
from importers.dicom.uids import is_stored
from tests.importers.dicom.making import assert_valid, groups, header, item
from tests.importers.dicom.reports import COMPREHENSIVE

_TEXTS = st.one_of(
    st.text(max_size=16),
    st.sampled_from(
        [
            *(
                "20240102",
                "19000101",
                "101500.5",
                "10",
                "+0130",
                "F",
                "YES",
                "1.2.3",
                "a b",
                "  x  ",
                "^",
                "=",
                "|",
            ),
            *(
                "SRT",
                "SCT",
                "DCM",
                "99X",
                "T-28000",
                "urn:oid:1.2",
                "http://x",
                "NS&1.2.3&ISO",
                "\u3000",
                "\\",
                "-1",
            ),
            *("CHEST", "L", "ISO", "UUID", "DNS", "NOID", "<div>", "\x00\x1b", "2147483648", "x" * 2000),
        ]
    ),
)


def _value(told: list[Any]) -> dict[str, Any]:
    return {"Value": told}


def _element(attribute: tags.Attribute) -> st.SearchStrategy[Any]:
    if attribute.vr == "SQ":
        return st.lists(_dataset(attribute.inner), max_size=2)
    if attribute.vr == "PN":
        groups_ = st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("Alphabetic", "Ideographic", "Phonetic"), _TEXTS)
        )
        return st.lists(st.one_of(_TEXTS, groups_), max_size=3)
    if attribute.vr == "IS":
        return st.lists(st.one_of(st.integers(), _TEXTS), max_size=2)
    return st.lists(_TEXTS, max_size=2)


def _dataset(attributes: tuple[tags.Attribute, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={f"{each.tag:08X}": st.builds(_value, _element(each)) for each in attributes},
    )


_HEADERS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            f"{each.tag:08X}": st.builds(_value, _element(each))
            for each in tags.ATTRIBUTES
            if "InstanceUID" not in each.keyword and each.keyword != "SOPClassUID"
        },
    ),
    min_size=1,
    max_size=3,
)


@given(_HEADERS)
@settings(max_examples=40, deadline=None)
def test_whatever_stands_in_headers(told: list[dict[str, Any]]) -> None:
    headers = [
        json_model.read(
            {
                **each,
                "00080016": {"Value": ["1.2.840.10008.5.1.4.1.1.2"]},
                "00080018": {"Value": [f"1.2.3.{number}"]},
                "0020000D": {"Value": ["1.2.3"]},
                "0020000E": {"Value": [f"1.2.3.9{number % 2}"]},
            }
        )
        for number, each in enumerate(told)
    ]
    assert_valid(imaging_study.study("1.2.3", groups(headers), SourceConfig()))


_CODES = st.sampled_from(
    ["125007", "112039", "112040", "121071", "363698007", "113811", "113813", "113809", "1", "a  b", "\u3000"]
)
_SCHEMES = st.sampled_from(["DCM", "SCT", "SRT", "UCUM", "99X", "", "UCM"])
_NUMBERS = st.sampled_from(["1", "1.50", "-0.0", "1e5", "", "1E-20"])


def _code(code: str, scheme: str) -> list[Any]:
    return [item(CodeValue=code, CodingSchemeDesignator=scheme, CodeMeaning=code)]


@st.composite
def _content(draw: st.DrawFn, depth: int = 3) -> Any:
    made = item(
        ValueType=draw(
            st.sampled_from(["CONTAINER", "CONTAINER", "NUM", "CODE", "TEXT", "UIDREF", "DATETIME", "X"])
        ),
        ConceptNameCodeSequence=_code(draw(_CODES), draw(_SCHEMES)),
        ConceptCodeSequence=_code(draw(_CODES), draw(_SCHEMES)),
        UID=draw(st.sampled_from(["1.2.9", "x"])),
        DateTime=draw(st.sampled_from(["20240102101500+0100", "2024", "99999999", "20240102"])),
        TextValue=draw(st.sampled_from(["Lesion", " "])),
        MeasuredValueSequence=[
            item(
                NumericValue=draw(_NUMBERS), MeasurementUnitsCodeSequence=_code(draw(_CODES), draw(_SCHEMES))
            )
        ],
    )
    if depth:
        made.ContentSequence = draw(st.lists(_content(depth=depth - 1), max_size=4))
    return made


@given(st.lists(_content(), max_size=4), st.sampled_from(["126000", "113701"]))
@settings(max_examples=40, deadline=None)
def test_whatever_stands_in_reports(items: list[Any], root: str) -> None:
    assert is_stored(COMPREHENSIVE)
    made = header(
        SOPClassUID=COMPREHENSIVE,
        Modality="SR",
        ConceptNameCodeSequence=_code(root, "DCM"),
        ContentSequence=items,
        ContentDate="20240102",
    )
    assert_valid(imaging_study.study("1.2.3", groups([made]), SourceConfig()))
