from __future__ import annotations

import asyncio

import pytest

from importers.hl7v2.ack import answers, reject
from importers.hl7v2.header import read_header
from importers.hl7v2.issue import INTERNAL_ERROR, Issue
from importers.mllp.blocks import AT_ONCE, received
from importers.mllp.receive import Answer
from tests.importers.mllp.listening import code, message

BHS = b"BHS|^~\\&|LAB|HOSP|EHR|CLINIC|20260101||name|comment|B7\r"
FHS = BHS.replace(b"BHS", b"FHS").replace(b"B7", b"F7")


def unwanted(_answer: bytes) -> None:
    raise AssertionError("nothing leaves at once")


class One:
    """Accepts what has a header; what says `slow` takes longer than the others."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.working = 0
        self.most = 0

    async def __call__(self, raw: bytes, _answer: Answer | None = None) -> list[bytes]:
        self.got.append(raw)
        self.working += 1
        self.most = max(self.most, self.working)
        await asyncio.sleep(0.02 if b"slow" in raw else 0)
        self.working -= 1
        header = read_header(raw)
        return [] if header is None or b"none" in raw else answers(header, "AA")


@pytest.mark.parametrize(
    "raw", [message("1"), b"\xef\xbb\xbf" + message("1"), b"hello", message("1").replace(b"\r", b"\n")]
)
async def test_one_message_is_handed_on_as_it_is(raw: bytes) -> None:
    one = One()
    await received(raw, unwanted, one)
    assert one.got == [raw]


async def test_several_without_envelope_are_answered_one_by_one_in_their_order() -> None:
    one = One()
    replies = await received(message("slow") + message("2") + b"\r\n" + message("3"), unwanted, one)
    assert [code(reply) for reply in replies] == [("AA", "slow"), ("AA", "2"), ("AA", "3")]
    assert len(one.got) == 3


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (BHS + message("1") + message("2") + b"BTS|2\r", ["BHS", "MSH", "MSA", "MSH", "MSA", "BTS"]),
        (FHS + BHS + message("1") + b"BTS|1\rFTS|1\r", ["FHS", "BHS", "MSH", "MSA", "BTS", "FTS"]),
        (b"\r\n" + BHS + message("1") + b"BTS|1\r", ["BHS", "MSH", "MSA", "BTS"]),
        (BHS + message("1") + b"BTS|9\r", ["BHS", "MSH", "MSA", "BTS"]),
    ],
)
async def test_a_batch_is_answered_as_one(raw: bytes, lines: list[str]) -> None:
    [reply] = await received(raw, unwanted, One())
    assert [line[:3] for line in reply.decode().rstrip("\r").split("\r")] == lines


async def test_who_wants_no_answers_gets_no_batch_of_none() -> None:
    assert await received(BHS + message("none") + b"BTS|1\r", unwanted, One()) == []
    assert await received(BHS + b"BTS|0\r", unwanted, One()) == []


async def test_a_large_batch_is_not_worked_on_all_at_once() -> None:
    one = One()
    replies = await received(b"".join(message(f"slow{number}") for number in range(50)), unwanted, one)
    assert [code(reply)[1] for reply in replies] == [f"slow{number}" for number in range(50)]
    assert one.most == AT_ONCE


def test_half_a_batch_is_rejected_by_its_own_number() -> None:
    [reply] = reject(BHS, Issue("", "The connection ended", INTERNAL_ERROR, "error"))
    lines = reply.decode().split("\r")
    assert lines[0].split("|")[8:12:3] == ["ACK", "2.5.1"]
    assert lines[1] == "MSA|AR|B7|The connection ended"
