from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.durability.feed_kills import fed, violations
from tests.durability.senders import Accepted


@pytest.mark.timeout(300)
async def test_what_is_accepted_is_stored_once_whenever_the_server_is_killed(tmp_path: Path) -> None:
    """The long form is `python -m tests.soak.feed`."""
    accepted = await fed(tmp_path / "data", messages=400, kills=3)
    assert len(accepted.seconds) == 400
    assert accepted.lost > 0


def _lose(db: Any) -> None:
    db["Observation"].delete_one({})


def _double(db: Any) -> None:
    [report] = db["DiagnosticReport"].find()
    db["DiagnosticReport"].insert_one({**report, "_id": "another"})


def _change(db: Any) -> None:
    db["Observation.history"].insert_one({"_id": {"id": "x", "v": 1}})


@pytest.mark.parametrize(
    ("harm", "told"), [(_lose, "is lost"), (_double, "2 times"), (_change, "were replaced")]
)
def test_the_judge_sees(mongod_uri: str, database_name: str, harm: Callable[[Any], None], told: str) -> None:
    with MongoClient[dict[str, Any]](mongod_uri) as client:
        db = client[database_name]
        accepted = Accepted(seconds={0: 0.1, 1: 0.1})

        def insert(resource_type: str, system: str, *values: str) -> None:
            for value in values:
                identifier = [{"system": f"urn:hl7v2:{system}", "value": value}]
                db[resource_type].insert_one({"_id": value, "r": {"identifier": identifier}})

        insert("DiagnosticReport", "report", "LAB/F1/58410-2")
        codes = ("718-7", "789-8", "6690-2", "777-3", "4544-3")
        insert("Observation", "observation", *(f"LAB/F1/58410-2/{code}" for code in codes))
        insert("Encounter", "id:MADEUP", "V0")
        insert("Patient", "id:MADEUP", "MRN0")
        db["Provenance"].insert_many([{}, {}])
        assert violations(db, accepted, 2) == []
        harm(db)
        [wrong] = violations(db, accepted, 2)
        assert told in wrong
