from __future__ import annotations

from importers.dicom.answers import (
    CANNOT_UNDERSTAND,
    DUPLICATE,
    ELEMENTS_DISCARDED,
    NO_MATCH,
    REQUIRED_MISSING,
    Answer,
)
from importers.dicom.stow import StoreResponse

CT = "1.2.840.10008.5.1.4.1.1.2"
GOOD = Answer(CT, "1.1", warning=ELEMENTS_DISCARDED)
WITHOUT_PIXELS = Answer(CT, "1.5", warning=NO_MATCH)
PLAIN = Answer(CT, "1.2")
DOUBLE = Answer(CT, "1.3", warning=DUPLICATE, text="It came before with other content, which was kept")
BAD = Answer(CT, "1.4", failure=REQUIRED_MISSING, text="StudyInstanceUID: required, but absent or empty")
NOTHING = Answer(failure=CANNOT_UNDERSTAND, text="It is empty")


def test_status_says_all_some_or_none() -> None:
    for answers, status in (
        ([GOOD], 200),
        ([GOOD, PLAIN], 200),
        ([GOOD, WITHOUT_PIXELS], 200),
        ([GOOD, DOUBLE], 202),
        ([GOOD, BAD], 202),
        ([PLAIN, NOTHING], 202),
        ([BAD], 409),
        ([BAD, NOTHING], 409),
        ([], 409),
    ):
        assert StoreResponse(list(answers)).status == status, answers


def test_each_instance_is_told_where_it_belongs() -> None:
    told = StoreResponse([GOOD, BAD, PLAIN, NOTHING, DOUBLE]).dataset()
    assert told["00081190"] == {"vr": "UR"}
    stored = told["00081199"]["Value"]
    assert [each["00081155"]["Value"] for each in stored] == [["1.1"], ["1.2"], ["1.3"]]
    assert [each.get("00081196", {}).get("Value") for each in stored] == [[0xB006], None, [0x0111]]
    assert all(each["00081190"] == {"vr": "UR"} for each in stored)
    (failed,) = told["00081198"]["Value"]
    assert failed["00081150"] == {"vr": "UI", "Value": [CT]}
    assert failed["00081197"] == {"vr": "US", "Value": [0xA900]}
    (comment,) = failed["00741048"]["Value"]
    assert comment["00000902"]["Value"] == ["StudyInstanceUID: required, but absent or empty"]
    (unknown,) = told["0008119A"]["Value"]
    assert unknown["00081197"]["Value"] == [0xC000]
    assert "00081155" not in unknown


def test_sequences_without_items_are_left_out() -> None:
    assert set(StoreResponse([GOOD]).dataset()) == {"00081190", "00081199"}
    assert set(StoreResponse([BAD]).dataset()) == {"00081190", "00081198"}
    assert set(StoreResponse([NOTHING]).dataset()) == {"00081190", "0008119A"}


def test_a_comment_fits_its_element() -> None:
    told = StoreResponse([Answer(CT, "1.1", failure=1, text="word " * 40)]).dataset()
    comment = told["00081198"]["Value"][0]["00741048"]["Value"][0]["00000902"]["Value"][0]
    assert len(comment) <= 64
    assert comment.endswith("…")


def test_an_instance_without_class_has_an_empty_one() -> None:
    told = StoreResponse([Answer("", "1.1", failure=1)]).dataset()
    assert told["00081198"]["Value"][0]["00081150"] == {"vr": "UI"}
