from __future__ import annotations

import pytest

from capability.table import SYSTEM_INTERACTIONS, TYPE_INTERACTIONS
from fhir_server.audit.codes import KINDS, Kind, outcome_of
from resources import registry

ACTIONS = {
    "read": "R", "vread": "R", "capabilities": "R", "create": "C", "update": "U", "patch": "U", "delete": "D",
    "search-type": "E", "search-system": "E", "history-instance": "E", "history-type": "E", "history-system": "E",
    "transaction": "E", "batch": "E", "operation": "E",
}  # fmt: skip

DICOM_ACTIONS = {
    "dicom-store": "C",
    "dicom-import": "C",
    "dicom-retrieve": "R",
    "dicom-query": "E",
    "dicom-delete": "D",
}


def role(kind: Kind) -> tuple[str, str]:
    return kind.client["coding"][0]["code"], kind.server["coding"][0]["code"]


def test_every_interaction_of_the_server_can_be_written_down() -> None:
    assert set(KINDS) - {None} == set(ACTIONS) | set(DICOM_ACTIONS)
    assert set(KINDS) >= TYPE_INTERACTIONS | SYSTEM_INTERACTIONS


@pytest.mark.parametrize(("interaction", "action"), ACTIONS.items())
def test_an_interaction_has_its_action_and_its_own_code(interaction: str, action: str) -> None:
    kind = KINDS[interaction]
    assert kind.action == action
    assert kind.action in (registry.codes("http://hl7.org/fhir/ValueSet/audit-event-action") or ())
    assert kind.subtype == [{"system": "http://hl7.org/fhir/restful-interaction", "code": interaction}]


@pytest.mark.parametrize(("interaction", "action"), DICOM_ACTIONS.items())
def test_what_dicom_does_has_the_codes_of_its_audit_messages(interaction: str, action: str) -> None:
    kind = KINDS[interaction]
    assert kind.action == action
    assert kind.subtype == []
    assert kind.type["system"] == "http://dicom.nema.org/resources/ontology/DCM"
    assert kind.type["code"] in {"110104", "110105", "110107", "110112"}


def test_roles_say_which_way_the_data_flows() -> None:
    destination, source, application = "110152", "110153", "110150"
    assert role(KINDS["read"]) == (destination, source)
    assert role(KINDS["create"]) == (source, destination)
    assert role(KINDS["patch"]) == (source, destination)
    assert role(KINDS["search-type"]) == (source, destination)
    assert role(KINDS["delete"]) == (application, "custodian")


def test_a_request_that_is_no_interaction_has_no_subtype() -> None:
    assert KINDS[None].subtype == []
    assert KINDS[None].action == "E"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "0"), (201, "0"), (204, "0"), (304, "0"), (399, "0"), (400, "4"), (404, "4"), (412, "4"), (499, "4"),
     (500, "8"), (503, "8")],
)  # fmt: skip
def test_the_outcome_says_whose_fault_it_was(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
    assert outcome in (registry.codes("http://hl7.org/fhir/ValueSet/audit-event-outcome") or ())
