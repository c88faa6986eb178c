"""The feed in MongoDB: what arrives together, what is too large for a document, who is alive, what can be listed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fhir_server.store import feed as feeds
from fhir_server.store.feed import INLINE, MongoFeed
from fhir_server.store.indexes import FEED, FEED_CHUNKS, OTHERS
from fhir_server.store.store import Store
from importers.hl7v2.issue import Issue
from importers.hl7v2.rows import Peer, Row, Wanted

START = datetime(2026, 11, 20, 8, tzinfo=UTC)


def row(name: str, minutes: int = 0, **facts: Any) -> Row:
    made = Row(name, START + timedelta(minutes=minutes), Peer("mllp", "192.0.2.1"), 3, "0" * 64)
    return replace(made, **{"application": "LAB", "facility": "HOSP", "control_id": name, **facts})


async def test_what_came_in_is_given_back_as_it_was(store: Store) -> None:
    feed = MongoFeed(store)
    came = row("a1", keys=("k",), patients=("7",), type="ORU^R01", version="2.5", charset="utf-8")
    assert (await feed.arrive(came, b"\x00\xff|")).first
    assert await feed.get("a1") == came
    assert await feed.raw("a1") == b"\x00\xff|"
    issue = Issue("PID-3", "wrong", "101", "error")
    done = replace(came, status="error", issues=(issue,), answers=(b"MSH", b"\xff"), finished=START, keys=())
    await feed.finish(done)
    assert await feed.get("a1") == done
    assert await feed.get("a2") is None
    assert await feed.still_open(["a1"]) == set()


async def test_of_many_at_once_each_gets_its_own_answer(store: Store) -> None:
    feed = MongoFeed(store)
    await feed.arrive(row("b0", control_id="7"), b"0")
    found = await asyncio.gather(
        *(feed.arrive(row(f"b{n}", control_id=str(n % 9)), b"%d" % n) for n in range(100))
    )
    assert [each.first for each in found] == [True] * 100  # b0 was left open by this very process
    assert [each.row.id for each in found] == [f"b{n}" for n in range(100)]
    assert found[7].reused
    assert await feed.raw("b42") == b"42"


async def test_another_server_is_told_of_what_is_there(store: Store) -> None:
    one, two = MongoFeed(store), MongoFeed(store)
    await one.arrive(row("c1", keys=("k", "l")), b"1")
    again = await two.arrive(row("c1", keys=("k", "l")), b"1")
    assert (again.first, again.row.id) == (False, "c1")
    second = row("c2", keys=("l",))
    assert (await two.arrive(second, b"2")).first
    assert second.after == ("c1",)
    other = row("c3", keys=("m",))
    await two.arrive(other, b"3")
    assert other.after == ()
    assert await two.still_open(["c1", "c2", "c9"]) == {"c1", "c2"}
    assert await two.still_open(["c1"], before=START) == set()


async def test_a_message_larger_than_a_document_is_kept_in_pieces(store: Store) -> None:
    feed = MongoFeed(store)
    raw = bytes(range(256)) * (INLINE // 256 + 1)
    await feed.put("d1", raw)
    await feed.put("d1", raw)
    await feed.arrive(row("d1"), raw)
    assert await feed.raw("d1") == raw
    assert await store.database[FEED_CHUNKS].count_documents({}) == 3
    await feed.put("d2", b"small")
    assert await store.database[FEED_CHUNKS].count_documents({}) == 3


async def test_what_a_silent_process_holds_is_taken_once(store: Store) -> None:
    dead, one, two = MongoFeed(store), MongoFeed(store), MongoFeed(store)
    for number in range(3):
        await dead.arrive(row(f"e{number}", minutes=-number), b"x")
    assert await one.orphans([]) == []
    assert await one.take("e1") is None
    await store.database["_feed_servers"].update_one(
        {"_id": dead.holder}, {"$set": {"beat": datetime(2020, 1, 1, tzinfo=UTC)}}
    )
    taken = await asyncio.gather(one.orphans([]), two.orphans([]))
    ids = [each.id for some in taken for each in some]
    assert sorted(ids) == ["e0", "e1", "e2"]
    assert [each.id for each in taken[0]] == [
        each for each in ("e2", "e1", "e0") if each in {r.id for r in taken[0]}
    ]
    assert await one.take("e1") is None
    assert await two.take("e1") is None


async def test_what_this_process_holds_and_does_not_work_on_is_taken(store: Store) -> None:
    feed = MongoFeed(store)
    await feed.arrive(row("f1"), b"x")
    await feed.arrive(row("f2"), b"x")
    assert [each.id for each in await feed.orphans(["f1"])] == ["f2"]


async def test_rows_are_listed_by_what_is_known_of_them(store: Store) -> None:
    feed = MongoFeed(store)
    for number in range(6):
        came = row(
            f"g{number}",
            minutes=number,
            patients=("P", f"N{number}"),
            application="LAB" if number % 2 else "RIS",
        )
        await feed.arrive(came, b"x")
        await feed.finish(replace(came, status="processed" if number < 4 else "error", finished=START))

    async def ids(**wanted: Any) -> list[str]:
        return [each.id for each in await feed.page(Wanted(**wanted))]

    assert await ids() == ["g5", "g4", "g3", "g2", "g1", "g0"]
    assert await ids(oldest_first=True, count=2) == ["g0", "g1"]
    assert await ids(statuses=("error",)) == ["g5", "g4"]
    assert await ids(sender="LAB|HOSP") == ["g5", "g3", "g1"]
    assert await ids(patient="N2") == ["g2"]
    assert await ids(since=START + timedelta(minutes=4)) == ["g5", "g4"]
    assert await ids(until=START + timedelta(minutes=1)) == ["g0"]
    assert await ids(before=(START + timedelta(minutes=2), "g2")) == ["g1", "g0"]
    assert [each.id for each in await feed.named("g")] == ["g0", "g1"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"status": {"$in": ["error", "rejected"]}},
        {"sender": "LAB|HOSP"},
        {"patients": "P"},
        {"open": True, "keys": {"$in": ["k"]}},
        {"open": True, "holder": {"$nin": ["x"]}},
        {"sid": {"$in": ["x"]}},
        {"t": {"$gte": START}},
    ],
)
async def test_each_question_has_its_index(store: Store, wanted: dict[str, Any]) -> None:
    await store.collections.ensure(FEED)
    plan = await store.database[FEED].find(wanted).explain()
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])


async def test_indexes_of_the_feed_are_looked_after(store: Store) -> None:
    await store.collections.ensure(FEED)
    assert [each for each in await store.collections.drifts() if each.collection == FEED] == []
    await store.database[FEED].drop_index("patients+t")
    [found] = [each for each in await store.collections.drifts() if each.collection == FEED]
    assert [each.document["name"] for each in found.missing] == ["patients+t"]
    assert set(OTHERS) >= {FEED, FEED_CHUNKS}


async def test_messages_are_kept_as_long_as_is_said(store: Store) -> None:
    feed = MongoFeed(store, retention=timedelta(days=30))
    await feed.arrive(row("h1"), b"x")
    stored = await store.database[FEED].find_one({"_id": "h1"})
    assert stored is not None
    assert stored["expires"] - stored["t"] == timedelta(days=30)
    await MongoFeed(store).arrive(row("h2"), b"x")
    stored = await store.database[FEED].find_one({"_id": "h2"})
    assert stored is not None
    assert "expires" not in stored


async def test_a_row_that_is_replayed_is_put_in_work_once(store: Store) -> None:
    feed = MongoFeed(store)
    came = row("i1")
    await feed.arrive(came, b"x")
    again = replace(came, replays=1, status="received", keys=("k",))
    assert not await feed.reopen(again)
    await feed.finish(replace(came, status="error", finished=START))
    assert sorted(await asyncio.gather(feed.reopen(again), feed.reopen(again))) == [False, True]
    assert await feed.still_open(["i1"]) == {"i1"}


async def test_garbage_without_end_is_kept_in_part(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_UNREADABLE", 5)
    monkeypatch.setattr(feeds, "TRIMMED_EVERY", 2)
    feed = MongoFeed(store)
    for number in range(11):
        await feed.note(
            row(f"j{number}", minutes=number, status="rejected", flags=("unreadable",)), b"garbage"
        )
    await feed.note(row("k", status="rejected"))
    kept = [each.id for each in await feed.page(Wanted())]
    assert kept == ["j10", "j9", "j8", "j7", "j6", "k"]


def test_a_chunk_is_smaller_than_a_document() -> None:
    assert feeds.CHUNK < feeds.INLINE < 16 * 1024 * 1024
