from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

import hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2.ack import (
    MOST_ISSUES,
    Answering,
    ApplicationCode,
    Mode,
    answers,
    batch_answer,
    code_of,
    new_control_id,
    reject,
)
from importers.hl7v2.header import Header, read_header
from importers.hl7v2.issue import Issue

NOW = datetime(2026, 3, 1, 12, 30, 45, tzinfo=timezone(timedelta(hours=2)))
WRONG = Issue("PID[2]-3[2].4.1", "The identifier has no authority", "101", "error")
DOUBTFUL = Issue("OBX[3]-5", "No number", "102")
UNKNOWN = Issue("MSH-9", "No mapping for this type", "200", "error")


def answering(mode: Mode = "sender") -> Answering:
    numbers = itertools.count(1)
    return Answering(mode, now=lambda: NOW, control_id=lambda: f"N{next(numbers)}")


def header(  # noqa: PLR0917
    version: str = "2.5.1", control_id: str = "0042", accept: str = "", application: str = "", charset: str = "",
    kind: str = "ORU^R01^ORU_R01",
) -> Header:  # fmt: skip
    text = f"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260101||{kind}|{control_id}|T|{version}|||{accept}|{application}||{charset}\r"
    found = read_header(text.encode())
    assert found is not None
    return found


def lines(answer: bytes) -> list[str]:
    text = answer.decode()
    assert text.endswith("\r")
    assert "\n" not in text
    return text.removesuffix("\r").split("\r")


def one(
    head: Header, code: ApplicationCode = "AA", issues: Sequence[Issue] = (), mode: Mode = "sender"
) -> list[str]:
    [answer] = answers(head, code, issues, answering=answering(mode))
    return lines(answer)


def codes(replies: list[bytes]) -> list[str]:
    return [lines(reply)[1].split("|")[1] for reply in replies]


def test_the_sides_change_places_and_the_control_id_is_repeated() -> None:
    assert one(header()) == [
        "MSH|^~\\&|EHR|CLINIC|LAB|HOSP|20260301123045+0200||ACK^R01^ACK|N1|T|2.5.1",
        "MSA|AA|0042",
    ]


@pytest.mark.parametrize(
    ("version", "kind"),
    [("2.1", "ACK"), ("2.2", "ACK^R01"), ("2.3.1", "ACK^R01"), ("2.4", "ACK^R01"), ("2.5", "ACK^R01^ACK"),
     ("2.8.2", "ACK^R01^ACK"), ("2.3.z", "ACK^R01"), ("", "ACK^R01^ACK"), ("x", "ACK^R01^ACK"), ("2.10", "ACK^R01^ACK")],
)  # fmt: skip
def test_the_type_is_written_as_the_version_has_it(version: str, kind: str) -> None:
    fields = one(header(version))[0].split("|")
    assert fields[8] == kind
    assert fields[11] == (version or "2.5.1")


def test_without_an_event_there_is_none() -> None:
    assert one(header(kind="ORU"))[0].split("|")[8] == "ACK"
    assert one(header(kind=""))[0].split("|")[8] == "ACK"


@pytest.mark.parametrize("number", ["007", " 7 ", "7^8", "a\\F\\b", "x&y", "7~8", "Ü", "", "\N{SNOWMAN}"])
def test_msa_2_is_msh_10_as_it_was_sent(number: str) -> None:
    [answer] = answers(header(control_id=number), "AA")
    assert lines(answer)[1].split("|")[2:] == ([number] if number else [])


def test_answers_of_ones_own_have_numbers_of_their_own() -> None:
    numbers = {new_control_id() for _ in range(1000)}
    assert len(numbers) == 1000
    assert {len(number) for number in numbers} == {20}
    [answer] = answers(header(), "AA")
    stamp = lines(answer)[0].split("|")[6]
    assert abs(datetime.strptime(stamp, "%Y%m%d%H%M%S%z") - datetime.now(UTC)) < timedelta(minutes=1)


def test_problems_since_2_5_are_segments() -> None:
    assert one(header("2.6"), "AE", [DOUBTFUL, WRONG])[1:] == [
        "MSA|AE|0042|The identifier has no authority",
        "ERR||PID^2^3^2^4^1|101^Required field missing^HL70357|E||||The identifier has no authority",
        "ERR||OBX^3^5^1|102^Data type error^HL70357|W||||No number",
    ]


def test_problems_before_2_5_are_repetitions() -> None:
    assert one(header("2.3"), "AE", [DOUBTFUL, WRONG])[1:] == [
        "MSA|AE|0042|The identifier has no authority",
        "ERR|PID^2^3^101&Required field missing&HL70357~OBX^3^5^102&Data type error&HL70357",
    ]


def test_msa_3_is_withdrawn_in_2_7() -> None:
    assert one(header("2.7"), "AR", [UNKNOWN])[1:] == [
        "MSA|AR|0042",
        "ERR||MSH^1^9^1|200^Unsupported message type^HL70357|E||||No mapping for this type",
    ]


def test_a_warning_does_not_block_and_is_told_where_it_can_be() -> None:
    assert one(header("2.5"), "AA", [DOUBTFUL])[1:] == [
        "MSA|AA|0042",
        "ERR||OBX^3^5^1|102^Data type error^HL70357|W||||No number",
    ]
    assert one(header("2.4"), "AA", [DOUBTFUL])[1:] == ["MSA|AA|0042"]


def test_information_is_for_operators() -> None:
    assert one(header(), "AA", [Issue("ZXY", "Kept", "0", "information")])[1:] == ["MSA|AA|0042"]


@pytest.mark.parametrize(
    ("code", "condition"), [("AE", "199^Other HL7 error"), ("AR", "207^Application internal error")]
)
def test_no_error_without_a_reason(code: ApplicationCode, condition: str) -> None:
    said = one(header(), code, [DOUBTFUL])
    assert said[2].split("|")[3] == f"{condition}^HL70357"
    assert len(said) == 4


def test_ten_thousand_problems_are_summed_up() -> None:
    said = one(header(), "AE", [WRONG] * 10_000)
    assert len(said) == 2 + MOST_ISSUES + 1
    assert said[-1].endswith("9980 more problems are not listed here")


def test_long_texts_are_cut_where_the_standard_cuts() -> None:
    text = "x" * 300
    said = one(header(), "AE", [Issue("PID", text, "199", "error")])
    assert said[1] == "MSA|AE|0042|" + "x" * 80
    assert said[2].split("|")[7:] == [text, "x" * 250]


def test_texts_are_escaped_with_the_senders_own_characters() -> None:
    found = read_header(b"MSH#$%?!#LAB#HOSP#EHR#CLINIC###ADT$A01#7#P#2.5\r")
    assert found is not None
    said = one(found, "AE", [Issue("PID-3", "#$%?! |^~\\&\r\nü", "101", "error")])
    assert said[0].startswith("MSH#$%?!#EHR#CLINIC#LAB#HOSP#")
    assert said[1] == "MSA#AE#7#?F??S??R??E??T? |^~\\& ?E?"
    assert said[2].split("#")[2:5] == ["PID$1$3$1", "101$Required field missing$HL70357", "E"]


def test_without_an_escape_character_delimiters_become_blanks() -> None:
    found = read_header(b"MSH|^~|LAB|HOSP|EHR|CLINIC|||ADT^A01|7|P|2.5\r")
    assert found is not None
    assert one(found, "AE", [Issue("", "a|b^c~d\\e", "199", "error")])[1] == "MSA|AE|7|a b c d\\e"


def test_doubled_escape_character_is_repeated_and_understood() -> None:
    found = read_header(b"MSH|^~\\\\&|LAB|HOSP|EHR|CLINIC|||ADT^A01|7|P|2.3\r")
    assert found is not None
    said = one(found, "AE", [WRONG])
    assert said[0].startswith("MSH|^~\\\\&|EHR|")
    assert said[2] == "ERR|PID^2^3^101&Required field missing&HL70357"


# MSH-15, MSH-16, what happened, whether it is kept → what is answered
CONDITIONS = [
    ("", "", "AA", True, ["AA"]),
    ("", "", "AE", True, ["AE"]),
    ("", "", "AR", False, ["AR"]),
    ("NE", "NE", "AA", True, []),
    ("NE", "NE", "AR", False, []),
    ("AL", "NE", "AA", True, ["CA"]),
    ("AL", "", "AA", True, ["CA"]),
    ("AL", "NE", "AE", True, ["CA"]),
    ("AL", "NE", "AE", False, ["CE"]),
    ("AL", "NE", "AR", True, ["CR"]),
    ("AL", "AL", "AA", True, ["CA", "AA"]),
    ("AL", "AL", "AE", True, ["CA", "AE"]),
    ("AL", "AL", "AR", True, ["CR"]),
    ("AL", "AL", "AE", False, ["CE"]),
    ("NE", "AL", "AA", True, ["AA"]),
    ("NE", "AL", "AR", False, ["AR"]),
    ("", "AL", "AE", True, ["AE"]),
    ("ER", "NE", "AA", True, []),
    ("ER", "NE", "AR", True, ["CR"]),
    ("ER", "AL", "AA", True, ["AA"]),
    ("SU", "NE", "AA", True, ["CA"]),
    ("SU", "NE", "AR", True, []),
    ("SU", "AL", "AR", True, ["AR"]),
    ("NE", "ER", "AA", True, []),
    ("NE", "ER", "AE", True, ["AE"]),
    ("NE", "SU", "AA", True, ["AA"]),
    ("NE", "SU", "AE", True, []),
    ("al", " ne ", "AA", True, ["CA"]),
    ("Y", "NE", "AA", True, ["CA"]),
]


@pytest.mark.parametrize(("accept", "application", "code", "stored", "expected"), CONDITIONS)
def test_who_asks_for_what_gets_it(
    accept: str, application: str, code: ApplicationCode, stored: bool, expected: list[str]
) -> None:
    head = header(accept=accept, application=application)
    replies = answers(head, code, stored=stored, answering=answering())
    assert codes(replies) == expected
    for number, reply in enumerate(replies, 1):
        fields = lines(reply)[0].split("|")
        assert fields[9] == f"N{number}"
        assert fields[14:16] == (["NE", "NE"] if accept or application else [])


@pytest.mark.parametrize(("accept", "application"), [("AL", "NE"), ("NE", "NE"), ("AL", "AL"), ("", "")])
def test_a_feed_can_be_answered_in_the_original_mode_whatever_it_asks(accept: str, application: str) -> None:
    head = header(accept=accept, application=application)
    for code in ("AA", "AE", "AR"):
        assert codes(answers(head, code, answering=answering("original"))) == [code]


def test_a_feed_can_be_answered_in_the_enhanced_mode_though_it_says_nothing() -> None:
    assert codes(answers(header(), "AA", answering=answering("enhanced"))) == ["CA", "AA"]
    assert codes(answers(header(accept="NE", application="NE"), "AA", answering=answering("enhanced"))) == []


def test_a_commit_tells_no_problems_of_the_content() -> None:
    accepted, processed = answers(header(accept="AL", application="AL"), "AE", [WRONG], answering=answering())
    assert len(lines(accepted)) == 2
    assert len(lines(processed)) == 3


@pytest.mark.parametrize(
    "raw", [b"MSH|^~\\&|A|B|C|D|||ACK^R01|1|P|2.5\rMSA|AA|7\r", b"MSH|^~\\&|||||||ACK|1|P|2.5\r"]
)
@pytest.mark.parametrize("mode", ["sender", "original", "enhanced"])
def test_no_answer_to_an_answer(raw: bytes, mode: Mode) -> None:
    found = read_header(raw)
    assert found is not None
    assert answers(found, "AR", [UNKNOWN], answering=answering(mode)) == []
    assert reject(raw, UNKNOWN) == []


def test_reject_answers_whatever_has_a_header() -> None:
    assert reject(b"hello", UNKNOWN) == []
    [answer] = reject(b"MSH|^~\\&|LAB", UNKNOWN, answering=answering())
    assert lines(answer)[0] == "MSH|^~\\&|||LAB||20260301123045+0200||ACK|N1|P|2.5.1"
    assert lines(answer)[1] == "MSA|AR||No mapping for this type"


def test_the_code_follows_from_the_issues() -> None:
    assert code_of([]) == "AA"
    assert code_of([DOUBTFUL, Issue("", "", "200", "warning")]) == "AA"
    assert code_of([DOUBTFUL, WRONG]) == "AE"
    assert code_of([WRONG, UNKNOWN]) == "AR"
    assert code_of([Issue("", "", "207", "fatal")]) == "AR"


@pytest.mark.parametrize(("charset", "encoding"), [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("8859/15", "iso8859-15"),
                                                   ("ISO IR87", "iso2022_jp"), ("BIG-5", "big5")])  # fmt: skip
def test_the_character_set_is_the_senders(charset: str, encoding: str) -> None:
    name = "東京功能" if encoding in {"iso2022_jp", "big5"} else "Köln"
    name = "東京" if encoding == "iso2022_jp" else name
    raw = f"MSH|^~\\&|{name}|HOSP|EHR|CLINIC|||ADT^A01|7|P|2.5||||||{charset}\r".encode(encoding)
    found = read_header(raw)
    assert found is not None
    [answer] = answers(found, "AA", answering=answering())
    fields = answer.decode(encoding).split("\r")[0].split("|")
    assert (fields[4], fields[17]) == (name, charset)


def test_utf_16_is_answered_in_utf_16() -> None:
    raw = "\ufeffMSH|^~\\&|LAB|HOSP|EHR|CLINIC|||ADT^A01|7|P|2.5||||||UNICODE UTF-16\r".encode("utf-16-le")
    [answer] = reject(raw, UNKNOWN)
    assert answer.startswith(b"\xff\xfe")
    assert "\rMSA|AR|7|" in answer.decode("utf-16")


@pytest.mark.parametrize(
    "version", ["2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.8.1", "2.8.2"]
)
@pytest.mark.parametrize(("code", "issues"), [("AA", []), ("AE", [WRONG, DOUBTFUL]), ("AR", [UNKNOWN])])
def test_other_readers_understand_it(version: str, code: ApplicationCode, issues: list[Issue]) -> None:
    [answer] = answers(header(version), code, issues, answering=answering())
    text = answer.decode()
    read = hl7.parse(text)
    assert str(read.segment("MSA")[1]) == code
    assert str(read.segment("MSA")[2]) == "0042"
    assert str(read.segment("MSH")[9][0][0]) == "ACK"
    checked = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    assert checked.msa.msa_1.value == code
    assert [segment.name for segment in checked.children] == [line[:3] for line in lines(answer)]
    if issues and version >= "2.5":
        assert checked.err[0].err_3.err_3_1.value == issues[0].code
        assert checked.err[0].err_4.value == "E"


@given(st.binary(max_size=200))
def test_whatever_comes_is_answered_with_one_line_for_each_segment(garbage: bytes) -> None:
    for answer in reject(b"MSH|^~\\&|" + garbage, UNKNOWN):
        assert b"\x0b" not in answer
        assert b"\x1c" not in answer
        assert [line[:3] for line in answer.removesuffix(b"\r").split(b"\r")] == [b"MSH", b"MSA", b"ERR"]


def test_a_batch_is_answered_as_a_batch() -> None:
    found = read_header(b"BHS|^~\\&|LAB|HOSP|EHR|CLINIC|2026||name|comment|B7\r")
    assert found is not None
    replies = [
        reply for number in "12" for reply in answers(header(control_id=number), "AA", answering=answering())
    ]
    said = lines(batch_answer(found, replies, answering=answering()))
    assert [line[:3] for line in said] == ["BHS", "MSH", "MSA", "MSH", "MSA", "BTS"]
    assert said[0] == "BHS|^~\\&|EHR|CLINIC|LAB|HOSP|20260301123045+0200||||N1|B7"
    assert said[-1] == "BTS|2"


def test_a_file_is_answered_as_a_file() -> None:
    found = read_header(b"FHS|^~\\&|LAB|HOSP|EHR|CLINIC|2026||name|comment|F7\r")
    assert found is not None
    said = lines(batch_answer(found, answers(header(), "AA"), answering=answering()))
    assert [line[:3] for line in said] == ["FHS", "BHS", "MSH", "MSA", "BTS", "FTS"]
    assert said[0].endswith("|F7")
    assert said[-2:] == ["BTS|1", "FTS|1"]
