"""What is acknowledged is stored, exactly once, in order, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from importers.hl7v2.conversion import Conversion
from resources import validation
from tests.importers.hl7v2.feeding import PEER, Mapping, Server, code, message, patient, serving


@pytest_asyncio.fixture(loop_scope="session")
async def server(mongod_uri: str, database_name: str) -> AsyncIterator[Server]:
    async with serving(mongod_uri, database_name) as server:
        yield server


async def test_a_message_is_kept_stored_and_answered(server: Server) -> None:
    answered = await server.feed_one(message("P1", "Jansen", "0042"))
    assert code(answered) == "AA 0042"
    [stored] = await server.patients()
    assert stored["name"] == [{"family": "Jansen"}]
    [row] = await server.rows()
    assert bytes(row["raw"]) == message("P1", "Jansen", "0042")
    assert (row["status"], row["code"], row["sender"]) == ("processed", "AA", "LAB|HOSP")
    assert "open" not in row
    assert f"Patient/{stored['id']}/_history/1" in row["written"]
    assert row["patients"] == ["P1", f"Patient/{stored['id']}"]
    assert row["answers"] == list(answered.answers)


async def test_each_resource_is_named_by_the_provenance_of_its_message(server: Server) -> None:
    answered = await server.feed_one(message("P1", "Jansen"))
    [stored] = await server.patients()
    [provenance] = [each["r"] for each in await server.store.find("Provenance", {})]
    assert provenance["target"] == [{"reference": f"Patient/{stored['id']}"}]
    named = provenance["entity"][0]["what"]["identifier"]
    assert named == {"system": "urn:fhir-server:hl7v2:message", "value": answered.row.id}
    [header] = [each["r"] for each in await server.store.find("MessageHeader", {})]
    assert (header["eventCoding"]["code"], header["source"]["name"]) == ("A01", "LAB")
    assert header["focus"] == [{"reference": f"Patient/{stored['id']}"}]
    for each in (provenance, header):
        validation.check(each)


async def test_the_same_message_again_gets_the_same_answer_and_changes_nothing(server: Server) -> None:
    first = await server.feed_one(message("P1", "Jansen"))
    again = await server.feed_one(message("P1", "Jansen"))
    assert again.answers == first.answers
    assert [each["meta"]["versionId"] for each in await server.patients()] == ["1"]
    rows = await server.rows()
    assert [each["status"] for each in rows] == ["processed", "duplicate"]
    assert rows[1]["of"] == rows[0]["_id"]
    assert "raw" not in rows[1]


async def test_the_same_number_with_other_content_is_processed_and_flagged(server: Server) -> None:
    await server.feed_one(message("P1", "Jansen"))
    answered = await server.feed_one(message("P2", "Peeters"))
    assert code(answered) == "AA 1"
    assert len(await server.patients()) == 2
    assert [each["flags"] for each in await server.rows()] == [[], ["control-id-reused"]]
    other = await server.feed_one(message("P3", "Maes", sender="ADT|HOSP"))
    assert other.row.flags == ()


async def test_what_changes_nothing_leaves_no_resource(server: Server) -> None:
    await server.feed_one(message("P1", "Jansen", "1"))
    answered = await server.feed_one(message("P1", "Jansen", "2"))
    assert code(answered) == "AA 2"
    assert answered.row.written == ()
    assert await server.store.count("Provenance", {}) == 1
    assert [each["meta"]["versionId"] for each in await server.patients()] == ["1"]


async def test_one_message_on_eight_connections_at_once(server: Server) -> None:
    answers = await asyncio.gather(*(server.feed_one(message("P1", "Jansen")) for _ in range(8)))
    assert len({each.answers for each in answers}) == 1
    assert code(answers[0]) == "AA 1"
    assert len(await server.patients()) == 1
    statuses = sorted(each["status"] for each in await server.rows())
    assert statuses == ["duplicate"] * 7 + ["processed"]


async def test_one_message_at_two_servers_at_once(
    mongod_uri: str, database_name: str, server: Server
) -> None:
    async with serving(mongod_uri, database_name) as other:
        answers = await asyncio.gather(
            *(each.feed_one(message("P1", "Jansen")) for each in [server, other] * 4)
        )
    assert len({each.answers for each in answers}) == 1
    assert [each["meta"]["versionId"] for each in await server.patients()] == ["1"]
    statuses = sorted(each["status"] for each in await server.rows())
    assert statuses == ["duplicate"] * 7 + ["processed"]


async def test_two_feeds_that_name_the_same_new_patient_at_once_make_one(
    mongod_uri: str, database_name: str, server: Server
) -> None:
    async with serving(mongod_uri, database_name) as other:
        for number in range(5):
            answers = await asyncio.gather(
                server.feed_one(message(f"P{number}", "Jansen", sender="LAB|HOSP")),
                other.feed_one(message(f"P{number}", "Jansen", sender="ADT|HOSP")),
                server.feed_one(message(f"P{number}", "Jansen", sender="RIS|HOSP")),
            )
            assert [code(each) for each in answers] == ["AA 1"] * 3
    assert len(await server.patients()) == 5


def noting(started: list[str]) -> Mapping:
    """Notes in which order messages are mapped."""

    def mapping(standard: Any, conversion: Conversion) -> None:
        started.append(conversion.message.control_id)
        patient(standard, conversion)

    return mapping


async def test_of_one_patient_in_order_whatever_the_connection(mongod_uri: str, database_name: str) -> None:
    started: list[str] = []
    async with serving(mongod_uri, database_name, noting(started)) as server:
        await asyncio.gather(
            *(server.feed_one(message("P1", f"Name{n}", str(n))) for n in range(12)),
            *(server.feed_one(message(f"Q{n}", "Other", f"o{n}")) for n in range(12)),
        )
        assert [each for each in started if each.isdigit()] == [str(n) for n in range(12)]
        assert [
            each["name"][0]["family"] for each in await server.patients() if each["meta"]["versionId"] == "12"
        ] == ["Name11"]


async def test_of_one_patient_in_order_across_servers(mongod_uri: str, database_name: str) -> None:
    gate = asyncio.Event()
    async with (
        serving(mongod_uri, database_name) as one,
        serving(mongod_uri, database_name) as two,
    ):
        work = one.feed._work
        process = work.process

        async def held(*arguments: object) -> object:
            await gate.wait()
            return await process(*arguments)  # type: ignore[arg-type]

        object.__setattr__(work, "process", held)
        first = asyncio.create_task(one.feed_one(message("P1", "First", "1")))
        while not await two.rows(open=True):
            await asyncio.sleep(0.01)
        second = asyncio.create_task(two.feed_one(message("P1", "Second", "2")))
        other = await two.feed_one(message("P2", "Free", "3"))
        assert code(other) == "AA 3"
        await asyncio.sleep(0.3)
        assert not second.done()
        gate.set()
        assert [code(each) for each in await asyncio.gather(first, second)] == ["AA 1", "AA 2"]
        assert {each["name"][0]["family"] for each in await one.patients()} == {"Second", "Free"}


async def test_what_cannot_be_stored_is_a_dead_letter_and_writes_nothing(server: Server) -> None:
    answered = await server.feed_one(message("P1", "Jansen", gender="bogus"))
    assert code(answered) == "AE 1"
    assert await server.patients() == []
    [row] = await server.rows()
    assert row["status"] == "error"
    assert "gender" in row["issues"][-1]["text"]
    assert "bogus" not in str(row["issues"])
    again = await server.feed_one(message("P1", "Jansen", gender="bogus"))
    assert again.answers == answered.answers


async def test_a_mapping_that_fails_is_answered_ae_and_kept(server: Server) -> None:
    answered = await server.feed_one(message("P1", "EXPLODE"))
    assert code(answered) == "AE 1"
    [row] = await server.rows()
    assert (row["status"], "wrong" in str(row["issues"])) == ("error", False)


@pytest.mark.parametrize(
    ("change", "answer", "place"),
    [
        ((b"ADT^A01", b"ZZZ^Z01"), "AR 1", "MSH-9.1"),
        ((b"ADT^A01", b"ADT^Z99"), "AR 1", "MSH-9.2"),
        ((b"ADT^A01", b""), "AR 1", "MSH-9"),
        ((b"|2.5.1", b"|9.9"), "AR 1", "MSH-12"),
        ((b"|1|P|", b"||P|"), "AR ", "MSH-10"),
    ],
)
async def test_what_cannot_be_processed_is_rejected(
    server: Server, change: tuple[bytes, bytes], answer: str, place: str
) -> None:
    answered = await server.feed_one(message("P1", "Jansen").replace(*change, 1))
    assert code(answered) == answer
    [row] = await server.rows()
    assert (row["status"], row["issues"][-1]["place"]) == ("rejected", place)


@pytest.mark.parametrize(
    "garbage", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff\xfe" * 10, b"MSH", b"MSH|", b"MSHaaaaa"]
)
async def test_garbage_is_kept_and_never_acknowledged(server: Server, garbage: bytes) -> None:
    answered = await server.feed_one(garbage)
    assert all(b"MSA|AA" not in each for each in answered.answers)
    [row] = await server.rows()
    assert (row["status"], row["flags"], bytes(row["raw"])) == ("rejected", ["unreadable"], garbage)
    assert await server.store.count("AuditEvent", {}) == 1


async def test_an_acknowledgment_is_not_answered(server: Server) -> None:
    answered = await server.feed_one(message("P1", "x").replace(b"ADT^A01", b"ACK"))
    assert answered.answers == ()
    assert (await server.rows())[0]["status"] == "rejected"


async def test_enhanced_mode_gets_commit_and_application_answers(server: Server) -> None:
    both = await server.feed_one(message("P1", "Jansen", accept="|||AL|AL"))
    assert [each.decode().split("\rMSA|")[1][:2] for each in both.answers] == ["CA", "AA"]
    none = await server.feed_one(message("P1", "Jansen", "2", accept="|||NE|NE"))
    assert none.answers == ()
    assert none.row.status == "processed"


async def test_every_message_leaves_an_event_of_its_own(server: Server) -> None:
    await server.feed_one(message("P1", "Jansen"))
    await server.feed_one(message("P1", "Jansen"))
    await server.feed_one(message("P1", "Jansen", "9", gender="bogus"))
    events = [each["r"] for each in await server.store.find("AuditEvent", {})]
    own = [each for each in events if each["subtype"][0]["code"] == "operation"]
    assert sorted(each["outcome"] for each in own) == ["0", "0", "4"]
    for each in own:
        agent = each["agent"][0]
        assert agent["who"]["identifier"]["value"] == "LAB|HOSP"
        assert agent["network"]["address"] == "192.0.2.7"


async def test_a_message_larger_than_a_document(server: Server) -> None:
    big = message("P1", "Jansen") + b"ZZZ|" + b"A" * 18_000_000 + b"\r"
    answered = await server.feed_one(big)
    assert code(answered) == "AA 1"
    assert await server.feed._work.store.raw(answered.row.id) == big
    assert (await server.feed_one(big)).answers == answered.answers


async def left_behind(server: Server, raw: bytes) -> str:
    """A row as a process leaves it that dies after it has stored the message."""
    read = server.feed._work.read(raw)
    row = server.feed._row(raw, PEER, read)
    await server.feed._work.store.arrive(row, raw)
    await server.store.database["_feed"].update_one({"_id": row.id}, {"$set": {"holder": "gone"}})
    return row.id


async def test_what_a_dead_process_left_is_done_once_and_in_order(server: Server) -> None:
    for number in range(3):
        await left_behind(server, message("P1", f"Name{number}", str(number)))
    assert await server.feed.resume() == 3
    await server.feed.idle()
    assert [each["name"][0]["family"] for each in await server.patients()] == ["Name2"]
    rows = await server.rows()
    assert [each["status"] for each in rows] == ["processed"] * 3
    resent = await server.feed_one(message("P1", "Name1", "1"))
    assert code(resent) == "AA 1"
    assert [each["meta"]["versionId"] for each in await server.patients()] == ["3"]


async def test_a_resend_takes_over_what_a_dead_process_left(server: Server) -> None:
    await left_behind(server, message("P1", "Jansen"))
    assert code(await server.feed_one(message("P1", "Jansen"))) == "AA 1"
    assert [each["status"] for each in await server.rows()] == ["processed"]


async def test_what_was_committed_before_the_process_died_is_not_done_twice(server: Server) -> None:
    first = await server.feed_one(message("P1", "Jansen"))
    await server.feed_one(message("P1", "Peeters", "2"))
    back = {
        "$set": {
            "open": True,
            "holder": "gone",
            "status": "received",
            "written": [],
            "finished": None,
            "keys": [],
        }
    }
    await server.store.database["_feed"].update_one({"_id": first.row.id}, back)
    await server.feed.resume()
    await server.feed.idle()
    row = (await server.rows())[0]
    assert row["status"] == "processed"
    assert any(each.startswith("Patient/") for each in row["written"])
    assert [each["name"][0]["family"] for each in await server.patients()] == ["Peeters"]


async def test_a_row_whose_process_lives_is_not_taken(
    mongod_uri: str, database_name: str, server: Server
) -> None:
    read = server.feed._work.read(message("P1", "Jansen"))
    row = server.feed._row(message("P1", "Jansen"), PEER, read)
    await server.feed._work.store.arrive(row, message("P1", "Jansen"))
    async with serving(mongod_uri, database_name) as other:
        assert await other.feed.resume() == 0
    assert await server.feed.resume() == 1


async def test_the_end_of_a_caller_is_not_that_of_its_message(server: Server) -> None:
    task = asyncio.create_task(server.feed_one(message("P1", "Jansen")))
    await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await server.feed.idle()
    assert [each["status"] for each in await server.rows()] == ["processed"]
