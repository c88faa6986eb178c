"""`importers.hl7v2.dft`: charges and the accounts they are charged to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from importers.hl7v2.config import FeedConfig
from importers.hl7v2.convert import convert
from importers.hl7v2.er7 import parse
from tests.importers.hl7v2.making import made, only

PID = "PID|1||1^^^A^MR||B^C" + "|" * 13 + "ACC1"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("CG", "billable"),
        ("CR", "aborted"),
        ("PY", "not-billable"),
        ("AJ", "billable"),
        ("", "unknown"),
        ("ZZ", "unknown"),
    ],
)
def test_status(code: str, status: str) -> None:
    assert only("ChargeItem", "DFT^P03", PID, f"FT1|1|T1||20240301||{code}|X1^Visit^L")["status"] == status


@pytest.mark.parametrize(
    ("amounts", "price"),
    [
        ("2|100.50&EUR|50.25&EUR", {"value": Decimal("100.50"), "currency": "EUR"}),
        ("2||50.25", {"value": Decimal("50.25")}),
        ("2|free", None),
    ],
)
def test_price(amounts: str, price: object) -> None:
    found = only("ChargeItem", "DFT^P03", PID, f"FT1|1|T1||20240301||CG|X1^Visit^L|||{amounts}")
    assert found.get("priceOverride") == price
    assert found["quantity"] == {"value": 2}


def test_a_procedure_is_charged_for_once() -> None:
    ft1 = f"FT1|1|T1||20240301||CG|X1^Visit^L{'|' * 18}P9^Biopsy^L"
    assert only("Procedure", "DFT^P03", PID, ft1)["code"]["coding"][0]["code"] == "P9"
    assert (
        only("Procedure", "DFT^P03", PID, "PR1|1||P9^Biopsy^L||20240301", ft1)["code"]["coding"][0]["code"]
        == "P9"
    )


def test_it_is_charged_to_the_account_of_the_patient() -> None:
    resources, _ = made("DFT^P03", PID, "FT1|1|T1||20240301||CG|X1")
    assert [each["resourceType"] for each in resources] == ["Patient", "Account", "ChargeItem"]
    assert len(resources[-1]["account"]) == 1


@pytest.mark.parametrize(
    ("event", "status"),
    [("P01", "active"), ("P05", "active"), ("P06", "inactive"), ("P02", "entered-in-error")],
)
def test_accounts_are_opened_and_ended(event: str, status: str) -> None:
    assert only("Account", f"BAR^{event}", PID)["status"] == status


def test_a_charge_without_number_is_known_by_what_its_message_says() -> None:
    def number(control_id: str, when: str = "20240301", code: str = "X1") -> str:
        text = f"MSH|^~\\&|A|B|||{when}||DFT^P03|{control_id}|P|2.5.1\r{PID}\rFT1|1|||20240301||CG|{code}"
        drafts = convert(parse(text), FeedConfig(), control_id).drafts
        [found] = [draft for draft in drafts if draft.resource["resourceType"] == "ChargeItem"]
        return str(found.resource["identifier"][0]["value"])

    assert number("1") == number("2")
    assert len({number("1"), number("1", when="20240302"), number("1", code="X2")}) == 3


def test_without_a_number_of_the_account_it_is_told() -> None:
    assert made("BAR^P01", "PID|1||1^^^A^MR||B^C")[1] == ["PID-18"]
