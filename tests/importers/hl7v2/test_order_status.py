"""`importers.hl7v2.order_status`: what ORC-1, ORC-5 and OBR-25 mean for an order."""

from __future__ import annotations

import pytest

from importers.hl7v2 import order_status
from tests.importers.hl7v2.making import conversion, faults


@pytest.mark.parametrize(
    ("control", "order", "result", "expected"),
    [
        ("NW", "", "", "active"),
        ("CA", "", "", "revoked"),
        ("CA", "IP", "", "revoked"),
        ("DC", "", "", "revoked"),
        ("HD", "", "", "on-hold"),
        ("RL", "", "", "active"),
        ("XO", "", "", "active"),
        ("SC", "CM", "", "completed"),
        ("SC", "HD", "", "on-hold"),
        ("RE", "", "F", "completed"),
        ("RE", "", "P", "active"),
        ("RE", "F", "", "completed"),
        ("RE", "ER", "", "entered-in-error"),
        ("nw", "", "", "active"),
        ("", "", "", "active"),
        ("ZZ", "ZZ", "ZZ", "active"),
    ],
)
def test_status(control: str, order: str, result: str, expected: str) -> None:
    made = conversion(f"ORC|{control}|P1|||{order}", f"OBR|1|P1||A{'|' * 21}{result}")
    orc, obr = made.message.segments[1:]
    assert order_status.status(orc, obr) == expected


def test_every_status_is_one_of_fhir() -> None:
    for status in {*order_status.ENDING.values(), "active", "completed"}:
        request = {
            "resourceType": "ServiceRequest",
            "status": status,
            "intent": "order",
            "subject": {"display": "a"},
        }
        assert faults(request) == []


def test_without_any_segment_an_order_is_active() -> None:
    assert order_status.status(None, None) == "active"
    assert not order_status.refers_to_earlier(None)
