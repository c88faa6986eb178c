"""`importers.hl7v2.obx`: observations, what they are known by and what stands beside their value."""

from __future__ import annotations

import pytest

from importers.hl7v2.obx import Panel, observations
from importers.hl7v2.order_group import orders
from resources.codec import Json
from tests.importers.hl7v2.making import conversion, faults


def _made(*lines: str) -> tuple[list[Json], list[str]]:
    made = conversion("OBR|1|P1", *lines)
    results = orders(made.message).groups[0].results
    panel = Panel("LAB/F1/A", {"issued": "2024-03-01T08:00:00Z"}, {"text": "panel"}, "laboratory")
    drafts = observations(made, results, panel)
    found = [draft.resource for draft in drafts]
    assert [fault for each in found for fault in faults(each)] == []
    return found, [issue.place for issue in made.issues]


def _keys(*lines: str) -> list[str]:
    return [each["identifier"][0]["value"].removeprefix("LAB/F1/A/") for each in _made(*lines)[0]]


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        (["OBX|1|NM|K^Potassium^L||5|||||F"], ["K"]),
        (["OBX|7|NM|K^Kalium^L||6|||||C"], ["K"]),
        (["OBX|1|NM|K|1|5", "OBX|2|NM|K|2|5"], ["K/1", "K/2"]),
        (["OBX|1|NM|K||5", "OBX|2|NM|K||6", "OBX|3|NM|K||7"], ["K", "K/#2", "K/#3"]),
        (["OBX|1|NM|^Potassium||5"], ["Potassium"]),
        (["OBX|1|NM|K||5" + "|" * 16 + "I9^LAB"], ["K/I9"]),
        (["OBX|1|ST|K&IMP||a", "OBX|2|ST|K&GDT||b"], ["K&IMP", "K&GDT"]),
        (["OBX|1|TX|T||a", "OBX|2|TX|T||b", "OBX|3|TX|U||c"], ["T", "U"]),
        (["OBX|1|TX|T||a", "NTE|1||n", "OBX|2|TX|T||b"], ["T", "T/#2"]),
        (["OBX|1|ST|T||a", "OBX|2|ST|T||b"], ["T", "T/#2"]),
        (["OBX|1|TX|T||a||||||F", "OBX|2|TX|T||b||||||F|||"], ["T"]),
        (["OBX|1|TX|T||a||||||F|||20240301", "OBX|2|TX|T||b||||||F|||20240302"], ["T", "T/#2"]),
    ],
)
def test_what_an_observation_is_known_by(lines: list[str], keys: list[str]) -> None:
    assert _keys(*lines) == keys


def test_lines_of_text_are_one_value() -> None:
    [found], _ = _made("OBX|1|TX|T||first||||||F", "OBX|2|TX|T||||||||F", "OBX|3|TX|T||third||||||F")
    assert found["valueString"] == "first\n\nthird"


def test_without_a_code_it_is_about_what_was_ordered() -> None:
    [found], _ = _made("OBX|1|TX|||words||||||F")
    assert found["code"] == {"text": "panel"}


@pytest.mark.parametrize(
    ("code", "status", "reason", "issues"),
    [
        ("F", "final", "unknown", 0),
        ("I", "registered", "temp-unknown", 0),
        ("N", "unknown", "not-asked", 0),
        ("X", "cancelled", "unknown", 0),
        ("f", "final", "unknown", 0),
        ("", "unknown", "unknown", 1),
        ("Q", "unknown", "unknown", 1),
    ],
)
def test_status_and_why_there_is_no_value(code: str, status: str, reason: str, issues: int) -> None:
    [found], told = _made(f"OBX|1|NM|K||||||||{code}")
    assert (found["status"], found["dataAbsentReason"]["coding"][0]["code"]) == (status, reason)
    assert len(told) == issues
    assert ("_status" in found) == (code not in ("F", "f", ""))


def test_what_was_an_error_needs_no_reason() -> None:
    [found], _ = _made("OBX|1|NM|K||||||||W")
    assert "dataAbsentReason" not in found


@pytest.mark.parametrize(
    ("code", "category"),
    [("8867-4^Pulse^LN", "vital-signs"), ("8867-4^Pulse^L", "laboratory"), ("K", "laboratory")],
)
def test_category(code: str, category: str) -> None:
    [found], _ = _made(f"OBX|1|NM|{code}||5")
    assert found["category"][0]["coding"][0]["code"] == category


def test_flags_ranges_and_what_is_in_no_table() -> None:
    [found], _ = _made("OBX|1|NM|K||5|mmol/L|3.5-5.1|H~ZZ|||F")
    codes = [
        (flag["coding"][0]["system"][-26:], flag["coding"][0]["code"]) for flag in found["interpretation"]
    ]
    assert codes == [("v3-ObservationInterpretation"[-26:], "H"), ("urn:hl7v2:code:HOSP:L"[-26:], "ZZ")]
    assert found["referenceRange"][0]["low"]["code"] == "mmol/L"


def test_who_observed_it_how_where_and_when() -> None:
    obx = "OBX|1|NM|K||5||||||F|||20240301|PROD^Producer|55^Sato^Keiko~66^Moana|M1^Method^L~M2^Other^L|DEV1^LAB|20240302|LA^Left arm^L|I1^LAB|||||"
    [found], _ = _made(obx)
    assert found["effectiveDateTime"] == "2024-03-01"
    assert [each["display"] for each in found["performer"]] == ["Keiko Sato", "Moana", "Producer"]
    assert [coding["code"] for coding in found["method"]["coding"]] == ["M1", "M2"]
    assert found["device"]["reference"].startswith("urn:uuid:")
    assert found["bodySite"]["coding"][0]["code"] == "LA"
    assert found["extension"][0]["valueDateTime"] == "2024-03-02"
    assert found["identifier"][1]["value"] == "I1"


def test_a_performing_organization_is_named_once() -> None:
    obx = "OBX|1|NM|{}||5" + "|" * 18 + "Laboratory^^^^^NGH^XX^^^L1|2 Ward Street^^Millbrook^^^^H|77^Head"
    made = conversion("OBR|1|P1", obx.format("A"), obx.format("B"))
    observations(made, orders(made.message).groups[0].results, Panel("x"))
    organizations = [d.resource for d in made.drafts if d.resource["resourceType"] == "Organization"]
    assert [each["address"][0]["city"] for each in organizations] == ["Millbrook"]
    assert faults(organizations[0]) == []
