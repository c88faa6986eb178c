from __future__ import annotations

from typing import Any

import pytest

from fhir_server.system.bundle_references import Rewriting
from resources.outcome import FHIRError

BY_CRITERIA = "Practitioner?identifier=x|1"


def encounter(**members: Any) -> dict[str, Any]:
    found = {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}}
    return found | members


def test_what_holds_no_link_is_shared() -> None:
    sent = encounter(subject={"reference": "urn:uuid:1"}, type=[{"text": "visit"}])
    changed = Rewriting({"urn:uuid:1": "Patient/1"}).resource(sent)
    assert changed["subject"] == {"reference": "Patient/1"}
    assert changed["type"] is sent["type"]
    assert sent["subject"] == {"reference": "urn:uuid:1"}


def test_what_holds_none_at_all_is_the_same() -> None:
    sent = encounter(subject={"reference": "Patient/1"})
    assert Rewriting({}).resource(sent) is sent


def test_conditional_references_are_told_and_put_in_where_they_stand() -> None:
    individual = {"reference": BY_CRITERIA, "display": "Dr. No"}
    sent = encounter(
        participant=[{"individual": individual}, {"individual": individual}],
        serviceProvider={"reference": "Organization?identifier=x|2"},
    )
    rewriting = Rewriting({})
    changed = rewriting.resource(sent)
    assert set(rewriting.conditional) == {BY_CRITERIA, "Organization?identifier=x|2"}
    assert changed == sent
    rewriting.settle(
        {BY_CRITERIA: "Practitioner/1", "Organization?identifier=x|2": "Organization/2"}, changed
    )
    put_in = {"reference": "Practitioner/1", "display": "Dr. No"}
    assert changed["participant"] == [{"individual": put_in}] * 2
    assert changed["serviceProvider"] == {"reference": "Organization/2"}
    assert individual["reference"] == BY_CRITERIA, "what was sent may be tried again"


def test_other_question_marks_are_no_criteria() -> None:
    rewriting = Rewriting({"Patient?a=b": "Patient/7"})
    subjects = ["urn:uuid:1?x", "Nobody?identifier=1", "Patient?a=b"]
    changed = [rewriting.resource(encounter(subject={"reference": each})) for each in subjects]
    assert rewriting.conditional == {}
    assert [each["subject"]["reference"] for each in changed] == [*subjects[:2], "Patient/7"]


@pytest.mark.parametrize("text", ["urn:uuid:1", "Practitioner?identifier=1"])
def test_a_type_that_may_not_stand_there_is_refused(text: str) -> None:
    sent = encounter(subject={"reference": text})
    rewriting = Rewriting({"urn:uuid:1": "Practitioner/1"})
    with pytest.raises(FHIRError, match=r"Encounter\.subject"):
        rewriting.settle({text: "Practitioner/1"}, rewriting.resource(sent))
