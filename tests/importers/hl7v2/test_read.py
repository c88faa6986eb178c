from __future__ import annotations

import pytest

from importers.hl7v2.config import FeedConfig, Feeds
from importers.hl7v2.er7 import NotHL7
from importers.hl7v2.read import read

FEEDS = Feeds(
    FeedConfig(charset="utf-8"),
    (FeedConfig("east", application="EAST", charset="iso8859-5"), FeedConfig("west", application="WEST")),
)


def message(application: str, encoding: str, declared: str = "") -> bytes:
    text = f"MSH|^~\\&|{application}|F|||20240102||ADT^A01|1|P|2.5||||||{declared}\rPID|1||7||Иванов"
    return text.encode(encoding)


def test_the_feed_says_how_its_bytes_are_meant() -> None:
    found = read(message("EAST", "iso8859-5"), FEEDS)
    assert found.config.name == "east"
    assert found.message.segments[1].text(5) == "Иванов"
    assert found.message.delimiters.encoding == "iso8859-5"
    assert found.message.issues == []


def test_the_message_wins_over_the_carrier_and_that_over_the_feed() -> None:
    assert (
        read(message("EAST", "utf-8", "UNICODE UTF-8"), FEEDS, "koi8-r").message.segments[1].text(5)
        == "Иванов"
    )
    assert read(message("EAST", "koi8-r"), FEEDS, "koi8-r").message.segments[1].text(5) == "Иванов"


def test_what_was_read_otherwise_is_told() -> None:
    found = read(message("WEST", "iso8859-5"), FEEDS)
    assert [issue.place for issue in found.message.issues] == ["MSH-18"]


def test_a_carrier_that_names_nonsense_is_not_believed() -> None:
    found = read(message("WEST", "utf-8"), FEEDS, "no-such-charset")
    assert found.message.segments[1].text(5) == "Иванов"


def test_what_is_no_message() -> None:
    with pytest.raises(NotHL7):
        read(b"GET / HTTP/1.1", FEEDS)
