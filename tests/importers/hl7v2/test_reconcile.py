"""Drafts and what is stored become the smallest transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from importers.hl7v2 import er7
from importers.hl7v2.config import FeedConfig
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.reconcile import Reconciled, UnclearError, reconcile, reconciled, rewritten
from importers.hl7v2.update import moment

Json = dict[str, Any]
Stored = Mapping[tuple[str, str], list[Json]]

SYSTEM = "urn:example:n"
ONE = f"identifier={SYSTEM}|1"


@pytest.fixture
def conversion() -> Conversion:
    message = er7.parse(
        "MSH|^~\\&|A|B|C|D|20240301080000+0000||ADT^A01|1|P|2.5.1\rEVN||20240301075900+0000\r"
    )
    return Conversion(message, FeedConfig(), "row")


def answered(
    conversion: Conversion, stored: Stored, attempt: int = 0
) -> tuple[Reconciled, list[list[tuple[str, str]]]]:
    """The result, and what was asked in each round."""
    steps = reconcile(conversion, attempt)
    asked: list[list[tuple[str, str]]] = []
    answers: list[list[Json]] | None = None
    while True:
        try:
            queries = next(steps) if answers is None else steps.send(answers)
        except StopIteration as end:
            return end.value, asked
        asked.append(queries)
        answers = [stored.get(query, []) for query in queries]


def numbered(kind: str, value: str = "1", **more: Any) -> Json:
    return {"resourceType": kind, "identifier": [{"system": SYSTEM, "value": value}], **more}


def current(resource: Json, name: str, version: int = 1) -> Json:
    return {
        **resource,
        "id": name,
        "meta": {"versionId": str(version), "lastUpdated": "2026-01-01T00:00:00Z"},
    }


def requests(result: Reconciled) -> list[Json]:
    return [entry["request"] for entry in result.bundle.get("entry", [])]


def test_a_new_patient_is_created_unless_any_number_is_known(conversion: Conversion) -> None:
    conversion.add(numbered("Patient"), match=(ONE, f"identifier={SYSTEM}|2"))
    result, asked = answered(conversion, {})
    criteria = f"{SYSTEM}|1,{SYSTEM}|2"
    assert asked == [[("Patient", f"identifier={criteria}")]]
    assert requests(result) == [
        {"method": "PUT", "url": f"Patient?identifier={criteria}", "ifNoneMatch": "*"}
    ]
    assert result.written == [conversion.drafts[0].url]


def test_what_else_is_new_has_an_id_made_of_its_key(conversion: Conversion) -> None:
    conversion.add(numbered("Organization"), match=(ONE,), role="reference")
    [request] = requests(answered(conversion, {})[0])
    assert request["ifNoneMatch"] == "*"
    again = Conversion(conversion.message, conversion.config, "another row")
    again.add(numbered("Organization"), match=(ONE,), role="reference")
    assert requests(answered(again, {})[0]) == [request]


def test_what_has_no_key_is_put_under_its_own_url(conversion: Conversion) -> None:
    draft = conversion.add({"resourceType": "Patient"})
    [request] = requests(answered(conversion, {})[0])
    assert request == {"method": "PUT", "url": f"Patient/{draft.url.removeprefix('urn:uuid:')}"}


def test_what_is_equal_is_not_written(conversion: Conversion) -> None:
    conversion.add(numbered("Patient"), match=(ONE,))
    result, _ = answered(conversion, {("Patient", ONE): [current(numbered("Patient"), "p")]})
    assert result.bundle == {"resourceType": "Bundle", "type": "transaction"}
    assert result.references == {conversion.drafts[0].url: "Patient/p"}


def test_what_changes_is_put_over_the_version_that_was_seen(conversion: Conversion) -> None:
    conversion.add(numbered("Patient", gender="male"), match=(ONE,))
    result, _ = answered(conversion, {("Patient", ONE): [current(numbered("Patient"), "p", 4)]})
    assert requests(result) == [{"method": "PUT", "url": "Patient/p", "ifMatch": 'W/"4"'}]
    [entry] = result.bundle["entry"]
    assert entry["resource"]["gender"] == "male"
    assert moment(entry["resource"]) == "2024-03-01T07:59:00+00:00"
    assert "versionId" not in entry["resource"]["meta"]
    assert result.written == ["Patient/p"]


def test_references_are_those_of_what_is_stored(conversion: Conversion) -> None:
    patient = conversion.add(numbered("Patient"), match=(ONE,))
    conversion.add(
        {"resourceType": "Account", "status": "active", "subject": [conversion.reference(patient)]}
    )
    result, _ = answered(conversion, {("Patient", ONE): [current(numbered("Patient"), "p")]})
    assert result.bundle["entry"][0]["resource"]["subject"] == [{"reference": "Patient/p"}]


def test_who_is_only_pointed_at_is_completed_and_not_changed(conversion: Conversion) -> None:
    conversion.add(
        numbered("Practitioner", gender="male", birthDate="1980-01-01"), match=(ONE,), role="reference"
    )
    stored = current(numbered("Practitioner", gender="female"), "p")
    result, _ = answered(conversion, {("Practitioner", ONE): [stored]})
    [entry] = result.bundle["entry"]
    assert entry["resource"]["gender"] == "female"
    assert entry["resource"]["birthDate"] == "1980-01-01"


def test_what_is_found_by_its_patient_is_asked_for_when_he_is_known(conversion: Conversion) -> None:
    patient = conversion.add(numbered("Patient"), match=(ONE,))
    for given in ("Ann", "Ben", "Ann"):
        kin = {
            "resourceType": "RelatedPerson",
            "patient": conversion.reference(patient),
            "name": [{"given": [given]}],
        }
        conversion.add(kin, match=(f"patient={patient.url}",), same=_named(given))
    known = {
        "resourceType": "RelatedPerson",
        "patient": {"reference": "Patient/p"},
        "name": [{"given": ["Ann"]}],
    }
    stored = {
        ("Patient", ONE): [current(numbered("Patient"), "p")],
        ("RelatedPerson", "patient=Patient/p"): [current(known, "a")],
    }
    result, asked = answered(conversion, stored)
    assert asked[1] == [("RelatedPerson", "patient=Patient/p")]
    assert [entry["resource"]["name"][0]["given"] for entry in result.bundle["entry"]] == [["Ben"], ["Ann"]]
    assert len({request["url"] for request in requests(result)}) == 2


def test_another_of_the_same_patient_is_another_one(conversion: Conversion) -> None:
    """The search by the patient finds all his kin, so it must not become the id of one."""
    ids = set()
    for given in ("Ann", "Ben"):
        message = Conversion(conversion.message, conversion.config, given)
        patient = message.add(numbered("Patient"), match=(ONE,))
        kin = {
            "resourceType": "RelatedPerson",
            "patient": message.reference(patient),
            "name": [{"given": [given]}],
        }
        message.add(kin, match=(f"patient={patient.url}",), same=_named(given))
        result, _ = answered(message, {("Patient", ONE): [current(numbered("Patient"), "p")]})
        ids |= {request["url"] for request in requests(result)}
    assert len(ids) == 2


def _named(given: str) -> Any:
    return lambda stored: stored["name"][0]["given"] == [given]


def test_what_is_found_by_a_new_patient_is_not_asked_for(conversion: Conversion) -> None:
    patient = conversion.add(numbered("Patient"), match=(ONE,))
    kin = {"resourceType": "RelatedPerson", "patient": conversion.reference(patient)}
    conversion.add(kin, match=(f"patient={patient.url}",))
    result, asked = answered(conversion, {})
    assert len(asked) == 1
    assert result.bundle["entry"][1]["resource"]["patient"] == {"reference": patient.url}


def test_the_number_of_another_patients_thing_is_another_thing(conversion: Conversion) -> None:
    patient = conversion.add(numbered("Patient"), match=(ONE,))
    visit = numbered("Encounter", "7", status="planned", subject=conversion.reference(patient))
    conversion.add(visit, match=(f"identifier={SYSTEM}|7",))
    other = current(numbered("Encounter", "7", status="finished", subject={"reference": "Patient/q"}), "e")
    stored = {
        ("Patient", ONE): [current(numbered("Patient"), "p")],
        ("Encounter", f"identifier={SYSTEM}|7"): [other],
    }
    result, _ = answered(conversion, stored)
    [request] = requests(result)
    assert request["url"] != "Encounter/e"
    assert [issue.severity for issue in result.issues] == ["warning"]


def test_who_was_merged_stands_for_the_survivor(conversion: Conversion) -> None:
    conversion.add(numbered("Patient", gender="male"), match=(ONE,))
    link = [{"other": {"reference": "Patient/q"}, "type": "replaced-by"}]
    stored = {
        ("Patient", ONE): [current(numbered("Patient", active=False, link=link), "p")],
        ("Patient", "_id=q"): [current(numbered("Patient", "9"), "q")],
    }
    assert requests(answered(conversion, stored)[0])[0]["url"] == "Patient/q"


def test_an_authority_may_be_a_uuid(conversion: Conversion) -> None:
    system = "urn:uuid:426d2726-51fc-89fe-a946-8596e80a80eb"
    resource = {"resourceType": "Patient", "identifier": [{"system": system, "value": "1"}]}
    conversion.add(resource, match=(f"identifier={system}|1",))
    stored = {("Patient", f"identifier={system}|1"): [current(resource, "p")]}
    result, _ = answered(conversion, stored)
    assert result.references == {conversion.drafts[0].url: "Patient/p"}


def test_links_in_a_circle_end(conversion: Conversion) -> None:
    conversion.add(numbered("Patient", gender="male"), match=(ONE,))
    links = {"p": "q", "q": "p"}
    patients = {
        name: current(
            numbered("Patient", link=[{"other": {"reference": f"Patient/{other}"}, "type": "replaced-by"}]),
            name,
        )
        for name, other in links.items()
    }
    stored = {("Patient", ONE): [patients["p"]], ("Patient", "_id=q"): [patients["q"]]}
    assert len(requests(answered(conversion, stored)[0])) == 1


def test_two_patients_are_nobodys_guess(conversion: Conversion) -> None:
    conversion.add(numbered("Patient"), match=(ONE, f"identifier={SYSTEM}|2"))
    found = [current(numbered("Patient", each), each) for each in ("1", "2")]
    stored = {("Patient", f"identifier={SYSTEM}|1,{SYSTEM}|2"): found}
    with pytest.raises(UnclearError, match="2 different patients") as caught:
        answered(conversion, stored)
    assert caught.value.issue.severity == "error"


def test_after_a_conflict_what_was_created_for_the_key_is_found(conversion: Conversion) -> None:
    conversion.add(numbered("Organization", name="New"), match=(ONE,))
    new_id = requests(answered(conversion, {})[0])[0]["url"].partition("/")[2]
    renumbered = current(numbered("Organization", "other", name="Old"), new_id)
    stored = {("Organization", f"_id={new_id}"): [renumbered]}
    assert requests(answered(conversion, stored)[0])[0]["ifNoneMatch"] == "*"
    [request] = requests(answered(conversion, stored, attempt=1)[0])
    assert request == {"method": "PUT", "url": f"Organization/{new_id}", "ifMatch": 'W/"1"'}


def test_an_older_message_is_told(conversion: Conversion) -> None:
    conversion.add(numbered("Patient", gender="male"), match=(ONE,))
    stored = current(numbered("Patient", gender="female"), "p")
    stored["meta"]["extension"] = [{"url": "urn:fhir-server:hl7v2:moment", "valueDateTime": "2024-03-02"}]
    result, _ = answered(conversion, {("Patient", ONE): [stored]})
    assert requests(result) == []
    assert [issue.severity for issue in result.issues] == ["information"]


@pytest.mark.parametrize(
    ("missing", "written"),
    [({"description": "Check-up"}, True), ({"cancelationReason": {"text": "ill"}}, False)],
)
def test_an_older_message_makes_nothing_invalid(conversion: Conversion, missing: Json, written: bool) -> None:
    """app-4: only what was called off has a reason, and that it was is newer."""
    conversion.add(numbered("Appointment", status="cancelled", **missing), match=(ONE,))
    booked = current(
        numbered(
            "Appointment",
            status="booked",
            start="2024-04-01T08:00:00Z",
            end="2024-04-01T09:00:00Z",
            participant=[{"actor": {"display": "Ng"}, "status": "accepted"}],
        ),
        "a",
    )
    booked["meta"]["extension"] = [{"url": "urn:fhir-server:hl7v2:moment", "valueDateTime": "2024-03-02"}]
    result, _ = answered(conversion, {("Appointment", ONE): [booked]})
    assert bool(requests(result)) is written
    assert [issue.severity for issue in result.issues] == ["information"]


async def test_to_itself_a_message_is_never_late(conversion: Conversion) -> None:
    conversion.add(numbered("Patient", gender="male"), match=(ONE,))
    stored = current(numbered("Patient", gender="female"), "p")
    stored["meta"]["extension"] = [{"url": "urn:fhir-server:hl7v2:moment", "valueDateTime": "2024-03-02"}]

    async def find(queries: Any) -> list[list[Json]]:
        return [[stored] for _ in queries]

    other = await reconciled(conversion, find, 0, ("Patient/p/_history/0",))
    assert requests(other) == []
    own = await reconciled(conversion, find, 0, ("Patient/p/_history/1",))
    assert own.bundle["entry"][0]["resource"]["gender"] == "male"
    assert own.issues == []


async def test_a_find_answers_in_place_of_a_hand(conversion: Conversion) -> None:
    conversion.add(numbered("Patient"), match=(ONE,))

    async def find(queries: Any) -> list[list[Json]]:
        return [[current(numbered("Patient"), "p")] for _ in queries]

    result = await reconciled(conversion, find)
    assert result.references == {conversion.drafts[0].url: "Patient/p"}


def test_references_are_rewritten_wherever_they_stand() -> None:
    resource = {
        "a": [{"reference": "urn:1"}, {"b": {"reference": "urn:2", "display": "urn:1"}}],
        "reference": 1,
    }
    targets = {"urn:1": "Patient/1"}
    expected = {
        "a": [{"reference": "Patient/1"}, {"b": {"reference": "urn:2", "display": "urn:1"}}],
        "reference": 1,
    }
    assert rewritten(resource, targets) == expected
