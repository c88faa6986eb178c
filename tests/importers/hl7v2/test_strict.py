from __future__ import annotations

import pytest

from importers.hl7v2 import batch, charset, er7, strict
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert
from importers.hl7v2.er7 import NotHL7, parse
from importers.hl7v2.issue import Issue
from tests.importers.hl7v2 import corpus

RIGHT = "MSH|^~\\&|A|B|C|D|20240102||ADT^A01^ADT_A01|1|P|2.5\rEVN||20240102\rPID|1||7^^^X||Doe^John\rPV1|1|I"


def report(text: str) -> list[Issue]:
    return strict.report(parse(text))


def test_what_is_right_gives_no_report() -> None:
    assert report(RIGHT) == []
    assert report(RIGHT.replace("|^~\\&|", "|^~\\&#|")) == []
    assert report(RIGHT.replace("|^~\\&|", "|^~\\\\&|")) == []


@pytest.mark.parametrize(
    ("sent", "wrong", "place", "code"),
    [
        ("Doe^John", "", "PID-5", "101"),
        ("PV1|1|I", "PV1|1", "PV1-2", "101"),
        ("PV1|1|I", "PV1|1|LIVERPOOL", "PV1-2", "103"),
        ("\rPV1|1|I", "", "PV1", "101"),
        ("EVN||20240102", "EVN||20240102\rZBE|1", "ZBE", "100"),
        ("EVN||20240102", "EVN||20240102\rTXA|1", "TXA", "100"),
        ("EVN||", "EVN||~", "EVN-2", "198"),
    ],
)
def test_what_is_against_the_standard_is_told(sent: str, wrong: str, place: str, code: str) -> None:
    found = report(RIGHT.replace(sent, wrong))
    assert (place, code) in [(issue.place, issue.code) for issue in found]
    assert {issue.severity for issue in found} == {"information"}
    assert not any("LIVERPOOL" in issue.text for issue in found)


@pytest.mark.parametrize("version", ["2.3.z", "2.9", ""])
def test_what_hl7apy_cannot_read_is_told(version: str) -> None:
    (found,) = report(RIGHT.replace("|2.5", f"|{version}"))
    assert "hl7apy fails on it (UnsupportedVersion)" in found.text
    assert found.severity == "information"


def test_a_report_has_an_end() -> None:
    found = report(RIGHT + "\rOBX|1|ST|||x" * 100)
    assert len(found) == strict.MOST + 1
    assert "more are against the standard" in found[-1].text


def test_a_feed_asks_for_it() -> None:
    message = parse(RIGHT.replace("PV1|1|I", "PV1|1"))
    assert convert(message, FeedConfig(), "key").issues == []
    made = convert(message, FeedConfig(strict=True), "key")
    assert [(issue.place, issue.code) for issue in made.issues] == [("PV1-2", "101")]
    assert made.drafts


def test_it_fails_on_no_message_of_others() -> None:
    for row in corpus.manifest():
        for raw in batch.split(corpus.raw(row)).messages:
            try:
                message = er7.parse(charset.decode(raw).text)
            except NotHL7:
                continue
            for issue in strict.report(message):
                assert issue.severity == "information"
                assert len(issue.text) <= 200
