from __future__ import annotations

import pytest

from importers.dicom.header import Issue, Refused, header

VALUES = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "SOPInstanceUID": "1.2.3.4.5",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
}


def test_a_header_has_its_four_uids() -> None:
    made = header(VALUES, [], "1.2.840.10008.1.2")
    assert (made.study_uid, made.series_uid, made.sop_uid) == ("1.2.3", "1.2.3.4", "1.2.3.4.5")
    assert made.sop_class.endswith(".1.1.2")
    assert made.complete
    assert made.issues == ()


@pytest.mark.parametrize("missing", VALUES)
def test_without_one_of_them_it_is_refused(missing: str) -> None:
    with pytest.raises(Refused, match=missing) as caught:
        header({name: value for name, value in VALUES.items() if name != missing}, [])
    assert caught.value.status == 0xA900


def test_bad_uids_are_refused_and_not_told() -> None:
    with pytest.raises(Refused, match="StudyInstanceUID is no UID") as caught:
        header({**VALUES, "StudyInstanceUID": "1.2.secret"}, [])
    assert caught.value.status == 0xC000
    assert "secret" not in caught.value.text


def test_a_leading_zero_is_let_pass() -> None:
    issues: list[Issue] = []
    assert header({**VALUES, "SOPInstanceUID": "1.02"}, issues).sop_uid == "1.02"
    assert [issue.keyword for issue in issues] == ["SOPInstanceUID"]


@pytest.mark.parametrize(
    "sop_class", ["1.2.840.10008.1.3.10", "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.5.1.4.31"]
)
def test_what_is_no_instance_is_refused(sop_class: str) -> None:
    with pytest.raises(Refused) as caught:
        header({"SOPClassUID": sop_class}, [])
    assert caught.value.status == 0x0122
