"""`$explain` over HTTP: for operators, on loopback as everything is, and audited as everything is."""

from __future__ import annotations

import httpx

from resources import validation
from tests.rest.expecting import body, events, refused


async def test_a_search_is_told_step_by_step(client: httpx.AsyncClient) -> None:
    await client.put(
        "Patient/ann", json={"resourceType": "Patient", "id": "ann", "name": [{"family": "Ann"}]}
    )
    answer = await client.get(
        "$explain", params={"search": "Observation?patient.family=ann&code=718-7&_sort=-date"}
    )
    told = body(answer)
    validation.check(told)
    steps = [{part["name"]: part for part in each["part"]} for each in told["parameter"]]
    assert [each["collection"]["valueString"] for each in steps] == ["Patient", "Observation", "Observation"]
    assert steps[0]["returned"]["valueInteger"] == 1
    assert "Patient/ann" in steps[2]["filter"]["valueString"]
    (event,) = await events(client, answer)
    assert event["subtype"][0]["code"] == "operation"


async def test_what_cannot_be_explained_is_refused(client: httpx.AsyncClient) -> None:
    refused(await client.get("$explain"), 400, says="one search was expected")
    refused(await client.get("$explain", params={"search": "Observation?nothing=1"}), 400, says="'nothing'")
    refused(await client.get("$explain", params={"search": "Nothing?x=1"}), 404, says="'Nothing'")
    refused(await client.post("$explain"), 405)
