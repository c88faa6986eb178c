from __future__ import annotations

from typing import Any

import pytest

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert
from importers.hl7v2.er7 import parse
from resources import validation

USES = ["", "H", "HP", "HV", "PRN", "ORN", "VHN", "WPN", "BP", "TMP", "B", "BA", "home", "?"]


def drafts(in1: str) -> list[dict[str, Any]]:
    made = convert(
        parse(
            "MSH|^~\\&|PAS|NORTH|||20260101||ADT^A01|1|P|2.5.1\r"
            f"PID|1||4711^^^NORTH^MR||Okafor^Ngozi\rPV1|1|I\r{in1}"
        ),
        FeedConfig(),
        "key",
    )
    return [draft.resource for draft in made.drafts]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("number", ["", "C7^^^NORTH"])
def test_a_company_has_no_home_whatever_its_address_and_number_say(use: str, number: str) -> None:
    in1 = f"IN1|1|GOLD|{number}|North Insurance|1 Main St^^Town^^^^{use}||555-1234^{use}^PH~555^{use}^CP"
    made = drafts(in1)
    for resource in made:
        validation.check({**resource, "id": "a"})
    [coverage] = [each for each in made if each["resourceType"] == "Coverage"]
    companies = [each for each in made if each["resourceType"] == "Organization"]
    [company] = companies or coverage["contained"]
    assert company["address"][0]["line"] == ["1 Main St"]
    assert [each["value"] for each in company["telecom"]] == ["555-1234", "555"]
    assert "home" not in [each.get("use") for each in (*company["address"], *company["telecom"])]
