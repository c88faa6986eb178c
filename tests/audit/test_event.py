from __future__ import annotations

import copy
from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.audit.codes import KINDS, Outcome
from fhir_server.audit.event import (
    MAX_QUERY,
    MAX_TEXT,
    Access,
    Source,
    audit_event,
    description,
    search_values,
)
from fhir_server.context import Agent
from fhir_server.search.index import search_document
from resources.outcome import Issue, not_found
from resources.validation import validate

Json = dict[str, Any]

BASE = "http://127.0.0.1:8080/fhir"
SOURCE = Source("node-1", BASE, "Ward 3")
AGENT = Agent(address="10.1.2.3", user_agent="curl/8.1")
RECORDED = datetime(2026, 11, 20, 14, 0, 0, 123456, tzinfo=ZoneInfo("Europe/Berlin"))
OUTCOMES: tuple[Outcome, ...] = ("0", "4", "8", "12")


def access(interaction: str | None = "read", outcome: Outcome = "0", **given_: Any) -> Access:
    settings: Json = {
        "recorded": RECORDED,
        "source": SOURCE,
        "agent": AGENT,
        "request_id": "4a8dca3c",
    } | given_
    return Access(interaction=interaction, outcome=outcome, **settings)


def event(*args: Any, **given_: Any) -> Json:
    return audit_event(access(*args, **given_))


def whats(found: Json) -> list[Json]:
    return [entity["what"] for entity in found["entity"] if "what" in entity]


def test_a_read_says_who_what_when_and_where() -> None:
    found = event(entities=["Observation/o1/_history/3"], patients=["Patient/p1"])
    assert found == {
        "resourceType": "AuditEvent",
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": "read"}],
        "action": "R",
        "recorded": "2026-11-20T13:00:00.123456Z",
        "outcome": "0",
        "agent": [
            {
                "type": {
                    "coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110152"}]
                },
                "who": {"display": "anonymous"},
                "name": "curl/8.1",
                "requestor": True,
                "network": {"address": "10.1.2.3", "type": "2"},
            },
            {
                "type": {
                    "coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110153"}]
                },
                "who": {"type": "Device", "display": "node-1"},
                "requestor": False,
                "network": {"address": BASE, "type": "5"},
            },
        ],
        "source": {
            "site": "Ward 3",
            "observer": {"type": "Device", "display": "node-1"},
            "type": [{"system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4"}],
        },
        "entity": [
            {
                "what": {"reference": "Observation/o1/_history/3"},
                "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "2"},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "4"},
            },
            {
                "what": {"reference": "Patient/p1"},
                "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1"},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"},
            },
            {
                "what": {"identifier": {"value": "4a8dca3c"}},
                "type": {
                    "system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType",
                    "code": "XrequestId",
                },
            },
        ],
    }


def test_a_search_keeps_the_request_as_it_was_sent() -> None:
    found = event("search-type", query="GET /Patient?name=M%C3%BCller", patients=["Patient/1", "Patient/2"])
    query, *patients = found["entity"][:3]
    assert query["role"]["code"] == "24"
    assert "what" not in query
    assert b64decode(query["query"], validate=True) == b"GET /Patient?name=M%C3%BCller"
    assert [each["what"]["reference"] for each in patients] == ["Patient/1", "Patient/2"]


def test_a_long_request_is_cut() -> None:
    found = event("search-type", query="GET /Patient?name=" + "x" * 50_000)
    assert len(b64decode(found["entity"][0]["query"])) == MAX_QUERY


def test_what_is_not_known_is_left_out() -> None:
    found = event(agent=Agent(), request_id="", source=Source("n", BASE))
    assert "entity" not in found
    assert "outcomeDesc" not in found
    client = found["agent"][0]
    assert client["who"] == {"display": "anonymous"}
    assert set(client) == {"type", "who", "requestor"}
    assert "site" not in found["source"]


def test_who_is_known_is_named() -> None:
    who = {"reference": "Practitioner/d1"}
    assert event(agent=Agent(who=who))["agent"][0]["who"] == who


@pytest.mark.parametrize(
    ("address", "kind"),
    [("10.1.2.3", "2"), ("2001:db8::1", "2"), ("::1", "2"), ("testclient", "1"), ("ehr.example.org", "1")],
)
def test_a_network_address_says_what_it_is(address: str, kind: str) -> None:
    assert event(agent=Agent(address=address))["agent"][0]["network"] == {"address": address, "type": kind}


def test_a_failed_access_names_what_was_asked_for() -> None:
    failed = access(
        outcome="4", resource_type="Patient", id="p9", outcome_desc="not-found: Patient/p9 is not known"
    )
    found = audit_event(failed)
    assert found["outcome"] == "4"
    assert found["outcomeDesc"] == "not-found: Patient/p9 is not known"
    assert whats(found)[0] == {"reference": "Patient/p9"}


@pytest.mark.parametrize("version", [7, "7"])
def test_what_was_asked_for_has_the_version_that_was_asked_for(version: int | str) -> None:
    found = event("vread", "4", resource_type="Patient", id="p9", version=version)
    assert whats(found)[0] == {"reference": "Patient/p9/_history/7"}


@pytest.mark.parametrize(
    ("resource_type", "id_", "version"),
    [("Patient", "a b", None), ("Patient", "", None), ("Patient", "x" * 65, None), ("Nonsense", "1", None),
     ("Patient", "1", "$$"), ("Patient", "1", "9" * 65), ("Patient", "1\n", None), (None, "1", None),
     ("Patient", None, None)],
)  # fmt: skip
def test_what_cannot_be_a_reference_is_none(
    resource_type: str | None, id_: str | None, version: str | None
) -> None:
    found = event("vread", "4", resource_type=resource_type, id=id_, version=version)
    assert whats(found) == [{"identifier": {"value": "4a8dca3c"}}]


def test_patients_are_named_once_however_they_were_written() -> None:
    written = ["Patient/1/_history/2", f"{BASE}/Patient/1", "Patient/1#a", "Patient/2", "Patient/1"]
    elsewhere = [
        "https://other.example.org/fhir/Patient/1",
        "Patient/a b",
        "Patient?identifier=1",
        "#p",
        "Group/1",
    ]
    found = event(patients=[*written, *elsewhere], request_id="")
    assert [each["reference"] for each in whats(found)] == ["Patient/1", "Patient/2"]


def test_what_was_touched_stands_instead_of_what_was_asked_for() -> None:
    found = event("update", resource_type="Patient", id="p1", entities=["Patient/p1/_history/2"])
    assert [each.get("reference") for each in whats(found)] == ["Patient/p1/_history/2", None]


def test_a_request_that_is_no_interaction_is_written_down_too() -> None:
    found = event(None, "4", query="GET /nowhere")
    assert "subtype" not in found
    assert found["action"] == "E"


def test_an_interaction_nobody_knows_is_a_defect() -> None:
    with pytest.raises(KeyError):
        event("reed")


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000000Z"),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=14))), "2025-12-31T10:00:00.000000Z"),
    ],
)
def test_recorded_is_utc_to_the_microsecond(moment: datetime, written: str) -> None:
    assert event(recorded=moment)["recorded"] == written


def test_clients_cannot_write_into_the_trail_what_is_no_text() -> None:
    dirty = "a\x00b\ud800c\r\nd" + "x" * 2000
    found = event(agent=Agent(user_agent=dirty, address=dirty), outcome_desc=dirty, request_id=dirty)
    name = found["agent"][0]["name"]
    assert name.startswith("a b c  dx")
    assert len(name) <= MAX_TEXT
    assert found["agent"][0]["network"] == {"address": name, "type": "1"}
    bson.encode(found)


@given(text=st.text(st.characters(exclude_categories=())), interaction=st.sampled_from(list(KINDS)))
def test_no_text_breaks_an_event(text: str, interaction: str | None) -> None:
    agent = Agent(address=text, user_agent=text)
    found = event(
        interaction, "4", agent=agent, outcome_desc=text, request_id=text, query=text,
        resource_type=text, id=text, version=text,
    )  # fmt: skip
    bson.encode(found)
    for said in (found["agent"][0].get("name"), found.get("outcomeDesc")):
        assert said is None or (said == said.strip() != "" and said.isprintable())


def test_events_share_their_fixed_parts_and_are_not_changed_by_what_the_store_adds() -> None:
    one, other = event(), event()
    before = copy.deepcopy(other)
    one["id"], one["meta"] = "1", {"versionId": "1"}
    assert one["source"] is other["source"]
    assert other == before


def test_a_description_tells_what_failed_from_the_request() -> None:
    issues = not_found("Patient", "p9").issues
    assert description(issues) == "not-found: Patient/p9 is not known here"


def test_a_description_tells_no_values_of_a_body() -> None:
    issues = [
        Issue("error", "value", "'Erika Mustermann' is not a code", ("Patient.gender",)),
        Issue("error", "structure", "The key 'Mustermann' stands twice"),
        Issue("warning", "invalid", "ZIP 12345-X", ("Patient.address[0].postalCode",)),
        Issue("error", "value", "'Erika Mustermann' is not a code either", ("Patient.gender",)),
    ]
    assert description(issues) == "value at Patient.gender; structure"


def test_a_description_has_an_end() -> None:
    issues = [Issue("error", "value", "", (f"Patient.name[{n}]",)) for n in range(1000)]
    assert len(description(issues)) == MAX_TEXT


@pytest.mark.parametrize("interaction", list(KINDS))
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_event_is_valid_by_the_servers_own_validator(interaction: str | None, outcome: Outcome) -> None:
    entities = ["Observation/o1/_history/3"] if outcome == "0" else []
    found = event(
        interaction, outcome, resource_type="Observation", id="o1", query="GET /Observation/o1",
        entities=entities, patients=["Patient/p1"], outcome_desc=None if outcome == "0" else "not-found: no",
    )  # fmt: skip
    assert [
        issue for issue in validate(found) if "dom-6" not in issue.diagnostics
    ] == []  # it has no narrative
    assert not any("name" in entity and "query" in entity for entity in found["entity"])  # sev-1


WHOS = (
    None,
    {"reference": "Practitioner/d1", "display": "Dr. D"},
    {"reference": "Patient/p7"},
    {"reference": f"{BASE}/Patient/p1/_history/2", "identifier": {"system": "urn:a|b", "value": "x"}},
    {"type": "Patient", "identifier": {"value": "q"}},
    {"type": "Patient", "display": "Erika"},
    {"reference": "urn:uuid:aa5b6a29-8c4e-4e8b-9a7e-7b3c7a1b0001", "type": "Patient"},
    {"reference": "https://other.example.org/fhir/Patient/1"},
    {"identifier": {"system": "urn:x", "value": "client-7"}},
)
PATIENTS = (
    "Patient/1", "Patient/2", "Patient/1/_history/2", "Patient/1#a", "Patient/a b", "Patient/a/b", "Patient/", "#p",
    "Patient?identifier=1", f"{BASE}/Patient/1", "https://other.example.org/Patient/1", "Group/1", "urn:uuid:1",
)  # fmt: skip
REFERENCES = st.builds(
    lambda kind, id_, version: f"{kind}/{id_}" + (f"/_history/{version}" if version else ""),
    st.sampled_from(["Patient", "Observation", "Bundle"]),
    st.sampled_from(["1", "a-b.c", "9" * 64]),
    st.sampled_from([None, 1, 12]),
)


@given(
    interaction=st.sampled_from(list(KINDS)),
    outcome=st.sampled_from(OUTCOMES),
    recorded=st.datetimes(
        timezones=st.timezones(), min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)
    ),
    agent=st.builds(
        Agent,
        address=st.sampled_from([None, "10.0.0.1", "::1", "Höst", BASE]),
        user_agent=st.none() | st.text(max_size=20),
        who=st.sampled_from(WHOS),
    ),
    source=st.sampled_from([SOURCE, Source("n", BASE), Source("n", "https://a.org/r4", "a|b\\c")]),
    request_id=st.sampled_from(["", "r1", "a|b"]),
    query=st.none() | st.text(max_size=20),
    entities=st.lists(REFERENCES, max_size=4),
    patients=st.lists(st.sampled_from(PATIENTS), max_size=3),
    studies=st.lists(st.tuples(st.sampled_from(["1.2.3", "2.25.7"]), st.integers(0, 9)), max_size=2),
    asked=st.sampled_from(
        [{}, {"resource_type": "Patient", "id": "1"}, {"resource_type": "Patient", "id": "$"}]
    ),
)
def test_an_event_is_found_by_what_the_generic_index_would_find_it_by(asked: Json, **given_: Any) -> None:
    once = access(**asked, **given_)
    found = audit_event(once)
    assert search_values(once, found) == search_document(found, once.source.here)


def test_an_event_is_found_by_what_it_is_about() -> None:
    once = access(entities=["Observation/o1/_history/3"], patients=["Patient/p1"])
    assert search_values(once, audit_event(once)) == {
        "type": ["http://terminology.hl7.org/CodeSystem/audit-event-type|rest", "rest"],
        "subtype": ["http://hl7.org/fhir/restful-interaction|read", "read"],
        "action": ["http://hl7.org/fhir/audit-event-action|R", "R"],
        "outcome": ["http://hl7.org/fhir/audit-event-outcome|0", "0"],
        "date": {
            "s": datetime(2026, 11, 20, 13, 0, 0, 123000, tzinfo=UTC),
            "e": datetime(2026, 11, 20, 13, 0, 0, 124000, tzinfo=UTC),
        },
        "agent": None,
        "agent-name": "curl/8.1\x1fcurl/8.1",
        "address": ["10.1.2.3\x1f10.1.2.3", f"{BASE}\x1f{BASE}"],
        "source": None,
        "site": ["ward 3", "|ward 3"],
        "entity": ["Observation/o1", "Patient/p1"],
        "entity:versioned": "Observation/o1/_history/3",
        "entity:identifier": ["4a8dca3c", "|4a8dca3c"],
        "entity-type": [
            "http://terminology.hl7.org/CodeSystem/audit-entity-type|2", "2",
            "http://terminology.hl7.org/CodeSystem/audit-entity-type|1", "1",
            "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType|XrequestId", "XrequestId",
        ],
        "entity-role": [
            "http://terminology.hl7.org/CodeSystem/object-role|4", "4",
            "http://terminology.hl7.org/CodeSystem/object-role|1", "1",
        ],
        "patient": "Patient/p1",
    }  # fmt: skip


def test_a_transfer_names_its_studies_with_the_number_of_instances() -> None:
    event = audit_event(access(interaction="dicom-store", studies=[("1.2.3", 7)]))
    assert event["type"]["code"] == "110104"
    assert event["entity"][0] == {
        "what": {"identifier": {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}},
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "2"},
        "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "3"},
        "detail": [{"type": "instances", "valueString": "7"}],
    }
    assert [issue for issue in validate(event) if issue.severity != "warning"] == []


def test_search_values_of_one_event_leave_those_of_the_next_alone() -> None:
    once = access(patients=["Patient/p1"], entities=["Patient/p1/_history/1"])
    before = search_values(once, audit_event(once))
    found = copy.deepcopy(before)
    other = access(
        agent=Agent(address="10.9.9.9", who={"reference": "Patient/p2"}), outcome="8", request_id="r2"
    )
    search_values(other, audit_event(other))
    assert before == found == search_values(once, audit_event(once))
