"""A hospital that sends messages about a patient to the feed of a server on a real MongoDB."""

from __future__ import annotations

from typing import Any

from importers.hl7v2.conversion import Conversion
from tests.importers.hl7v2.feeding import Server, code

Json = dict[str, Any]


def standard_mapping(standard: Any, conversion: Conversion) -> None:
    """What the server does without a mapping of one's own."""
    standard(conversion)


class Hospital:
    """Sends messages about one patient, each a minute later than the one before."""

    def __init__(self, server: Server, number: str = "4711") -> None:
        self.server = server
        self.number = number
        self.sent = 0

    async def send(self, event: str, *segments: str, at: str | None = None, pid: str | None = None) -> str:
        self.sent += 1
        when = at or f"2024030108{self.sent:02d}00"
        lines = [
            f"MSH|^~\\&|PAS|NORTH|HUB|X|{when}||ADT^{event}|{self.number}-{self.sent}|P|2.5.1",
            f"EVN|{event}|{when}",
            pid or f"PID|1||{self.number}^^^NORTH^MR||Okafor^Ngozi||19800201|F",
            *segments,
        ]
        return code(await self.server.feed_one(("\r".join(lines) + "\r").encode())).split()[0]

    async def all(self, resource_type: str) -> list[Json]:
        found = await self.server.store.find(resource_type, {})
        return [each["r"] for each in found if "deleted" not in each]

    async def only(self, resource_type: str) -> Json:
        [found] = await self.all(resource_type)
        return found


def pv1(
    where: str = "W1^2^3",
    *,
    number: str = "V1",
    kind: str = "I",
    start: str = "20240301080000",
    end: str = "",
) -> str:
    fields = {2: kind, 3: where, 19: number, 44: start, 45: end}
    return "PV1|" + "|".join(fields.get(each, "") for each in range(1, 46))
