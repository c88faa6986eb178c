"""Instances come in over STOW-RS while the server is killed; what was acknowledged is then in the study."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.durability.server import ServerProcess, serving

ROOT = "1.2.826.0.1.3680043.8.498.77"
CT = "1.2.840.10008.5.1.4.1.1.2"
AT_ONCE = 20
_REFERENCED, _UID = "00081199", "00081155"


def instance(number: int) -> dict[str, Any]:
    values = {
        "00080016": ("UI", CT),
        "00080018": ("UI", f"{ROOT}.1.{number}"),
        "00080060": ("CS", "CT"),
        "00100020": ("LO", "4711"),
        "0020000D": ("UI", ROOT),
        "0020000E": ("UI", f"{ROOT}.1"),
        "00200013": ("IS", number),
    }
    return {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}


async def send(server: ServerProcess, start: int, acknowledged: set[str]) -> None:
    """Until it is acknowledged, as a modality does."""
    url = f"http://127.0.0.1:{server.port}/dicomweb/studies"
    body = [instance(number) for number in range(start, start + AT_ONCE)]
    headers = {"Content-Type": "application/dicom+json"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for _ in range(600):
            with suppress(httpx.TransportError):
                answer = await client.post(url, json=body, headers=headers)
                if answer.status_code in {200, 202}:
                    told = answer.json()[_REFERENCED]["Value"]
                    acknowledged.update(each[_UID]["Value"][0] for each in told)
                    if len(told) == AT_ONCE:
                        return
            await asyncio.sleep(0.1)
    raise AssertionError("never acknowledged")


async def shown(server: ServerProcess) -> set[str]:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        found = (await client.get(f"{server.base_url}/ImagingStudy")).json().get("entry", [])
    assert len(found) <= 1
    return {
        each["uid"]
        for entry in found
        for series in entry["resource"]["series"]
        for each in series.get("instance", ())
    }


@pytest.mark.timeout(300)
async def test_what_was_acknowledged_is_in_the_study_whenever_the_server_is_killed(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    with serving(tmp_path / "data") as server:

        async def sender(first: int) -> None:
            for start in range(first, 1200, 4 * AT_ONCE):
                await send(server, start, acknowledged)

        async def killer() -> None:
            for count in (200, 500, 900):
                while len(acknowledged) < count:
                    await asyncio.sleep(0.005)
                before = set(acknowledged)
                await asyncio.to_thread(server.kill)
                if count == 500:
                    server.kill_mongod()
                await asyncio.to_thread(server.start)
                assert before <= await shown(server)

        await asyncio.gather(*(sender(each * AT_ONCE) for each in range(4)), killer())
        assert len(acknowledged) == 1200
        assert await shown(server) == acknowledged
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            patients = (await client.get(f"{server.base_url}/Patient")).json()["entry"]
        assert len(patients) == 1
