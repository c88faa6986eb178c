from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2 import batch, charset, er7
from importers.hl7v2.er7 import NotHL7, parse
from importers.hl7v2.issue import DATA_TYPE_ERROR, SEQUENCE_ERROR
from tests.importers.hl7v2 import corpus

MSH = "MSH|^~\\&|APP|FAC|||20240102||ADT^A01|42|P|2.5"


def names(text: str) -> list[str]:
    return [segment.name for segment in parse(text).segments]


def refusal(text: str) -> str:
    with pytest.raises(NotHL7) as caught:
        parse(text)
    assert caught.value.issue.severity == "error"
    return caught.value.issue.code


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\r\n\r\n"])
def test_segments_end_in_any_line_end(end: str) -> None:
    message = parse(MSH + end + "PID|1||7" + end + "PV1|1|I" + end)
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "PV1"]
    assert message.issues == []


@pytest.mark.parametrize(
    ("header", "declared"),
    [
        ("MSH|^~\\&|A", "^~\\&"),
        ("MSH|^~\\&#|A", "^~\\&#"),
        ("MSH|^~\\\\&|A", "^~\\&"),
        ("MSH|^~\\\\&#|A", "^~\\&#"),
        ("MSH^~|\\&^A", "~|\\&"),
        ("MSH$%*!@$A", "%*!@"),
        ("MSH|^~\\|A", "^~\\"),
        ("MSH|^~|A", "^~"),
        ("MSH|^~\\& |A", "^~\\&"),
        ("MSH|^~\\&", "^~\\&"),
    ],
)
def test_delimiters_are_those_of_the_header(header: str, declared: str) -> None:
    found = parse(header).delimiters
    assert found.field == header[3]
    assert "".join(found[1:6]).replace("\r", "") == declared


@pytest.mark.parametrize(
    "text",
    [
        "MSH",
        "MSH|",
        "MSH||",
        "MSH|||",
        "MSH|^^\\&|A",
        "MSH|^|\\&|A",
        "MSHA^~\\&A",
        "MSH|ab\\&|",
        'MSH|^~"&|',
        "MSH|^~\\&#!|A",
    ],
)
def test_delimiters_that_cannot_be(text: str) -> None:
    assert refusal(text) == DATA_TYPE_ERROR


@pytest.mark.parametrize(
    "text",
    ["", " ", "PID|1", "GET / HTTP/1.1\r\nHost: x\r\n", "\x00\x01\x02", "FHS|^~\\&|A\rMSH|^~\\&|A", "<xml/>"],
)
def test_what_is_no_message(text: str) -> None:
    assert refusal(text) == SEQUENCE_ERROR


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\ufeff", ""),
        ("\r\n \t", "\r\n\r\n"),
        ("\x0b", "\x1c\r"),
        ("\x0b", "\x1c\rgarbage\x00"),
        ("\x00", "\x00\x1a"),
        ("\ufeff\x0b", "\x1c"),
    ],
)
def test_what_is_around_a_message_is_no_part_of_it(before: str, after: str) -> None:
    message = parse(f"{before}{MSH}\rPID|1||7{after}")
    assert [segment.line for segment in message.segments] == [MSH, "PID|1||7"]


def test_every_segment_is_kept_in_its_order() -> None:
    text = f"{MSH}\rZBE|1\rPID|1\rXYZ|2\rPID|2\rARV\rZZZ\rpv1|1|I\rPI|3"
    message = parse(text)
    assert [segment.name for segment in message.segments] == [
        "MSH",
        "ZBE",
        "PID",
        "XYZ",
        "PID",
        "ARV",
        "ZZZ",
        "PV1",
        "PI",
    ]
    assert [segment.sequence for segment in message.all("PID")] == [1, 2]
    assert [segment.index for segment in message.segments] == list(range(9))
    assert [issue.place for issue in message.issues] == ["XYZ", "PV1", "PI"]
    assert all(issue.severity == "warning" for issue in message.issues)


def test_an_oddity_is_told_once() -> None:
    assert len(parse(MSH + "\rXYZ|1" * 100).issues) == 1


def test_a_line_break_inside_of_a_field_is_text() -> None:
    message = parse(f"{MSH}\rNTE|1||first\nsecond line: x|y\r\nthird\rOBX|1|NM|a||1")
    note = message.first("NTE")
    assert note is not None
    assert note.text(3) == "first\nsecond line: x"
    assert note.raw(4) == "y\nthird"
    assert [issue.place for issue in message.issues] == ["NTE"]
    assert message.segments[-1].name == "OBX"


def test_a_segment_with_another_separator_does_not_become_text() -> None:
    message = parse(f"{MSH}\rPID^1^^7\rPID-3 is what this text is about")
    assert [segment.name for segment in message.segments] == ["MSH", "PID"]
    assert message.issues[0].place == "PID"
    assert "field separator" in message.issues[0].text


def test_control_characters_are_removed_and_told() -> None:
    message = parse(f"{MSH}\rNTE|1||a\x00b\x07c\td")
    note = message.first("NTE")
    assert note is not None
    assert note.text(3) == "abc\td"
    assert message.issues[0].code == DATA_TYPE_ERROR


@given(st.text(alphabet='MSHPIDOBXZ|^~\\&\r\n"#1a \x0b\x1c\x00é'))
def test_anything_is_read_or_refused(text: str) -> None:
    for each in (text, MSH + text, MSH + "\r" + text):
        try:
            message = parse(each)
        except NotHL7:
            continue
        for segment in message.segments:
            for field in range(len(segment.fields) + 1):
                assert segment.text(field) == segment.text(field).strip() or field <= 2
                for value in segment.values(field):
                    assert value.text(99, 99) == ""
                    assert value.place


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8), max_size=5), max_size=6
    )
)
def test_what_is_written_is_read(rows: list[list[str]]) -> None:
    letters = {"|": "F", "^": "S", "~": "R", "\\": "E", "&": "T"}

    def escaped(text: str) -> str:
        return "".join(f"\\{letters[each]}\\" if each in letters else each for each in text)

    message = parse("\r".join([MSH, *("|".join(["ZXX", *map(escaped, row)]) for row in rows)]))
    read = [
        [segment.text(field) for field in range(1, len(segment.fields))] for segment in message.all("ZXX")
    ]
    expected = [[text.strip() if text.strip() != '""' else "" for text in row] for row in rows]
    assert read == expected


@pytest.mark.parametrize(
    "body",
    [
        "PID|1||" + "~".join(f"{n}^^^A^MR" for n in range(10_000)),
        "NTE|1||" + "\\.br\\" * 200_000,
        "NTE|1||" + "\\" * 500_000,
        "NTE|1||line" + "\nanother line" * 200_000,
        "\r".join(["OBX|1|NM|a||1"] * 100_000),
        "\r".join(["nonsense"] * 200_000),
        "\r".join(["XYZ|1"] * 100_000),
        "OBX|1|ED|a||^^^Base64^" + "QUJD" * 3_000_000,
        "|" * 1_000_000,
        "PID|1||" + "&" * 500_000 + "^" * 500_000 + "~" * 500_000,
    ],
    ids=[
        "repetitions",
        "escapes",
        "backslashes",
        "lines",
        "segments",
        "nonsense",
        "unknown",
        "12 MB",
        "fields",
        "delimiters",
    ],
)
def test_what_is_endless_takes_no_endless_time(body: str) -> None:
    """What were quadratic would take minutes here."""
    text = f"{MSH}\r{body}"
    began = time.process_time()
    message = parse(text)
    for segment in message.segments[:1000]:
        segment.text(3)
        for value in segment.values(3):
            value.text(1), value.component(4).text(1)
    assert time.process_time() - began < 10


def test_all_files_of_others_are_read_or_refused() -> None:
    refused = set()
    for row in corpus.manifest():
        for raw in batch.split(corpus.raw(row)).messages:
            decoded = charset.decode(raw)
            try:
                message = er7.parse(decoded.text, decoded.encoding)
            except NotHL7:
                refused.add(row["file"][:4])
                continue
            lines = [line for line in decoded.text.splitlines() if line.strip("\x0b\x1c\r ")]
            assert len(message.segments) == len(lines), row["file"]
    assert refused == {"v075", "v076"}


def test_the_first_message_of_a_file_is_what_the_manifest_says() -> None:
    for row in corpus.manifest():
        if row["category"] == "garbage":
            continue
        decoded = charset.decode(batch.split(corpus.raw(row)).messages[0])
        message = er7.parse(decoded.text, decoded.encoding)
        assert "^".join(filter(None, (message.type, message.event))) == row["message_type"], row["file"]
        assert (message.version, message.control_id) == (row["version"], row["control_id"]), row["file"]
