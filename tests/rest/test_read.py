"""The read interaction. http://hl7.org/fhir/R4/http.html#read"""

from __future__ import annotations

import httpx
import pytest

from tests.rest.expecting import body, events, patient, posted, refused, subtypes

EXACT = (
    b'{"resourceType":"Observation","status":"final","_status":{"extension":[{"url":"http://example.org/x",'
    b'"valueDecimal":-0.00}]},"code":{"text":"\xc3\xa4\xe2\x82\xac\xf0\x9f\xa9\xba \\"quoted\\" \\\\ /"},'
    b'"effectiveDateTime":"2026-02","valueQuantity":{"value":%s,"unit":"mmol/L"},'
    b'"component":[{"code":{"text":"b"},"valueRange":{"high":{"value":1.50},"low":{"value":1.0}}},'
    b'{"valueBoolean":false,"code":{"text":"a"}}]}'
)


async def test_what_was_sent_comes_back_with_id_and_meta(client: httpx.AsyncClient) -> None:
    sent = patient(name=[{"family": "Chalmers", "given": ["Peter", "James"]}], birthDate="1974-12-25")
    logical_id = await posted(client, sent)
    response = await client.get(f"Patient/{logical_id}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert response.headers["etag"] == 'W/"1"'
    read = body(response)
    meta = read.pop("meta")
    assert meta["versionId"] == "1"
    assert meta["lastUpdated"].endswith("Z")
    assert read == {**sent, "id": logical_id}


@pytest.mark.parametrize(
    "number",
    ["6.30", "6.3", "1e3", "1E3", "1.0e-3", "0.00000001", "-0.0", "100", "0",
     "1234567890123456789012345678901234", "0.1234567890123456789012345678901234", "12345678901234567890.50",
     "2147483648", "-3000000000", "999999999999999999", "1000000000000000000", "9223372036854775807",
     "9223372036854775808", "-9223372036854775809", "1E400", "1e-400", "-0", "0e0", "0.00", "100e2"],
)  # fmt: skip
async def test_every_byte_of_every_value_comes_back(client: httpx.AsyncClient, number: str) -> None:
    sent = EXACT % number.encode()
    created = await client.post("Observation", content=sent)
    assert created.status_code == 201, created.text
    read = await client.get(f"Observation/{created.json()['id']}")
    assert read.content == created.content
    after_meta = sent.removeprefix(b'{"resourceType":"Observation",')
    head, _, rest = read.content.partition(b'"},"status"')
    assert b'"meta":{' in head
    assert b'"status"' + rest == after_meta


@pytest.mark.parametrize("birth_date", ["1974", "1974-12", "1974-12-25"])
async def test_partial_dates_and_extensions_of_primitives_stay(
    client: httpx.AsyncClient, birth_date: str
) -> None:
    time = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                           "valueDateTime": "1974-12-25T14:35:45-05:00"}]}  # fmt: skip
    sent = patient(
        birthDate=birth_date, _birthDate=time, name=[{"given": ["a", None], "_given": [None, time]}]
    )
    read = body(await client.get(f"Patient/{await posted(client, sent)}"))
    assert {name: read[name] for name in sent} == sent


async def test_the_order_of_keys_stays(client: httpx.AsyncClient) -> None:
    sent = {"resourceType": "Patient", "gender": "female", "birthDate": "1974-12-25", "active": True}
    read = body(await client.get(f"Patient/{await posted(client, sent)}"))
    assert [name for name in read if name not in {"id", "meta"}] == list(sent)


async def test_what_meta_held_stays_but_version_and_date_are_the_servers(client: httpx.AsyncClient) -> None:
    tag = {"system": "http://example.org/tags", "code": "t"}
    meta = {"versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z", "tag": [tag], "source": "urn:x:y"}
    read = body(await client.get(f"Patient/{await posted(client, patient(meta=meta))}"))
    assert read["meta"]["versionId"] == "1"
    assert not read["meta"]["lastUpdated"].startswith("2001")
    assert read["meta"]["tag"] == [tag]
    assert read["meta"]["source"] == "urn:x:y"


async def test_what_never_was_is_404(client: httpx.AsyncClient) -> None:
    response = await client.get("Patient/never-was")
    refused(response, 404, says="Patient/never-was")
    assert subtypes(await events(client, response)) == ["read"]


@pytest.mark.parametrize("path", ["patient/1", "Foo/1", "Resource/1", "DomainResource/1"])
async def test_what_is_no_type_is_404(client: httpx.AsyncClient, path: str) -> None:
    refused(await client.get(path), 404, says=f"'{path.partition('/')[0]}' is not a FHIR R4 resource type")


async def test_an_id_of_64_characters_is_one_and_of_65_is_none(client: httpx.AsyncClient) -> None:
    longest = "a" * 64
    assert (await client.put(f"Patient/{longest}", json=patient(id=longest))).status_code == 201
    assert (await client.get(f"Patient/{longest}")).json()["id"] == longest
    refused(await client.get(f"Patient/{longest}a"), 400, says="is not an id")


async def test_only_who_has_another_version_gets_it(client: httpx.AsyncClient) -> None:
    await client.put("Patient/known", json=patient(id="known"))
    for tag in ('W/"1"', '"1"', "*", 'W/"7", W/"1"'):
        response = await client.get("Patient/known", headers={"If-None-Match": tag})
        assert response.status_code == 304, tag
        assert response.content == b""
        assert response.headers["etag"] == 'W/"1"'
        assert subtypes(await events(client, response)) == ["read"]
    assert (await client.get("Patient/known", headers={"If-None-Match": 'W/"2"'})).status_code == 200


async def test_only_who_has_an_older_one_gets_it(client: httpx.AsyncClient) -> None:
    created = await client.put("Patient/dated", json=patient(id="dated"))
    modified = created.headers["last-modified"]
    assert (await client.get("Patient/dated", headers={"If-Modified-Since": modified})).status_code == 304
    old = {"If-Modified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}
    assert (await client.get("Patient/dated", headers=old)).status_code == 200
    # RFC 9110 §13.1.3: what is no date is ignored, and so is the header beside If-None-Match
    assert (await client.get("Patient/dated", headers={"If-Modified-Since": "soon"})).status_code == 200
    both = {"If-Modified-Since": modified, "If-None-Match": 'W/"9"'}
    assert (await client.get("Patient/dated", headers=both)).status_code == 200


async def test_types_are_kept_apart(client: httpx.AsyncClient) -> None:
    await client.put("Patient/same", json=patient(id="same"))
    refused(await client.get("Practitioner/same"), 404)
