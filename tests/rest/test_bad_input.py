"""Bad input: the right 4xx, with an OperationOutcome that tells what and where, and nothing stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from tests.rest.conftest import Start
from tests.rest.expecting import body, events, observation, patient, refused

DEEP = 10_000


async def stored(client: httpx.AsyncClient) -> list[str]:
    """Every resource there is, in short; AuditEvents aside."""
    found = []
    for kind in ("Patient", "Observation", "Bundle", "Basic"):
        bundle = (await client.get(kind, params={"_count": 1000})).json()
        found += [str(entry["resource"])[:300] for entry in bundle.get("entry", [])]
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def nothing_is_stored(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """Whatever the tests of this file send."""
    assert await stored(client) == []
    yield
    assert await stored(client) == []


def valued(number: str) -> bytes:
    head = '{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":'
    return f"{head}{number}}}}}".encode()


BODIES = {
    "empty": (b"", "empty"),
    "blank": (b" \n\t", "empty"),
    "cut off": (b'{"resourceType":"Patient"', "line 1 column"),
    "trailing comma": (b'{"resourceType":"Patient",}', "line 1 column"),
    "single quotes": (b"{'resourceType':'Patient'}", "line 1 column"),
    "comment": (b'{"resourceType":"Patient"} // x', "line 1 column"),
    "two values": (b'{"resourceType":"Patient"}{"resourceType":"Patient"}', "line 1 column"),
    "line and column": (b'{"resourceType":\n  "Patient",\n  active}', "line 3 column"),
    "array": (b'[{"resourceType":"Patient"}]', "array"),
    "string": (b'"Patient"', "string"),
    "number": (b"5", "number"),
    "null": (b"null", "null"),
    "xml": (b'<Patient xmlns="http://hl7.org/fhir"/>', "line 1 column 1"),
    "byte order mark": (b'\xef\xbb\xbf{"resourceType":"Patient"}', "byte order mark"),
    "utf-16": ('{"resourceType":"Patient"}'.encode("utf-16"), "UTF-8"),
    "latin-1": ('{"resourceType":"Patient","language":"é"}'.encode("latin-1"), "UTF-8: byte"),
    "overlong utf-8": (b'{"resourceType":"Patient","language":"\xc0\xaf"}', "UTF-8: byte"),
    "encoded surrogate": (b'{"resourceType":"Patient","language":"\xed\xa0\x80"}', "UTF-8: byte"),
    "lone high surrogate": (b'{"resourceType":"Patient","language":"\\ud800"}', "surrogate"),
    "lone low surrogate": (b'{"resourceType":"Patient","language":"\\udc00x"}', "surrogate"),
    "surrogate as key": (b'{"resourceType":"Patient","\\ud800":1}', "surrogate"),
    "duplicate key": (b'{"resourceType":"Patient","active":true,"active":false}', "'active' stands twice"),
    "duplicate key inside": (b'{"resourceType":"Patient","name":[{"family":"a","family":"b"}]}', "'family'"),
    "duplicate by escape": (b'{"resourceType":"Patient","active":true,"\\u0061ctive":false}', "'active'"),
    "duplicate type": (b'{"resourceType":"Observation","resourceType":"Patient"}', "'resourceType'"),
    "raw control character": (b'{"resourceType":"Patient","language":"a\nb"}', "line 1 column"),
    "deep objects": (b'{"resourceType":"Patient","a":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", "levels deep"),
    "deep arrays": (b'{"resourceType":"Patient","a":' + b"[" * DEEP + b"]" * DEEP + b"}", "levels deep"),
    "deep and open": (b'{"resourceType":"Patient","a":' + b"[" * 100_000, ""),
    "deep extensions": (b'{"resourceType":"Patient","extension":' + b'[{"url":"u","extension":' * 200 + b"[]"
                        + b"}]" * 200 + b"}", "levels deep"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("where", ["POST Patient", "PUT Patient/bad", "POST ", "PATCH Patient/bad"])
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, name: str, where: str) -> None:
    content, says = BODIES[name]
    method, _, path = where.partition(" ")
    response = await client.request(method, path, content=content)
    outcome = refused(response, 400, says=says)
    assert outcome["issue"][0]["code"] == "structure"
    (event,) = await events(client, response)
    assert event["outcome"] == "4"


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "9" * 400, "0." + "1" * 400, "1e99999", "1e-99999", "1e999999999", "01", "1.",
     ".5", "+1", "0x10", "1_000", "--1", "1e", "- 1", "1" * 35, "1e" + "9" * 5000, "9" * 100_000],
)  # fmt: skip
async def test_what_is_no_number_is_refused(client: httpx.AsyncClient, number: str) -> None:
    refused(await client.post("Observation", content=valued(number)), 400)


@pytest.mark.parametrize("number", ["true", '"1"', "null", "[1]", "{}", "[]"])
async def test_what_is_another_type_is_refused(client: httpx.AsyncClient, number: str) -> None:
    outcome = refused(await client.post("Observation", content=valued(number)), 400)
    assert any(
        "Observation.value" in each for issue in outcome["issue"] for each in issue.get("expression", [])
    )


@pytest.mark.parametrize(
    "number", ["1.5", "2147483648", "-2147483649", "1e0", "1.0", "9" * 30, '"1"', "true"]
)
async def test_what_is_no_integer_is_refused(client: httpx.AsyncClient, number: str) -> None:
    content = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueInteger":%s}'
    refused(await client.post("Observation", content=content % number.encode()), 400, at="Observation.value")


@pytest.mark.parametrize("key", ["$set", "$where", "a.b", "a\0b", "", " ", "__proto__", "constructor", "_id", "a" * 100_000,
                                 "\u202e", "Active", "active ", "_", "$", ".", "resourceType ", "fhir_comments"])  # fmt: skip
@pytest.mark.parametrize("inside", [False, True])
async def test_unknown_members_are_refused_and_named(
    client: httpx.AsyncClient, key: str, inside: bool
) -> None:
    resource = patient(name=[{"family": "x", key: 1}]) if inside else patient(**{key: 1})
    outcome = refused(await client.post("Patient", json=resource), 400)
    place = "Patient.name[0]" if inside else "Patient"
    assert any(each.startswith(place) for issue in outcome["issue"] for each in issue.get("expression", []))
    assert len(str(outcome)) < 20_000


@pytest.mark.parametrize("text", ["a\0b", "\0", "\x01", "\x1b[31m", "\x7f\x08", "", "\ufeff\0"])
async def test_texts_that_are_none_are_refused(client: httpx.AsyncClient, text: str) -> None:
    outcome = refused(await client.post("Patient", json=patient(name=[{"family": text}])), 400)
    told = [each for issue in outcome["issue"] for each in issue.get("expression", [])]
    assert "Patient.name[0].family" in told


@pytest.mark.parametrize(
    ("element", "value"),
    [("birthDate", "2020-02-30"), ("birthDate", "20-02-03"), ("birthDate", "2020-2-3"), ("birthDate", "2020-01-01T00:00:00Z"),
     ("birthDate", 2020), ("birthDate", "0000"), ("birthDate", ""), ("birthDate", "2020-01-01 "), ("birthDate", None),
     ("deceasedDateTime", "2020-01-01T25:00:00Z"), ("deceasedDateTime", "2020-01-01T10:00:00"),
     ("deceasedDateTime", "2020-01-01T10:00Z"), ("deceasedDateTime", "now"), ("active", "true"), ("active", 1),
     ("gender", "MALE"), ("gender", ["male"]), ("multipleBirthInteger", "2"), ("name", {}), ("name", "x"), ("name", [[]]),
     ("photo", [{"data": "%%%"}]), ("photo", [{"url": "a b"}]), ("identifier", [{"use": "bogus"}]), ("contained", [{}]),
     ("contained", ["x"]), ("contained", [{"resourceType": "Foo", "id": "a"}]), ("contained", None), ("text", "x"),
     ("text", {"status": "generated", "div": "<div>no namespace</div>"}),
     ("text", {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'}),
     ("meta", []), ("meta", {"lastUpdated": "yesterday"}), ("id", "a b"), ("id", 1), ("implicitRules", 5),
     ("_active", True), ("_active", {"id": ""}), ("_name", [{}]), ("extension", [{}]), ("extension", [{"url": "u"}]),
     ("extension", [{"url": "u", "valueString": "a", "valueInteger": 1}]), ("managingOrganization", {"reference": "a b"})],
)  # fmt: skip
async def test_values_of_the_wrong_kind_are_refused_and_named(
    client: httpx.AsyncClient, element: str, value: object
) -> None:
    response = await client.post("Patient", json=patient(**{element: value}))
    assert response.status_code in {400, 422}, response.text
    outcome = refused(response, response.status_code)
    told = [
        each
        for issue in outcome["issue"]
        if issue["severity"] == "error"
        for each in issue.get("expression", [])
    ]
    assert any(
        element.strip("_").removesuffix("DateTime").removesuffix("Integer") in each for each in told
    ), told


IDS = [
    "..",
    ".",
    "a_b",
    "a b",
    "a/b",
    "a\\b",
    "é",
    "🩺",
    "a" * 65,
    "a\0",
    "a\n",
    "%",
    "$x",
    "<x>",
    "a;b",
    "'",
    "*",
    "a?b",
    "a#b",
    "",
]


@pytest.mark.parametrize("logical_id", IDS)
async def test_impossible_ids_are_refused_in_urls_and_bodies(
    client: httpx.AsyncClient, logical_id: str
) -> None:
    quoted = quote(logical_id, safe="").replace(".", "%2E")
    if logical_id not in {"", "$x"}:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            refused(
                await client.request(method, f"Patient/{quoted}", json=patient(id=logical_id)),
                400,
                says="is not an id",
            )
        refused(await client.get(f"Patient/{quoted}/_history"), 400)
        refused(await client.get(f"Patient/{quoted}/_history/1"), 400)
    refused(await client.put("Patient/possible", json=patient(id=logical_id)), 400)


@pytest.mark.parametrize(
    "path",
    ["%2e%2e/health/live", "%2e%2e%2fetc%2fpasswd", "Patient/%2e%2e/%2e%2e", "..%2f..%2f", "%5c..%5c", "Patient%00",
     "Patient%0d%0aX-Evil:%20y", "%E2%80%AE", "%FF", "%zz/1", "Patient/%zz", "Patient/%", "%", "Patient/1%2F_history"],
)  # fmt: skip
async def test_odd_paths_are_refused(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(f"{client.base_url}{path}")
    assert response.status_code in {400, 404}
    refused(response, response.status_code)
    assert "x-evil" not in response.headers


@pytest.mark.parametrize(
    "query", ["name=%", "name=%zz", "name=%f", "%ff=x", "name=%ED%A0%80", "name=%00", "a%00=1", "=%"]
)
async def test_broken_escapes_are_refused(client: httpx.AsyncClient, query: str) -> None:
    for path in ("Patient", "Patient/_history", "Patient/x", "metadata"):
        response = await client.get(f"{path}?{query}")
        if path in {"Patient", "Patient/_history"} or "zz" in query:
            refused(response, 400)
    body_ = await client.post(
        "Patient/_search", content=query, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    refused(body_, 400)


async def test_bodies_beyond_the_limit_are_413_before_they_are_read(start: Start) -> None:
    async with start(max_body_bytes=1_000_000) as client:
        refused(await client.post("Patient", content=b" " * 1_000_001), 413, says="1,000,000 bytes")
        refused(await client.post("Patient", content=_chunks(100_000_000)), 413, says="1,000,000 bytes")
        assert (
            await client.post("Patient", content=b'{"resourceType":"Patient"}'.ljust(1_000_000))
        ).status_code == 201


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100_000):
        yield b" " * 100_000


async def test_a_body_of_100_mb_is_413(client: httpx.AsyncClient) -> None:
    refused(await client.post("Patient", content=b"[" * 100_000_000), 413)


async def test_what_is_larger_than_a_document_may_be_is_413(client: httpx.AsyncClient) -> None:
    large = patient(name=[{"family": "x" * 1_000_000}] * 17)
    refused(await client.post("Patient", json=large), 413, says="16 MB")
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": each, "request": {"method": "POST", "url": "Patient"}} for each in (patient(), large)
        ],
    }
    refused(await client.post("", json=bundle), 413, says="16 MB")
    answers = body(await client.post("", json={**bundle, "type": "batch", "entry": bundle["entry"][1:]}))[
        "entry"
    ]
    assert answers[0]["response"]["status"].startswith("413")


async def test_wide_resources_are_judged_in_time(client: httpx.AsyncClient) -> None:
    refused(await client.post("Patient", json=patient(name=[{"family": ""}] * 20_000)), 400)
    refused(await client.post("Patient", json=patient(**{f"x{n}": n for n in range(20_000)})), 400)
    refused(
        await client.post("Patient", json=patient(contained=[patient(id=f"c{n}") for n in range(5_000)])), 422
    )


async def test_a_body_where_none_belongs_is_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.request("GET", "Patient?_id=x", content=b"garbage")).status_code == 200
    assert (await client.request("DELETE", "Patient/never", content=b"garbage")).status_code == 204


@pytest.mark.parametrize(
    ("header", "value"),
    [("If-Match", "garbage"), ("If-None-Match", "garbage"), ("If-Match", 'W/"' + "1" * 70 + '"'),
     ("If-None-Match", '"a b"'), ("If-Match", ",")],
)  # fmt: skip
async def test_broken_conditions_are_refused(client: httpx.AsyncClient, header: str, value: str) -> None:
    for method, path in (
        ("PUT", "Patient/c"),
        ("GET", "Patient/c"),
        ("DELETE", "Patient/c"),
        ("PATCH", "Patient/c"),
    ):
        response = await client.request(method, path, json=patient(id="c"), headers={header: value})
        refused(response, 400, says=header)


async def test_long_headers_and_urls_are_refused(client: httpx.AsyncClient) -> None:
    for name in ("Accept", "If-None-Exist", "Prefer", "X-Request-Id", "User-Agent", "Content-Type", "X-Any"):
        response = await client.post("Patient", content=b"{}", headers={name: "a" * 60_000})
        refused(response, response.status_code)
        assert response.status_code in {400, 406, 415, 431}
    refused(await client.get("Patient/" + "a" * 60_000), 400)
    refused(await client.get("a" * 60_000), 404)
    with pytest.raises(httpx.InvalidURL):
        await client.get("Patient?name=" + "a" * 200_000)


async def test_outcomes_quote_little_of_what_they_refuse(client: httpx.AsyncClient) -> None:
    large = "Q" * 500_000
    for response in (
        await client.post("Patient", json=patient(gender=large)),
        await client.post("Patient", json=patient(id=large)),
        await client.post("Patient", json={"resourceType": large}),
        await client.post("Patient", json=patient(birthDate=large)),
        await client.post("", json={"resourceType": "Bundle", "type": large}),
        await client.post("Observation", json=observation(status=large)),
        await client.put("Patient/x", json=patient(id=large)),
        await client.post("Patient", json=patient(managingOrganization={"reference": large + " "})),
        await client.post("Patient", json=patient(extension=[{"url": large, "valueX": large}])),
    ):
        assert len(refused(response, response.status_code)) > 0
        assert len(response.content) < 10_000, response.text[:300]
