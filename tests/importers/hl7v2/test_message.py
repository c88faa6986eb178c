from __future__ import annotations

import pytest

from importers.hl7v2.er7 import Message, Segment, parse

MSH = "MSH|^~\\&|APP^1.2.3^ISO|FAC|REC|RFAC|20240102||ADT^A01^ADT_A01|\\T\\ 042 |P|2.5.1^DEU"


def message(*lines: str) -> Message:
    return parse("\r".join((MSH, *lines)))


def segment(line: str) -> Segment:
    return message(line).segments[1]


def test_what_the_header_says() -> None:
    read = message()
    assert (read.type, read.event, read.structure) == ("ADT", "A01", "ADT_A01")
    assert (read.sending_application, read.sending_facility) == ("APP", "FAC")
    assert (read.receiving_application, read.receiving_facility) == ("REC", "RFAC")
    assert (read.version, read.datetime) == ("2.5.1", "20240102")
    assert read.control_id == "\\T\\ 042 "


@pytest.mark.parametrize(
    ("msh9", "evn", "expected"),
    [
        ("ORU", None, ("ORU", "")),
        ("ADT", "EVN|A08", ("ADT", "A08")),
        ("adt^a01", None, ("ADT", "A01")),
        ("ADT_A01", None, ("ADT", "")),
        ("", None, ("", "")),
    ],
)
def test_type_and_event_as_senders_write_them(msh9: str, evn: str | None, expected: tuple[str, str]) -> None:
    read = parse("\r".join(filter(None, (f"MSH|^~\\&|||||||{msh9}|1", evn))))
    assert (read.type, read.event) == expected


def test_a_header_says_its_delimiters_as_they_are() -> None:
    header = message().header
    assert (header.text(1), header.text(2), header.raw(2)) == ("|", "^~\\&", "^~\\&")
    assert header.text(3, 2) == "1.2.3"


def test_a_field_is_read_at_any_depth() -> None:
    pid = segment("PID|1||7^^^HOSP&1.2&ISO^MR~8^^^ELSE||Doe\\S\\s& ^ Jo ")
    assert pid.text(3) == "7"
    assert pid.text(3, 4) == "HOSP"
    assert pid.text(3, 4, 2) == "1.2"
    assert pid.text(3, repetition=1) == "8"
    assert pid.text(3, 4, repetition=1) == "ELSE"
    assert pid.text(5) == "Doe^s"
    assert pid.text(5, 2) == "Jo"
    assert pid.raw(5) == "Doe\\S\\s& ^ Jo "


@pytest.mark.parametrize(
    ("field", "component", "subcomponent", "repetition"),
    [
        (9, 1, 1, 0),
        (3, 9, 1, 0),
        (3, 4, 9, 0),
        (3, 1, 2, 0),
        (3, 1, 1, 5),
        (1, 2, 1, 0),
        (1, 1, 1, 1),
        (1, 1, 2, 0),
    ],
)
def test_what_is_not_there_is_empty(field: int, component: int, subcomponent: int, repetition: int) -> None:
    pid = segment("PID|1||7^^^HOSP&1.2&ISO^MR")
    assert pid.text(field, component, subcomponent, repetition) == ""
    assert pid.raw(99) == ""


def test_repetitions_that_say_something() -> None:
    pid = segment('PID|1||7^^^A~~^^&^~""~8| |~|""')
    assert [(value.text(), value.place) for value in pid.values(3)] == [("7", "PID-3"), ("8", "PID-3[5]")]
    assert pid.value(3).text(4) == "A"
    for empty in (2, 4, 5, 6, 77):
        assert pid.values(empty) == []
        assert not pid.value(empty)


def test_a_value_that_is_deleted_is_not_one_that_is_left_out() -> None:
    pid = segment('PID|1|""|""^""||""~x')
    assert pid.is_null(2)
    assert pid.value(2).is_null
    assert pid.text(2) == ""
    assert not pid.is_null(3)
    assert pid.text(3) == pid.text(3, 2) == ""
    assert not pid.is_null(4)
    assert not pid.value(4).is_null
    assert [value.text() for value in pid.values(5)] == ["x"]


def test_a_component_is_a_value_of_its_subcomponents() -> None:
    authority = segment("PID|1||7^^^HOSP&1.2&ISO~8^^^\\T\\&3").values(3)[1].component(4)
    assert (authority.text(1), authority.text(2), authority.text(3)) == ("&", "3", "")
    assert authority.place == "PID-3[2].4"
    assert authority.text(1, 2) == ""
    assert authority.component(2).text() == "3"
    assert authority.component(2).place == "PID-3[2].4.2"
    assert not authority.component(9)


def test_text_keeps_its_blanks_and_delimiters() -> None:
    note = segment("NTE|1||  indented \\.br\\ 5 ^ 6 & 7 ")
    assert note.value(3).formatted() == "  indented \n 5 ^ 6 & 7 "
    assert note.text(3) == "indented \n 5"


def test_places_name_the_segment_by_its_number() -> None:
    read = message("OBX|1", "OBX|2|NM||x~1.5")
    assert [each.place for each in read.all("OBX")] == ["OBX", "OBX[2]"]
    assert read.all("OBX")[1].values(4)[1].place == "OBX[2]-4[2]"
    assert read.first("ZZZ") is None
    assert read.all("ZZZ") == []
    assert repr(read.segments[2]) == "Segment(OBX[2])"
    assert repr(read.segments[2].value(2)) == "Value(OBX[2]-2)"


def test_without_subcomponents_an_ampersand_is_text() -> None:
    read = parse("MSH|^~\\|APP|Mother & Child^x")
    assert read.sending_facility == "Mother & Child"
