"""Who is who: patients merged, linked, renumbered and swapped, visits moved, through the feed on a real MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from importers.hl7v2 import merging
from tests.importers.hl7v2.feeding import Server, serving
from tests.importers.hl7v2.hospital import Hospital, Json, pv1, standard_mapping

ONE, TWO = "PID|1||1^^^NORTH^MR||Okafor^Ngozi", "PID|1||2^^^NORTH^MR||Okafor^N"
MERGE_TWO = "MRG|2^^^NORTH^MR"


@pytest_asyncio.fixture
async def hospital(mongod_uri: str, database_name: str) -> AsyncIterator[Hospital]:
    async with serving(mongod_uri, database_name, standard_mapping) as server:
        yield Hospital(server)


async def _two_patients(hospital: Hospital) -> None:
    await hospital.send("A01", pv1(number="V1"), pid=ONE)
    await hospital.send("A01", pv1(number="V2"), "AL1|1|DA|PCN^Penicillin^L", "NK1|1|Okafor^Obi|SPO", pid=TWO)


async def _by_number(hospital: Hospital, number: str) -> Json:
    """The patient whose own number it is, not a former one of another."""
    patients = await hospital.all("Patient")
    [found] = [
        each
        for each in patients
        if any(one["value"] == number and one.get("use") != "old" for one in each["identifier"])
    ]
    return found


async def _state(hospital: Hospital) -> dict[str, str]:
    kinds = ("Patient", "Encounter", "AllergyIntolerance", "RelatedPerson")
    return {
        f"{kind}/{each['id']}": each["meta"]["versionId"]
        for kind in kinds
        for each in await hospital.all(kind)
    }


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40"])
async def test_the_survivor_replaces_the_other_and_has_what_was_his(hospital: Hospital, event: str) -> None:
    await _two_patients(hospital)
    assert await hospital.send(event, MERGE_TWO, pid=ONE) == "AA"
    survivor, loser = await _by_number(hospital, "1"), await _by_number(hospital, "2")
    assert survivor.get("active") is not False
    assert survivor["link"] == [{"other": {"reference": f"Patient/{loser['id']}"}, "type": "replaces"}]
    assert [(each["value"], each.get("use")) for each in survivor["identifier"]] == [
        ("1", None),
        ("2", "old"),
    ]
    assert loser["active"] is False
    assert loser["link"] == [{"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"}]
    itself = {"reference": f"Patient/{survivor['id']}"}
    assert [each["subject"] for each in await hospital.all("Encounter")] == [itself, itself]
    assert (await hospital.only("AllergyIntolerance"))["patient"] == itself
    assert (await hospital.only("RelatedPerson"))["patient"] == itself


async def test_said_twice_it_changes_nothing(hospital: Hospital) -> None:
    await _two_patients(hospital)
    await hospital.send("A40", MERGE_TWO, pid=ONE)
    before = await _state(hospital)
    assert await hospital.send("A40", MERGE_TWO, pid=ONE) == "AA"
    assert await _state(hospital) == before


async def test_the_other_way_round_it_changes_nothing_and_is_told(hospital: Hospital) -> None:
    await _two_patients(hospital)
    await hospital.send("A40", MERGE_TWO, pid=ONE)
    before = {each["id"]: each.get("link") for each in await hospital.all("Patient")}
    assert await hospital.send("A40", "MRG|1^^^NORTH^MR", pid=TWO) == "AA"
    assert {each["id"]: each.get("link") for each in await hospital.all("Patient")} == before
    rows = await hospital.server.rows()
    assert any("earlier merge" in issue["text"] for issue in rows[-1]["issues"])


async def test_what_comes_later_under_the_old_number_is_the_survivors(hospital: Hospital) -> None:
    await _two_patients(hospital)
    await hospital.send("A40", MERGE_TWO, pid=ONE)
    await hospital.send("A01", pv1(number="V3"), pid=TWO)
    survivor = await _by_number(hospital, "1")
    assert {each["subject"]["reference"] for each in await hospital.all("Encounter")} == {
        f"Patient/{survivor['id']}"
    }
    assert len(await hospital.all("Patient")) == 2


async def test_chains_of_merges_end_at_the_last(hospital: Hospital) -> None:
    await _two_patients(hospital)
    await hospital.send("A40", MERGE_TWO, pid=ONE)
    await hospital.send("A40", "MRG|1^^^NORTH^MR", pid="PID|1||3^^^NORTH^MR||Okafor")
    await hospital.send("A01", pv1(number="V4"), pid=TWO)
    last = await _by_number(hospital, "3")
    assert {each["subject"]["reference"] for each in await hospital.all("Encounter")} == {
        f"Patient/{last['id']}"
    }


async def test_a_patient_whom_nobody_knew_is_merged_all_the_same(hospital: Hospital) -> None:
    await hospital.send("A28", pid=ONE)
    await hospital.send("A40", MERGE_TWO, pid=ONE)
    survivor, loser = await _by_number(hospital, "1"), await _by_number(hospital, "2")
    assert loser["active"] is False
    await hospital.send("A31", pid="PID|1||2^^^NORTH^MR||Okafor^Ngozi Adaeze")
    assert len(await hospital.all("Patient")) == 2
    assert (await _by_number(hospital, "1"))["name"][0]["given"] == ["Ngozi Adaeze"]
    assert survivor["id"] != loser["id"]


async def test_both_unknown(hospital: Hospital) -> None:
    assert await hospital.send("A40", MERGE_TWO, pid=ONE) == "AA"
    survivor, loser = await _by_number(hospital, "1"), await _by_number(hospital, "2")
    assert loser["link"][0]["other"] == {"reference": f"Patient/{survivor['id']}"}
    assert survivor["link"][0]["other"] == {"reference": f"Patient/{loser['id']}"}


@pytest.mark.parametrize(
    ("pid", "mrg"),
    [
        (ONE, "MRG|1^^^NORTH^MR"),
        (ONE, "MRG|"),
        (ONE, "MRG|123-45-6789^^^USSSA^SS"),
        ("PID|1||||Nobody", MERGE_TWO),
    ],
)
async def test_a_merge_that_says_nothing_is_refused(hospital: Hospital, pid: str, mrg: str) -> None:
    await hospital.send("A28", pid=ONE)
    assert await hospital.send("A40", mrg, pid=pid) == "AE"
    assert len(await hospital.all("Patient")) == 1


async def test_one_who_was_merged_elsewhere_is_nobodys_guess(hospital: Hospital) -> None:
    await _two_patients(hospital)
    await hospital.send("A40", MERGE_TWO, pid=ONE)
    await hospital.send("A28", pid="PID|1||3^^^NORTH^MR||Other")
    assert await hospital.send("A40", MERGE_TWO, pid="PID|1||3^^^NORTH^MR||Other") == "AE"


async def test_a_large_record_is_moved_in_several_transactions(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MOST", 3)
    await hospital.send("A28", pid=ONE)
    allergies = [f"AL1|{n}|DA|C{n}^Allergen {n}^L" for n in range(1, 11)]
    await hospital.send("A01", pv1(number="V2"), *allergies, pid=TWO)
    assert await hospital.send("A40", MERGE_TWO, pid=ONE) == "AA"
    survivor = await _by_number(hospital, "1")
    itself = {"reference": f"Patient/{survivor['id']}"}
    assert [each["patient"] for each in await hospital.all("AllergyIntolerance")] == [itself] * 10


async def test_several_merges_in_one_message(hospital: Hospital) -> None:
    await _two_patients(hospital)
    third = "PID|2||3^^^NORTH^MR||Lund^Ida"
    await hospital.send("A40", MERGE_TWO, third, "MRG|4^^^NORTH^MR", pid=ONE)
    assert [(await _by_number(hospital, each))["active"] for each in ("2", "4")] == [False, False]
    assert len(await hospital.all("Patient")) == 4


async def test_a_patient_is_renumbered(hospital: Hospital) -> None:
    await hospital.send("A28", pid=ONE)
    await hospital.send("A47", "MRG|1^^^NORTH^MR", pid="PID|1||8^^^NORTH^MR||Okafor^Ngozi")
    patient = await hospital.only("Patient")
    assert [(each["value"], each.get("use")) for each in patient["identifier"]] == [("1", "old"), ("8", None)]
    await hospital.send("A31", pid="PID|1||8^^^NORTH^MR||Okafor^Adaeze")
    assert (await hospital.only("Patient"))["name"][0]["given"] == ["Adaeze"]


async def test_links_come_and_go(hospital: Hospital) -> None:
    await _two_patients(hospital)
    await hospital.send("A24", TWO, pid=ONE)
    one, two = await _by_number(hospital, "1"), await _by_number(hospital, "2")
    assert one["link"] == [{"other": {"reference": f"Patient/{two['id']}"}, "type": "seealso"}]
    assert two["link"] == [{"other": {"reference": f"Patient/{one['id']}"}, "type": "seealso"}]
    await hospital.send("A37", TWO, pid=ONE)
    assert "link" not in await _by_number(hospital, "1")
    assert "link" not in await _by_number(hospital, "2")


async def test_two_patients_swap_beds(hospital: Hospital) -> None:
    await hospital.send("A01", pv1("W1", number="V1"), pid=ONE)
    await hospital.send("A01", pv1("W2", number="V2"), pid=TWO)
    await hospital.send("A17", pv1("W2", number="V1"), TWO, pv1("W1", number="V2"), pid=ONE)
    places = {
        each["identifier"][0]["value"]: [
            (one["status"], one["location"]["display"]) for one in each["location"]
        ]
        for each in await hospital.all("Encounter")
    }
    assert places == {
        "V1": [("completed", "W1"), ("active", "W2")],
        "V2": [("completed", "W2"), ("active", "W1")],
    }


async def test_a_visit_is_moved_with_what_belongs_to_it(hospital: Hospital) -> None:
    await hospital.send("A01", pv1(number="V1"), "DG1|1||I10^Hypertension^I10", pid=ONE)
    await hospital.send("A28", pid=TWO)
    await hospital.send("A45", "MRG|1^^^NORTH^MR", pv1(number="V1"), pid=TWO)
    two = {"reference": f"Patient/{(await _by_number(hospital, '2'))['id']}"}
    assert (await hospital.only("Encounter"))["subject"] == two
    assert (await hospital.only("Condition"))["subject"] == two


async def test_a_visit_becomes_part_of_another(hospital: Hospital) -> None:
    await hospital.send("A01", pv1(number="V1"), pid=ONE)
    await hospital.send("A01", pv1(number="V2"), "DG1|1||I10^Hypertension^I10", pid=ONE)
    for _ in range(2):
        assert await hospital.send("A42", "MRG|1^^^NORTH^MR||||V2", pv1(number="V1"), pid=ONE) == "AA"
        visits = {each["identifier"][0]["value"]: each for each in await hospital.all("Encounter")}
        kept = {"reference": f"Encounter/{visits['V1']['id']}"}
        assert (visits["V2"]["status"], visits["V2"]["partOf"]) == ("entered-in-error", kept)
        assert visits["V1"]["status"] == "in-progress"
        assert "partOf" not in visits["V1"]
        assert (await hospital.only("Condition"))["encounter"] == kept


async def test_a_visit_is_renumbered(hospital: Hospital) -> None:
    await hospital.send("A01", pv1(number="V1"), pid=ONE)
    await hospital.send("A50", "MRG|1^^^NORTH^MR||||V1", pv1(number="V9"), pid=ONE)
    visit = await hospital.only("Encounter")
    assert [(each["value"], each.get("use")) for each in visit["identifier"]] == [("V1", "old"), ("V9", None)]


async def test_a_number_that_belongs_to_the_visit_of_another_is_another_visit(server: Server) -> None:
    hospital = Hospital(server)
    await hospital.send("A01", pv1(number="V1"), pid=ONE)
    await hospital.send("A01", pv1(number="V1"), pid=TWO)
    subjects = {each["subject"]["reference"] for each in await hospital.all("Encounter")}
    assert len(subjects) == 2


@pytest_asyncio.fixture
async def server(hospital: Hospital) -> Server:
    return hospital.server
