"""What is sent comes back: every example of the corpus, of every type, as a client writes and reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from capability.table import TABLE
from tests.resources.official import CORPUS

EXAMPLES = CORPUS / "fhir" / "examples"
AT_ONCE = 16

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason=f"no corpus at {CORPUS}; set FHIR_CORPUS")


def _examples() -> Iterator[tuple[Path, bytes, str]]:
    for path in sorted(EXAMPLES.glob("*.json")):
        text = path.read_bytes()
        kind = json.loads(text)["resourceType"]
        if TABLE.allows(kind, "create"):
            yield path, text, kind


async def test_every_example_comes_back_value_by_value(client: httpx.AsyncClient) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def differs(path: Path, text: bytes, kind: str) -> str | None:
        async with gate:
            created = await client.post(kind, content=text)
            if created.status_code != 201:
                return f"{path.name}: {created.status_code} {created.text[:300]}"
            read = await client.get(f"{kind}/{created.json()['id']}")
        same = _values(read.content) == _values(text)
        return None if same else f"{path.name}: came back changed"

    examples = list(_examples())
    assert {kind for _, _, kind in examples} == {kind for kind in TABLE.types if TABLE.allows(kind, "create")}
    found = await asyncio.gather(*[differs(*example) for example in examples])
    assert [text for text in found if text] == []


def test_a_changed_digit_is_a_difference() -> None:
    assert _values(b'{"id":"1","value":6.30}') != _values(b'{"id":"2","value":6.3}')
    assert _values(b'{"id":"1","value":6.30}') == _values(b'{"id":"2","meta":{"versionId":"1"},"value":6.30}')


def _values(text: bytes) -> Any:
    """The resource with every number as it is written, without what the server gives: id, version and date."""
    resource = json.loads(text, parse_float=_spelled, parse_int=_spelled)
    resource.pop("id", None)
    meta = resource.pop("meta", {})
    kept = {name: value for name, value in meta.items() if name not in {"versionId", "lastUpdated"}}
    return resource | ({"meta": kept} if kept else {})


def _spelled(number: str) -> tuple[str, str]:
    return "number", number
