"""Messages come in over MLLP while the server is killed; what was accepted is then stored, and once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from pymongo.database import Database

from tests.durability.messages import TESTS, patient_of
from tests.durability.senders import Accepted, send_all
from tests.durability.server import ServerProcess, free_port, mongo, serving

OBSERVATIONS = 5


async def fed(folder: Path, messages: int, kills: int) -> Accepted:
    """Sends so many messages while the server is killed (-9) and started anew so often; judges what is stored."""
    accepted = Accepted()
    port = free_port()
    with serving(folder, mllp_port=str(port)) as server:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_all(port, iter(range(messages)), accepted))
            group.create_task(
                _kill(server, accepted, [messages * n // (kills + 1) for n in range(1, kills + 1)])
            )
        with mongo(server.uri) as client:
            wrong = violations(client["fhir"], accepted, messages)
        assert not wrong, "\n".join([f"{len(wrong)} violations:", *wrong[:20]])
    return accepted


async def _kill(server: ServerProcess, accepted: Accepted, after: list[int]) -> None:
    for count in after:
        while len(accepted.seconds) + len(accepted.refused) < count:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)


def violations(db: Database[dict[str, Any]], accepted: Accepted, messages: int) -> list[str]:
    """What is missing, twice or changed by a repetition; every message was answered with AA when this is asked."""
    results = {number for number in range(messages) if number % 5}
    admissions = {number for number in range(messages) if number % 5 == 0}
    wrong = [f"M{number} was refused: {said}" for number, said in accepted.refused.items()]
    wrong += [f"M{number} was never accepted" for number in range(messages) if number not in accepted.seconds]

    reports = Counter(_numbers(db, "DiagnosticReport", "report", "/F"))
    wrong += _not_once("report of M", reports, results)
    observations = Counter(_identifiers(db, "Observation", "observation"))
    expected = {f"LAB/F{n}/58410-2/{TESTS[each][0]}" for n in results for each in range(OBSERVATIONS)}
    wrong += _not_once("observation ", observations, expected)
    visits = Counter(_numbers(db, "Encounter", "MADEUP", "V"))
    wrong += _not_once("visit of M", visits, admissions)
    patients = Counter(_numbers(db, "Patient", "MADEUP", "MRN"))
    wrong += _not_once("patient ", patients, {patient_of(number) for number in range(messages)})

    for name in ("DiagnosticReport", "Observation", "Encounter", "Provenance"):
        if changed := db[f"{name}.history"].count_documents({}):
            wrong.append(f"{changed} versions of {name} were replaced, though nothing new was sent")
    if (told := db["Provenance"].count_documents({})) != messages:
        wrong.append(f"{told} Provenances tell of {messages} messages")
    return wrong


def _identifiers(db: Database[dict[str, Any]], resource_type: str, system: str) -> list[str]:
    return [
        identifier["value"]
        for document in db[resource_type].find({}, {"r.identifier": 1})
        for identifier in document.get("r", {}).get("identifier", ())
        if identifier.get("system", "").endswith(f":{system}")
    ]


def _numbers(db: Database[dict[str, Any]], resource_type: str, system: str, before: str) -> list[int]:
    """The number that follows in the identifiers of a resource type."""
    return [
        int(value.partition(before)[2].partition("/")[0])
        for value in _identifiers(db, resource_type, system)
        if before in value
    ]


def _not_once(what: str, found: Counter[Any], expected: set[Any]) -> list[str]:
    wrong = [f"{what}{each} is lost" for each in sorted(expected - found.keys())]
    wrong += [f"{what}{each} is there {count} times" for each, count in found.items() if count > 1]
    return wrong + [f"{what}{each} was never sent" for each in sorted(found.keys() - expected)]
