from __future__ import annotations

from importers.dicom import tags

FREE_TEXT = {
    0x00104000,  # PatientComments
    0x00104001,
    0x00204000,  # ImageComments
    0x001021B0,  # AdditionalPatientHistory
    0x00380500,  # PatientState
}


def _all(attributes: tuple[tags.Attribute, ...]) -> list[tags.Attribute]:
    return [each for one in attributes for each in (one, *_all(one.inner))]


def test_nothing_private_and_no_free_text_about_patients() -> None:
    found = _all(tags.ATTRIBUTES)
    assert not any((each.tag >> 16) % 2 for each in found)
    assert not FREE_TEXT & {each.tag for each in found}


def test_in_the_order_in_which_a_file_has_them() -> None:
    order = [each.tag for each in tags.ATTRIBUTES]
    assert order == sorted(set(order))
    assert order[-1] == tags.LAST < 0x54000000, "waveforms, overlays and pixels are never reached"
    assert {each.keyword for each in tags.ATTRIBUTES} >= tags.LISTS


def test_sequences_say_what_is_wanted_of_their_items() -> None:
    for each in _all(tags.ATTRIBUTES):
        assert (each.vr == "SQ") == bool(each.inner)
