from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.dicom import json_model
from importers.dicom.dataset import read
from importers.dicom.digest import digest
from importers.dicom.header import NotDicom, Refused
from tests.importers.dicom.making import corpus, dataset, file, item, keywords

UIDS: dict[str, Any] = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3.4.5"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "0020000E": {"vr": "UI", "Value": ["1.2.3.4"]},
}


def value(tag: str, element: Any, keyword: str) -> tuple[Any, list[str]]:
    found = json_model.read({**UIDS, tag: element})
    return found.values.get(keyword), list(keywords(found))


def test_a_file_and_its_json_are_one_instance() -> None:
    made = dataset(
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Yamada^Tarou=山田^太郎",
        OperatorsName=["A^B", "C^D"],
        InstanceNumber=3,
        SoftwareVersions=["VA1"],
        RequestAttributesSequence=[item(AccessionNumber="A1")],
    )
    told = json.loads(made.to_json())
    assert digest(json_model.read(told).values) == digest(read(io.BytesIO(file(made))).values)


@pytest.mark.parametrize(
    ("tag", "element", "keyword", "expected", "issues"),
    [
        ("00200013", {"vr": "IS", "Value": [5]}, "InstanceNumber", 5, []),
        ("00200013", {"vr": "IS", "Value": ["5"]}, "InstanceNumber", 5, []),
        ("00200013", {"vr": "IS", "Value": [5.0]}, "InstanceNumber", 5, []),
        ("00200013", {"vr": "IS", "Value": ["x"]}, "InstanceNumber", None, ["InstanceNumber"]),
        ("00200013", {"vr": "IS", "Value": [True]}, "InstanceNumber", None, ["InstanceNumber"]),
        (
            "00100010",
            {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
            "PatientName",
            {"alphabetic": "A^B"},
            [],
        ),
        ("00100010", {"vr": "PN", "Value": ["A^B"]}, "PatientName", {"alphabetic": "A^B"}, []),
        ("00081070", {"vr": "PN", "Value": ["A^B"]}, "OperatorsName", [{"alphabetic": "A^B"}], []),
        ("00100010", {"vr": "PN", "Value": [{"Alphabetic": 5}]}, "PatientName", None, []),
        ("00100020", {"Value": ["4711"]}, "PatientID", "4711", []),
        ("00100020", {"vr": "LO", "Value": "4711"}, "PatientID", "4711", ["PatientID"]),
        ("00100020", "4711", "PatientID", "4711", ["PatientID"]),
        ("00100020", {"vr": "LO", "Value": [None]}, "PatientID", None, []),
        ("00100020", {"vr": "LO", "Value": []}, "PatientID", None, []),
        ("00100020", {"vr": "LO"}, "PatientID", None, []),
        ("00100020", {}, "PatientID", None, []),
        ("00100020", {"vr": "??", "Value": ["4711"]}, "PatientID", "4711", []),
        ("PatientID", {"vr": "LO", "Value": ["4711"]}, "PatientID", "4711", []),
        ("0008103e", {"vr": "LO", "Value": ["Lung"]}, "SeriesDescription", "Lung", []),
        ("00081030", {"vr": "LO", "Value": ["a\u0000\u001bb"]}, "StudyDescription", "ab", []),
    ],
)
def test_leniently(tag: str, element: Any, keyword: str, expected: Any, issues: list[str]) -> None:
    assert value(tag, element, keyword) == (expected, issues)


def test_what_is_no_data_set() -> None:
    for told in ("x", 5, None):
        with pytest.raises(NotDicom):
            json_model.datasets(told)
    with pytest.raises(NotDicom):
        json_model.read([])
    assert json_model.datasets({"a": 1}) == [{"a": 1}]
    with pytest.raises(Refused):
        json_model.read({})


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["vr", "Value", "Alphabetic", "00080100", "00401101"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["00100010", "00321064", "00080096", "00401012", "00200013"]), _json))
def test_whatever_the_json(told: dict[str, Any]) -> None:
    assert json_model.read({**UIDS, **told}).sop_uid == "1.2.3.4.5"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("rich_header", 1),
        ("no_vr", 1),
        ("value_not_array", 1),
        ("null_value", 1),
        ("lowercase_tag", 1),
        ("is_string", 1),
        ("pn_plain_string", 1),
        ("empty_value_list", 1),
        ("unknown_vr", 1),
        ("two_datasets_one_bad", 1),
        ("ct_small_pydicom", 1),
        ("mr_small_dcmtk", 1),
        ("chrH31", 1),
        ("tid1500_dcmqi", 1),
        ("keyword_keys", 0),
    ],
)
def test_json_of_the_corpus(name: str, good: int) -> None:
    told = json.loads(corpus(f"json/{name}.json").read_bytes())
    found = 0
    for each in json_model.datasets(told):
        try:
            found += bool(json_model.read(each).sop_uid)
        except Refused:
            continue
    assert found == good
