from __future__ import annotations

import pytest

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion, ConversionError
from importers.hl7v2.convert import MESSAGES, VERSIONS, convert
from importers.hl7v2.er7 import parse

PID = "\rPID|1||7^^^HOSP^MR||Doe^John"


def refusal(msh9: str, version: str = "2.5.1", config: FeedConfig | None = None) -> tuple[str, str]:
    with pytest.raises(ConversionError) as caught:
        convert(parse(f"MSH|^~\\&|A|B|||20240102||{msh9}|1|P|{version}{PID}"), config or FeedConfig())
    assert caught.value.issue.severity == "error"
    return caught.value.issue.place, caught.value.issue.code


@pytest.mark.parametrize(
    ("msh9", "place", "code"),
    [
        ("", "MSH-9", "101"),
        ("^A01", "MSH-9", "101"),
        ("ZZZ^ZZZ", "MSH-9.1", "200"),
        ("QBP^Q22", "MSH-9.1", "200"),
        ("ACK^A01", "MSH-9.1", "200"),
        ("ADT^Z99", "MSH-9.2", "201"),
        ("ADT", "MSH-9.2", "201"),
    ],
)
def test_what_is_not_mapped_is_refused(msh9: str, place: str, code: str) -> None:
    assert refusal(msh9) == (place, code)


@pytest.mark.parametrize("processing", ["", "P", "T", "D", "p", "P^T", "D^A", "^T"])
def test_what_is_for_production_training_and_debugging_is_mapped(processing: str) -> None:
    made = convert(parse(f"MSH|^~\\&|A|B|||20240102||ADT^A28|1|{processing}|2.5.1{PID}"), FeedConfig(), "key")
    assert "Patient" in [draft.resource["resourceType"] for draft in made.drafts]


@pytest.mark.parametrize("processing", ["X", "PROD", "2.5.1"])
def test_what_is_for_something_else_is_refused(processing: str) -> None:
    text = f"MSH|^~\\&|A|B|||20240102||ADT^A28|1|{processing}|2.5.1{PID}"
    with pytest.raises(ConversionError) as caught:
        convert(parse(text), FeedConfig())
    assert (caught.value.issue.place, caught.value.issue.code) == ("MSH-11", "202")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_mapped(version: str) -> None:
    made = convert(parse(f"MSH|^~\\&|A|B|||20240102||ADT^A28|1|P|{version}{PID}"), FeedConfig(), "key")
    assert "Patient" in [draft.resource["resourceType"] for draft in made.drafts]
    assert made.issues == []


def test_versions_that_are_none() -> None:
    assert refusal("ADT^A28", "2.3.z") == ("MSH-12", "203")
    assert refusal("ADT^A28", "3") == ("MSH-12", "203")
    assert refusal("ADT^A28", "", FeedConfig(default_version="")) == ("MSH-12", "203")
    for version, config in (("2.9", FeedConfig(unknown_version="nearest")), ("", FeedConfig())):
        made = convert(parse(f"MSH|^~\\&|A|B|||20240102||ADT^A28|1|P|{version}{PID}"), config)
        assert [issue.place for issue in made.issues] == ["MSH-12"]
        assert made.drafts


def test_what_was_odd_in_reading_is_told_too() -> None:
    made = convert(parse(f"MSH|^~\\&|A|B|||20240102||ADT^A28|1|P|2.5{PID}\rXYZ|1"), FeedConfig())
    assert [issue.place for issue in made.issues] == ["XYZ"]


def test_a_feed_maps_what_nobody_else_does() -> None:
    def mapped(original: object, conversion: Conversion) -> None:
        assert callable(original)
        original(conversion)
        conversion.add({"resourceType": "Basic"})

    config = FeedConfig(overrides={"ZZZ^ZZZ": mapped, "ADT^A28": mapped})
    made = convert(parse(f"MSH|^~\\&|A|B|||20240102||ZZZ^ZZZ|1|P|2.5{PID}"), config)
    assert [draft.resource["resourceType"] for draft in made.drafts] == ["Basic"]
    made = convert(parse(f"MSH|^~\\&|A|B|||20240102||ADT^A28|1|P|2.5{PID}"), config)
    kinds = [draft.resource["resourceType"] for draft in made.drafts]
    assert kinds[0] == "Patient"
    assert kinds[-1] == "Basic"


def test_messages_are_named_by_type_and_event() -> None:
    assert all(name == name.upper() and len(name.partition("^")[0]) == 3 for name in MESSAGES)
