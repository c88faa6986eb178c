from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from importers.hl7v2.config import FeedConfig, Feeds
from importers.hl7v2.convert import convert
from importers.hl7v2.feeds import _READERS, FeedsError, load
from importers.hl7v2.read import read
from tests.docs.markdown import blocks, section

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "hl7v2" / "feeds.toml"


@pytest.fixture
def example() -> Feeds:
    return load(EXAMPLE)


def written(folder: Path, text: str) -> Path:
    path = folder / "feeds.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_documented_example_is_read(example: Feeds) -> None:
    laboratory = example.of("LABKA2", "KBA")
    assert laboratory.name == "laboratory"
    assert laboratory.charset == "iso8859-1"
    assert laboratory.zone == ZoneInfo("Europe/Copenhagen")
    assert laboratory.ack_mode == "original"
    assert laboratory.identifier_systems == {
        "CPR": "urn:oid:1.2.208.176.1.2",
        "BCC": "https://hospital.example.org/orders",
        "BCC^VN": "https://hospital.example.org/visits",
    }
    assert laboratory.code_maps["99KBA"]["HB"]["code"] == "718-7"
    assert set(laboratory.overrides) == {"XPN", "PID", "ORU^R01"}
    monitors = example.of("MON7", "ICU")
    assert monitors.name == "monitors"
    assert monitors.strict
    assert monitors.is_strong("MR")
    assert not monitors.is_strong("PI")
    assert monitors.zone == ZoneInfo("UTC")
    assert monitors.base_uri == "https://hospital.example.org/v2"
    assert not monitors.overrides


def test_the_first_feed_that_fits_is_the_senders(example: Feeds) -> None:
    assert example.of("LABKA", "OTHER") is example.default
    assert example.of("MON77", "KBA") is example.default
    assert example.of("", "") is example.default
    assert Feeds().of("ANY", "WHERE") == FeedConfig()
    assert Feeds(configured=(FeedConfig("a"), FeedConfig("b"))).of("X", "Y").name == "a"


def test_the_example_maps_as_it_says(example: Feeds) -> None:
    raw = (
        "MSH|^~\\&|LABKA1|KBA|BCC|OUH|202407011200||ORU^R01|1|P{mode}|2.4\r"
        "PID|||1602909889^^^CPR^NNDN||Vinther^Jens Steen^^||19900216|D\rZPI|1|da\r"
        "OBR|1|O1^BCC||HB^Hb^99KBA|||20240701|||||||||||||||20240701|||F\r"
        "OBX|1|NM|HB^Hæmoglobin^99KBA||8.1|mmol/L|||||F"
    )
    conversion = convert(*read(raw.replace("{mode}", "").encode("latin-1"), example), "key")
    resources = [draft.resource for draft in conversion.drafts]
    patient = next(each for each in resources if each["resourceType"] == "Patient")
    assert patient["name"][0]["given"] == ["Jens", "Steen"]
    assert patient["communication"][0]["language"] == {"text": "da"}
    assert patient["identifier"][0]["system"] == "urn:oid:1.2.208.176.1.2"
    observation = next(each for each in resources if each["resourceType"] == "Observation")
    assert [coding["code"] for coding in observation["code"]["coding"]] == ["718-7", "HB"]
    assert observation["code"]["coding"][1]["display"] == "Hæmoglobin"
    assert conversion.moment == "2024-07-01T12:00:00+02:00"
    assert convert(*read(raw.replace("{mode}", "^Q").encode("latin-1"), example), "key").drafts == []


def test_a_file_without_anything_is_the_default(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")) == Feeds()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zone = 'UTC'", "zone: is not known here"),
        ("[default\n", "is not TOML"),
        ("[default]\nzone = 'Mars/Base'", "default.zone: 'Mars/Base' is no zone"),
        ("[default]\nzone = 1", "default.zone: expected text"),
        ("[default]\nzones = 'UTC'", "default.zones: is not known; expected one of"),
        ("[default]\ncharset = '8859/99'", "default.charset: '8859/99' is no character set"),
        ("[default]\nbase_uri = 'my house'", "default.base_uri: 'my house' is no URI"),
        ("[default]\nstrict = 'yes'", "default.strict: expected true or false"),
        ("[default]\nack_mode = 'never'", "default.ack_mode: expected one of 'sender'"),
        ("[default]\ndefault_version = '3'", "default.default_version: expected one of"),
        ("[default]\nstrong_types = 'MR'", "default.strong_types: expected a list"),
        ("[default]\nidentifier_systems = 1", "default.identifier_systems: expected a table"),
        ("[default.identifier_systems]\nHOSP = 'x'", "default.identifier_systems.\"HOSP\": 'x' is no URI"),
        ("[default.code_maps.0001]\nX = 'y'", 'default.code_maps."0001"."X": expected a table'),
        ("[default.code_maps.0001]\nX = {code = 'y'}", "expected { system ="),
        (
            "[default.code_maps.0001]\nX = {system = 'urn:x', code = 'y', text = 'z'}",
            '"X".text: is not known',
        ),
        ("[default.code_maps.0001]\nX = {system = 'urn:x', code = 1}", '"X".code: expected text'),
        ("[feed]\nname = 'a'", "expected [[feed]] with two brackets"),
        ("[[feed]]\nname = 'a'", "a: expected application or facility"),
        ("[[feed]]\napplication = 'A'\nzone = 'x'", "feed[1].zone: 'x' is no zone"),
        (
            "[[feed]]\nname='a'\nfacility='A'\n[[feed]]\nname='a'\nfacility='B'",
            "name a: two feeds have the same name",
        ),
        ("[default]\noverrides = 'missing.py'", "default.overrides: expected a Python file"),
        ("[default]\noverrides = 'broken.py'", "broken.py failed: ZeroDivisionError"),
        ("[default]\noverrides = 'empty.py'", "expected MAPPINGS = {"),
        ("[default]\noverrides = 'wrong.py'", "expected MAPPINGS = {"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "wrong.py").write_text("MAPPINGS = {'PID': 1}")
    path = written(tmp_path, text)
    with pytest.raises(FeedsError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FeedsError, match="cannot be read"):
        load(tmp_path / "feeds.toml")
    (tmp_path / "latin.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(FeedsError, match="is not TOML"):
        load(tmp_path / "latin.toml")


def test_a_uri_is_derived_from_the_base() -> None:
    assert FeedConfig().derived_uri("code", "HOSP", "99 LAB") == "urn:hl7v2:code:HOSP:99%20LAB"
    assert (
        FeedConfig(base_uri="https://x.example/v2/").derived_uri("id", "", "A/B:C")
        == "https://x.example/v2/id/-/A%2FB%3AC"
    )


def test_the_document_tells_every_setting_and_shows_the_example() -> None:
    document = (ROOT / "docs" / "hl7v2.md").read_text(encoding="utf-8")
    table = section("docs/hl7v2.md", "feeds")
    assert {
        name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])
    } == set(_READERS)
    shown = [content for _, content in blocks(document)]
    assert EXAMPLE.read_text(encoding="utf-8") in shown
    assert (EXAMPLE.parent / "laboratory.py").read_text(encoding="utf-8") in shown
