"""Real resources there and back again; bodies with one defect accepted or refused as labelled."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_server.interactions.create import marked_external
from resources import codec
from tests.rest.expecting import body, refused

CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[2] / ".." / "shared" / "corpus")) / "fhir"
EXAMPLES = sorted((CORPUS / "examples").glob("*.json"))
PROBES_FILE = CORPUS / "probes" / "one-defect.json"
PROBES: list[dict[str, Any]] = json.loads(PROBES_FILE.read_text()) if PROBES_FILE.exists() else []

needs_corpus = pytest.mark.skipif(
    not EXAMPLES or not PROBES, reason="FHIR_CORPUS names no folder with fhir examples"
)


def _values(resource: dict[str, Any]) -> bytes:
    """All of it, to the digit and the order of keys, but for what stands first in each stored resource."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    rest = {k: v for k, v in resource.items() if k not in {"resourceType", "id", "meta"}}
    return codec.encode([resource["resourceType"], meta, rest])


@needs_corpus
@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
async def test_examples_come_back_as_they_were(client: httpx.AsyncClient, path: Path) -> None:
    sent = codec.decode(path.read_bytes())
    resource_type = sent["resourceType"]
    created = await client.post(resource_type, content=path.read_bytes())
    assert created.status_code == 201, created.text
    read = await client.get(f"{resource_type}/{body(created)['id']}")
    expected = marked_external(sent) if resource_type == "AuditEvent" else sent
    assert _values(body(read)) == _values(expected)
    if "id" in sent and resource_type != "AuditEvent":
        put = await client.put(f"{resource_type}/{sent['id']}", content=path.read_bytes())
        assert put.status_code in {200, 201}, put.text
        again = body(await client.get(f"{resource_type}/{sent['id']}"))
        assert again["id"] == sent["id"]
        assert _values(again) == _values(sent)


@needs_corpus
@pytest.mark.parametrize("probe", PROBES, ids=[probe["label"] for probe in PROBES])
async def test_probes_are_judged_as_labelled(client: httpx.AsyncClient, probe: dict[str, Any]) -> None:
    content = probe["body"].encode()
    response = await client.post(probe["type"], content=content)
    if probe["expect"] == "accept":
        assert response.status_code == 201, response.text
        assert _values(body(await client.get(f"{probe['type']}/{body(response)['id']}"))) == _values(
            codec.decode(content)
        )
        return
    if probe["expect"] == "either" and response.status_code == 201:
        return
    assert response.status_code in {400, 422}, response.text
    outcome = refused(response, response.status_code)
    errors = [issue for issue in outcome["issue"] if issue["severity"] == "error"]
    told = [expression for issue in errors for expression in issue.get("expression", [])]
    if errors[0]["diagnostics"].startswith(
        ("The body is", "The key", "NaN", "Infinity", "A number", "A string")
    ):
        return  # it is no JSON that FHIR allows: there is no element to name
    assert told, errors
    named = re.findall(rf"\b{probe['type']}\.([a-zA-Z]+)", probe["label"])
    assert all(any(name in expression for expression in told) for name in named), (named, told)
