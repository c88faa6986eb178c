"""Whatever resource is posted: it comes back as it was sent, or is refused with an outcome; never a 5xx."""

from __future__ import annotations

import random
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capability.table import TABLE
from resources import codec, validation
from tests.resources import generated
from tests.rest.expecting import body, refused

TYPES = sorted(name for name in TABLE.types if TABLE.allows(name, "update") and name != "Binary")


def examples(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )


DECIMALS = st.from_regex(r"-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
TEXTS = st.text(max_size=40)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), TEXTS, DECIMALS.map(codec.number),
    st.sampled_from(["2026-02-29", "Patient/1", "#x", "http://example.org", "male", "final", "\ud7ff", "\uffff"]),
)  # fmt: skip
KEYS = st.sampled_from(
    ["resourceType", "id", "meta", "extension", "url", "valueString", "valueDecimal", "name", "family", "given", "_given",
     "birthDate", "_birthDate", "contained", "text", "identifier", "$set", "a.b", ""]
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


async def stored_or_refused(client: httpx.AsyncClient, resource_type: str, resource: Any) -> bool:
    """Whether it was stored; what was is read back and compared to the digit and the order of keys."""
    response = await client.post(resource_type, content=codec.encode(resource))
    if response.status_code != 201:
        assert 400 <= response.status_code < 500, response.text
        refused(response, response.status_code)
        return False
    read = await client.get(f"{resource_type}/{body(response)['id']}")
    assert read.content == response.content
    validation.check(body(read))
    assert codec.encode(_without_identity(body(read))) == codec.encode(_without_identity(resource))
    return True


def _without_identity(resource: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in resource.items() if name not in {"id", "meta"}}
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    return {**rest, "meta": meta}


@examples(100)
@given(resource_type=st.sampled_from(TYPES), seed=st.integers(0, 2**32))
async def test_valid_resources_of_any_type(client: httpx.AsyncClient, resource_type: str, seed: int) -> None:
    await stored_or_refused(client, resource_type, generated.resource(resource_type, random.Random(seed)))


@examples(250)
@given(resource_type=st.sampled_from(TYPES), seed=st.integers(0, 2**32), defects=st.integers(1, 4))
async def test_resources_with_defects(
    client: httpx.AsyncClient, resource_type: str, seed: int, defects: int
) -> None:
    rng = random.Random(seed)
    resource = generated.resource(resource_type, rng)
    for _ in range(defects):
        resource = generated.mutated(resource, rng)
        if not resource:
            break
    await stored_or_refused(client, resource_type, resource)


@examples(100)
@given(number=DECIMALS, text=TEXTS.filter(bool))
async def test_any_number_and_any_text_stay_what_they_are(
    client: httpx.AsyncClient, number: str, text: str
) -> None:
    resource = {
        "resourceType": "Basic",
        "code": {"text": text},
        "extension": [{"url": "http://example.org/x", "valueDecimal": codec.number(number)}],
    }
    await stored_or_refused(client, "Basic", resource)


@examples(150)
@given(value=JSON)
async def test_any_json(client: httpx.AsyncClient, value: Any) -> None:
    if isinstance(value, dict):
        value = {"resourceType": "Patient", **value}
    await stored_or_refused(client, "Patient", value)


@examples(60)
@given(raw=st.one_of(st.binary(max_size=60), JSON.map(codec.encode).flatmap(
    lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut]))))  # fmt: skip
async def test_any_bytes(client: httpx.AsyncClient, raw: bytes) -> None:
    for method, path, kind in (
        ("POST", "Patient", "application/fhir+json"),
        ("POST", "", "application/fhir+json"),
        ("PATCH", "Patient/x", "application/json-patch+json"),
        ("POST", "Patient/_search", "application/x-www-form-urlencoded"),
    ):
        response = await client.request(method, path, content=raw, headers={"Content-Type": kind})
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            refused(response, response.status_code)


ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "fullUrl": st.sampled_from(["urn:uuid:6e1b2e02-4a4f-4b8c-9f0b-0c2b6a3a1f10", "http://x/Patient/1", "", "x"]),
        "resource": st.sampled_from([{"resourceType": "Patient"}, {"resourceType": "Patient", "id": "e"}, {}, None,
                                     {"resourceType": "Observation", "subject": {"reference": "Patient?identifier=x"},
                                      "status": "final", "code": {"text": "x"}},
                                     {"resourceType": "Parameters"}, {"resourceType": "Binary"}]),
        "request": st.fixed_dictionaries(
            {"method": st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "get", ""]),
             "url": st.sampled_from(["Patient", "Patient/e", "Patient?identifier=x", "Patient?", "?", "/", "metadata", "x/y/z",
                                     "Patient/e/_history", "_history?_count=1", "AuditEvent/1", "Patient/%zz", "Binary/1"])},
            optional={"ifMatch": st.sampled_from(['W/"1"', "x", "*"]), "ifNoneExist": st.sampled_from(["identifier=x", "x", ""]),
                      "ifNoneMatch": st.sampled_from(["*", "x"]), "ifModifiedSince": st.sampled_from(["2026-01-01T00:00:00Z", "x"])},
        ),
    },
)  # fmt: skip


@examples(150)
@given(kind=st.sampled_from(["batch", "transaction"]), entries=st.lists(ENTRY, max_size=5))
async def test_any_bundle(client: httpx.AsyncClient, kind: str, entries: list[Any]) -> None:
    response = await client.post("", json={"resourceType": "Bundle", "type": kind, "entry": entries})
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        refused(response, response.status_code)
        return
    answered = body(response)
    validation.check(answered)
    assert len(answered.get("entry", [])) == len(entries)
