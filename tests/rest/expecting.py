"""What tests of the running server expect of any answer, whatever they ask for."""

from __future__ import annotations

from typing import Any

import httpx

from resources import codec, validation

Json = dict[str, Any]


def body(response: httpx.Response) -> Json:
    """The resource in a response, exact."""
    return codec.decode(response.content)


def refused(response: httpx.Response, status: int, *, says: str = "", at: str | None = None) -> Json:
    """The OperationOutcome of a refusal: valid R4, in FHIR JSON, with a request id, and without a stack trace."""
    assert response.status_code == status, f"{response.status_code} {response.text[:500]}"
    assert response.headers["content-type"].partition(";")[0] in {"application/fhir+json", "application/json"}
    assert response.headers["x-request-id"]
    outcome = body(response)
    assert outcome["resourceType"] == "OperationOutcome"
    validation.check(outcome)
    assert "Traceback" not in response.text
    assert any(issue["severity"] in {"error", "fatal"} for issue in outcome["issue"])
    assert all(issue["diagnostics"].strip() for issue in outcome["issue"])
    assert says in " ".join(issue["diagnostics"] for issue in outcome["issue"])
    if at is not None:
        told = [expression for issue in outcome["issue"] for expression in issue.get("expression", [])]
        assert at in told, told
    return outcome


async def total(client: httpx.AsyncClient, resource_type: str, **criteria: str) -> int:
    """How many resources of a type there are now."""
    found = await client.get(resource_type, params={"_total": "accurate", "_count": "0", **criteria})
    assert found.status_code == 200, found.text
    count: int = found.json()["total"]
    return count


async def events(client: httpx.AsyncClient, response: httpx.Response) -> list[Json]:
    """The AuditEvents of one request, oldest first."""
    params = {
        "entity:identifier": response.headers["x-request-id"],
        "_sort": "_lastUpdated",
        "_count": "1000",
    }
    found = await client.get("AuditEvent", params=params)
    assert found.status_code == 200, found.text
    return [entry["resource"] for entry in found.json().get("entry", [])]


def subtypes(found: list[Json]) -> list[str | None]:
    """The interaction of each event; None for a request that was none."""
    return [event["subtype"][0]["code"] if "subtype" in event else None for event in found]


def patient(**more: Any) -> Json:
    return {"resourceType": "Patient", **more}


def observation(**more: Any) -> Json:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **more}


async def posted(client: httpx.AsyncClient, resource: Json) -> str:
    """The id of a resource that was created."""
    response = await client.post(resource["resourceType"], content=codec.encode(resource))
    assert response.status_code == 201, response.text
    logical_id: str = response.json()["id"]
    return logical_id
