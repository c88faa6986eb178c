"""Patients and visits over several messages, through the feed of a server on a real MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.importers.hl7v2 import corpus
from tests.importers.hl7v2.feeding import Server, code, serving
from tests.importers.hl7v2.hospital import Hospital, pv1, standard_mapping


@pytest_asyncio.fixture
async def server(mongod_uri: str, database_name: str) -> AsyncIterator[Server]:
    async with serving(mongod_uri, database_name, standard_mapping) as server:
        yield server


@pytest_asyncio.fixture
async def hospital(server: Server) -> Hospital:
    return Hospital(server)


async def test_a_visit_from_admission_to_discharge(hospital: Hospital) -> None:
    assert await hospital.send("A01", pv1()) == "AA"
    assert await hospital.send("A02", pv1("W2^1^1")) == "AA"
    assert await hospital.send("A03", pv1("W2^1^1", end="20240303100000")) == "AA"
    visit = await hospital.only("Encounter")
    assert visit["status"] == "finished"
    assert visit["period"] == {"start": "2024-03-01T08:00:00+00:00", "end": "2024-03-03T10:00:00+00:00"}
    assert [(each["status"], each["location"]["display"]) for each in visit["location"]] == [
        ("completed", "W1 2 3"),
        ("completed", "W2 1 1"),
    ]
    assert [past["status"] for past in visit["statusHistory"]] == ["in-progress"]
    assert visit["meta"]["versionId"] == "3"


async def test_the_same_facts_again_write_nothing(hospital: Hospital) -> None:
    await hospital.send(
        "A01", pv1(), "NK1|1|Okafor^Obi|SPO", "AL1|1|DA|PCN^Penicillin^L", "DG1|1||I10^Hypertension^I10"
    )
    before = await _versions(hospital)
    assert (
        await hospital.send(
            "A08", pv1(), "NK1|1|Okafor^Obi|SPO", "AL1|1|DA|PCN^Penicillin^L", "DG1|1||I10^Hypertension^I10"
        )
        == "AA"
    )
    assert await _versions(hospital) == before


async def _versions(hospital: Hospital) -> dict[str, str]:
    kinds = (
        "Patient",
        "Encounter",
        "RelatedPerson",
        "AllergyIntolerance",
        "Condition",
        "Location",
        "Practitioner",
    )
    return {
        f"{kind}/{each['id']}": each["meta"]["versionId"]
        for kind in kinds
        for each in await hospital.all(kind)
    }


async def test_what_is_not_sent_again_is_kept(hospital: Hospital) -> None:
    await hospital.send("A01", pv1(), "NK1|1|Okafor^Obi|SPO", "AL1|1|DA|PCN^Penicillin^L")
    await hospital.send("A08", pv1())
    assert (await hospital.only("RelatedPerson"))["name"][0]["family"] == "Okafor"
    assert (await hospital.only("Patient"))["contact"]
    assert await hospital.all("AllergyIntolerance")


async def test_what_is_sent_later_of_the_same_kind_is_added(hospital: Hospital) -> None:
    await hospital.send(
        "A01", pv1(), "NK1|1|Okafor^Obi|SPO", "AL1|1|DA|^Penicillin", "PR1|1||1^A^L||20240301"
    )
    await hospital.send("A08", pv1(), "NK1|1|Okafor^Uche|BRO", "AL1|1|DA|^Latex", "PR1|1||1^A^L||20240302")
    kin = {each["name"][0]["given"][0] for each in await hospital.all("RelatedPerson")}
    assert kin == {"Obi", "Uche"}
    assert {each["code"]["text"] for each in await hospital.all("AllergyIntolerance")} == {
        "Penicillin",
        "Latex",
    }
    assert len(await hospital.all("Procedure")) == 2


async def test_an_allergy_is_deleted_and_told_again(hospital: Hospital) -> None:
    for action in ("A", "D"):
        await hospital.send("A60", f"IAM|1|DA|7980^Penicillin^RXNORM|SV||{action}")
    assert (await hospital.only("AllergyIntolerance"))["verificationStatus"]["coding"][0][
        "code"
    ] == "entered-in-error"
    await hospital.send("A60", "IAM|1|DA|7980^Penicillin^RXNORM|SV||A")
    allergy = await hospital.only("AllergyIntolerance")
    assert "verificationStatus" not in allergy
    assert allergy["clinicalStatus"]["coding"][0]["code"] == "active"


async def test_null_deletes(hospital: Hospital) -> None:
    await hospital.send(
        "A01", pid="PID|1||4711^^^NORTH^MR||Okafor^Ngozi||19800201|F|||1 Road^^Town||555-1||EN|M"
    )
    await hospital.send("A31", pid='PID|1||4711^^^NORTH^MR||Okafor^Ngozi||19800201|F|||""||||""|""')
    patient = await hospital.only("Patient")
    assert not patient.keys() & {"address", "maritalStatus", "communication"}
    assert patient["telecom"]


async def test_an_older_message_fills_gaps_and_overwrites_nothing(hospital: Hospital) -> None:
    await hospital.send("A03", pv1(end="20240303100000"), at="20240303100500")
    late = "PID|1||4711^^^NORTH^MR||Okonkwo^Ngozi||19800201|F|||1 Road^^Town"
    assert await hospital.send("A01", pv1(), at="20240301080000", pid=late) == "AA"
    assert (await hospital.only("Encounter"))["status"] == "finished"
    patient = await hospital.only("Patient")
    assert patient["name"][0]["family"] == "Okafor"
    assert patient["address"][0]["city"] == "Town"


async def test_a_clock_that_runs_ahead_does_not_make_all_others_late(hospital: Hospital) -> None:
    await hospital.send("A28", at="20990101120000")
    await hospital.send("A31", pid="PID|1||4711^^^NORTH^MR||Okonkwo^Ngozi")
    assert (await hospital.only("Patient"))["name"][0]["family"] == "Okonkwo"


async def test_who_may_be_seen_by_few_is_labelled(hospital: Hospital) -> None:
    await hospital.send("A01", "PD1||||||||||||Y", pv1(), "ARV|1|A|LOC")
    for kind in ("Patient", "Encounter"):
        assert [each["code"] for each in (await hospital.only(kind))["meta"]["security"]] == ["R"]


async def test_a_person_is_deleted_and_added_again(hospital: Hospital) -> None:
    await hospital.send("A28")
    await hospital.send("A29")
    assert (await hospital.only("Patient"))["active"] is False
    await hospital.send("A28")
    assert (await hospital.only("Patient"))["active"] is True


async def test_a_person_without_a_visit_gets_none(hospital: Hospital) -> None:
    await hospital.send("A31", "PV1|1|O")
    await hospital.send("A08", "PV1|1|N")
    assert await hospital.all("Encounter") == []
    await hospital.send("A31", "PV1|1|O|EYE")
    assert (await hospital.only("Encounter"))["location"][0]["location"]["display"] == "EYE"


async def test_a_transfer_is_cancelled(hospital: Hospital) -> None:
    await hospital.send("A01", pv1("W1^2^3"))
    await hospital.send("A02", pv1("W2^1^1"))
    await hospital.send("A12", pv1("W1^2^3"))
    visit = await hospital.only("Encounter")
    assert [(each["status"], each["location"]["display"]) for each in visit["location"]] == [
        ("active", "W1 2 3")
    ]
    assert "end" not in visit["location"][0].get("period", {})


async def test_a_discharge_is_cancelled(hospital: Hospital) -> None:
    await hospital.send("A01", pv1())
    await hospital.send("A03", pv1(end="20240303100000"))
    await hospital.send("A13", pv1())
    visit = await hospital.only("Encounter")
    assert visit["status"] == "in-progress"
    assert "end" not in visit["period"]
    assert [past["status"] for past in visit["statusHistory"]] == ["in-progress", "finished"]
    assert [each["status"] for each in visit["location"]] == ["active"]


async def test_an_admission_is_cancelled(hospital: Hospital) -> None:
    await hospital.send("A01", pv1())
    await hospital.send("A11", pv1())
    assert (await hospital.only("Encounter"))["status"] == "cancelled"


async def test_an_update_does_not_open_a_visit_that_ended(hospital: Hospital) -> None:
    await hospital.send("A01", pv1())
    await hospital.send("A03", pv1(end="20240303100000"))
    await hospital.send("A08", pv1())
    assert (await hospital.only("Encounter"))["status"] == "finished"


async def test_a_visit_without_number_is_the_open_one_of_its_class(hospital: Hospital) -> None:
    await hospital.send("A01", pv1(number="", start=""))
    await hospital.send("A02", pv1("W2", number="", start=""))
    await hospital.send("A03", pv1("W2", number="", start=""))
    assert (await hospital.only("Encounter"))["status"] == "finished"
    await hospital.send("A01", pv1(number="", start=""))
    assert sorted(each["status"] for each in await hospital.all("Encounter")) == ["finished", "in-progress"]


async def test_a_visit_without_number_is_known_by_its_beginning(hospital: Hospital) -> None:
    await hospital.send("A01", pv1(number=""))
    await hospital.send("A03", pv1(number="", end="20240303100000"))
    await hospital.send("A08", pv1(number="", end="20240303110000"))
    visit = await hospital.only("Encounter")
    assert visit["period"]["end"] == "2024-03-03T11:00:00+00:00"


async def test_classes_are_remembered(hospital: Hospital) -> None:
    await hospital.send("A04", pv1(kind="E"))
    await hospital.send("A06", pv1(kind="I"))
    visit = await hospital.only("Encounter")
    assert visit["class"]["code"] == "IMP"
    assert [past["class"]["code"] for past in visit["classHistory"]] == ["EMER"]


async def test_two_numbers_of_two_patients_are_nobodys_guess(hospital: Hospital) -> None:
    await hospital.send("A28", pid="PID|1||1^^^NORTH^MR||One")
    await hospital.send("A28", pid="PID|1||2^^^SOUTH^MR||Two")
    assert await hospital.send("A31", pid="PID|1||1^^^NORTH^MR~2^^^SOUTH^MR||Both") == "AE"
    assert sorted(each["name"][0]["family"] for each in await hospital.all("Patient")) == ["One", "Two"]


async def test_any_strong_number_in_common_is_the_same_patient(hospital: Hospital) -> None:
    await hospital.send("A28", pid="PID|1||1^^^NORTH^MR~77^^^NAT^NI||One")
    await hospital.send("A31", pid="PID|1||9^^^SOUTH^MR~77^^^NAT^NI||One")
    patient = await hospital.only("Patient")
    assert [each["value"] for each in patient["identifier"]] == ["1", "77", "9"]


@pytest.mark.parametrize(
    "pid", ["PID|1||123-45-6789^^^USSSA^SS||{}", "PID|1||||{}|||||||555-1||||||123-45-6789"]
)
async def test_a_social_security_number_is_not_enough(hospital: Hospital, pid: str) -> None:
    await hospital.send("A28", pid=pid.format("One"))
    await hospital.send("A28", pid=pid.format("Two"))
    assert len(await hospital.all("Patient")) == 2


async def test_two_feeds_name_a_new_patient_at_once(server: Server) -> None:
    north, south = Hospital(server, "N"), Hospital(server, "S")
    pids = ["PID|1||1^^^NORTH^MR~77^^^NAT^NI||One", "PID|1||9^^^SOUTH^MR~77^^^NAT^NI||One"]
    answers = await asyncio.gather(
        *(each.send("A28", pid=pid) for _ in range(3) for each, pid in zip((north, south), pids, strict=True))
    )
    assert set(answers) == {"AA"}
    patient = await north.only("Patient")
    assert sorted(each["value"] for each in patient["identifier"]) == ["1", "77", "9"]


async def _feed(hospital: Hospital, row: dict[str, str]) -> None:
    """These messages ask for a commit acknowledgment alone."""
    assert code(await hospital.server.feed_one(corpus.raw(row))).startswith("CA")
    await hospital.server.feed.idle()


async def test_end_states_of_the_visit_in_the_corpus(hospital: Hospital) -> None:
    rows = [row for row in corpus.manifest() if row["file"].startswith("seq_dk_visit")]
    assert len(rows) == 3
    for row in rows:
        await _feed(hospital, row)
    visit = await hospital.only("Encounter")
    assert visit["status"] == "finished"
    assert [each["value"] for each in visit["identifier"]] == ["OUH202604010001"]
    patient = await hospital.only("Patient")
    assert [each["value"] for each in patient["identifier"]] == ["0712837798"]
    assert patient["contact"]


async def test_the_visit_of_the_corpus_in_the_wrong_order(hospital: Hospital) -> None:
    rows = [row for row in corpus.manifest() if row["file"].startswith("seq_dk_visit")]
    for row in (rows[2], rows[0]):
        await _feed(hospital, row)
    assert (await hospital.only("Encounter"))["status"] == "finished"
    assert (await hospital.only("Patient"))["contact"]
