"""`POST [base]/$process-hl7v2`: messages of HL7 v2 over HTTP."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from resources import validation
from tests.rest.conftest import Start
from tests.rest.expecting import body, events, refused, total

ER7 = "x-application/hl7-v2+er7"
FHIR = "application/fhir+json"


def admission(number: str, control_id: str = "1", family: str = "Jansen", event: str = "A01") -> str:
    return (
        f"MSH|^~\\&|ADT|HOSP|HUB|X|20260101120000+0000||ADT^{event}|{control_id}|P|2.5.1\r"
        f"EVN|{event}|20260101120000+0000\r"
        f"PID|1||{number}^^^HOSP^MR||{family}^An||19700131|F\r"
        f"PV1|1|I|W1^R2^B3||||||||||||||||V{number}^^^HOSP^VN\r"
    )


async def send(client: httpx.AsyncClient, message: str | bytes, **headers: str) -> httpx.Response:
    sent = {
        "Content-Type": ER7,
        "Accept": "*/*",
        **{name.replace("_", "-"): each for name, each in headers.items()},
    }
    return await client.post("$process-hl7v2", content=message, headers=sent)


def msa(answer: httpx.Response) -> list[str]:
    return [line for line in answer.text.split("\r") if line.startswith("MSA")]


async def test_a_message_is_answered_by_its_acknowledgment(client: httpx.AsyncClient) -> None:
    answer = await send(client, admission("100", "A1"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ER7
    assert msa(answer) == ["MSA|AA|A1"]
    assert await total(client, "Patient", identifier="100") == 1
    assert await total(client, "Encounter", identifier="V100") == 1
    told = await events(client, answer)
    assert [each["subtype"][0]["code"] for each in told] == ["operation"]


async def test_without_msh_10_it_is_processed_and_told(client: httpx.AsyncClient) -> None:
    first = await send(client, admission("109", ""))
    assert msa(first) == ["MSA|AA"]
    assert "ERR||MSH^1^10^1|101^Required field missing^HL70357|W|" in first.text
    assert (await send(client, admission("109", ""))).content == first.content
    assert await total(client, "Encounter", identifier="V109") == 1


async def test_the_same_again_gets_the_same_answer(client: httpx.AsyncClient) -> None:
    first = await send(client, admission("101", "B1"))
    again = await send(client, admission("101", "B1"))
    assert (again.status_code, again.content) == (200, first.content)
    assert await total(client, "Encounter", identifier="V101") == 1


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/hl7-v2", "application/hl7-v2; charset=ISO-8859-1"]
)
async def test_other_media_types(client: httpx.AsyncClient, media_type: str) -> None:
    answer = await send(client, admission("102", media_type[-3:]), Content_Type=media_type)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type.partition(";")[0]
    assert msa(answer)[0].startswith("MSA|AA")


async def test_the_charset_of_content_type_counts_where_msh_18_says_nothing(
    client: httpx.AsyncClient,
) -> None:
    raw = admission("103", "C1", "Müller").encode("iso-8859-1")
    assert (await send(client, raw, Content_Type="text/plain; charset=iso-8859-1")).status_code == 200
    found = body(await client.get("Patient", params={"identifier": "103"}))
    assert found["entry"][0]["resource"]["name"][0]["family"] == "Müller"
    utf8 = admission("104", "C2", "Müller").replace("|2.5.1\r", "|2.5.1||||||UNICODE UTF-8\r").encode()
    await send(client, utf8, Content_Type="text/plain; charset=iso-8859-1")
    found = body(await client.get("Patient", params={"identifier": "104"}))
    assert found["entry"][0]["resource"]["name"][0]["family"] == "Müller"


async def test_refusals_are_acknowledgments_too(client: httpx.AsyncClient) -> None:
    answer = await send(client, admission("105", "D1").replace("ADT^A01", "ZZZ^Z01"))
    assert (answer.status_code, msa(answer)[0][:9]) == (200, "MSA|AR|D1")
    assert "ERR|" in answer.text


async def test_with_accept_fhir_the_answer_is_the_transaction_response(client: httpx.AsyncClient) -> None:
    answer = await send(client, admission("106", "E1"), Accept=FHIR)
    assert answer.status_code == 200
    bundle = body(answer)
    validation.check(bundle)
    assert bundle["type"] == "transaction-response"
    locations = [each["response"].get("location", "") for each in bundle["entry"]]
    assert {each.partition("/")[0] for each in locations if each} >= {"Patient", "Encounter", "Provenance"}
    for each in filter(None, locations):
        assert (await client.get(each)).status_code == 200
    again = body(await send(client, admission("106", "E1"), Accept=FHIR))
    assert again == bundle
    refused(
        await send(client, admission("107", "E2").replace("ADT^A01", "ZZZ^Z01"), Accept=FHIR),
        400,
        says="MSH-9.1",
    )
    refused(await send(client, "this is no message", Accept=FHIR), 400, says="MSH")


async def test_a_dry_run_shows_the_bundle_and_keeps_nothing(client: httpx.AsyncClient) -> None:
    url, headers = "$process-hl7v2?dryRun=true", {"Content-Type": ER7}
    answer = await client.post(url, content=admission("108", "F1"), headers=headers)
    bundle = body(answer)
    validation.check(bundle)
    assert (answer.status_code, bundle["type"]) == (200, "transaction")
    assert await total(client, "Patient", identifier="108") == 0
    listed = body(await client.get("$feed", params={"patient": "108"}))
    assert "parameter" not in listed
    refused(
        await client.post("$process-hl7v2?dryRun=yes", content="MSH", headers=headers), 400, says="dryRun"
    )
    refused(
        await client.post("$process-hl7v2?nonsense=1", content="MSH", headers=headers), 400, says="nonsense"
    )
    refused(
        await client.post(url, content=admission("1").replace("ADT^", "ZZZ^"), headers=headers),
        400,
        says="ZZZ",
    )


async def test_a_batch_is_answered_by_a_batch(client: httpx.AsyncClient) -> None:
    messages = [admission("109", f"G{n}", f"Name{n}") for n in range(6)]
    messages[3] = messages[3].replace("ADT^A01", "ZZZ^Z01")
    batch = "BHS|^~\\&|ADT|HOSP|HUB|X|20260101||||B7\r" + "".join(messages) + "BTS|6\r"
    answer = await send(client, batch)
    assert [each[:9] for each in msa(answer)] == [f"MSA|{'AR' if n == 3 else 'AA'}|G{n}" for n in range(6)]
    assert answer.text.startswith("BHS|")
    found = body(await client.get("Patient", params={"identifier": "109"}))
    assert found["entry"][0]["resource"]["name"][0]["family"] == "Name5"
    told = body(await send(client, batch.replace("BTS|6", "BTS|7"), Accept=FHIR))
    validation.check(told)
    assert told["type"] == "batch-response"
    statuses = [each["response"]["status"][:3] for each in told["entry"]]
    assert statuses == ["200", "200", "200", "400", "200", "200", "200"]
    assert "7 messages are announced" in str(told["entry"][-1]["resource"])


async def test_bodies_that_are_refused(client: httpx.AsyncClient) -> None:
    refused(await send(client, "{}", Content_Type="application/json"), 415, says="hl7-v2")
    refused(await send(client, "MSH|", Content_Type="text/plain; charset=klingon"), 415, says="charset")
    refused(await send(client, ""), 400, says="empty")
    refused(await client.get("$process-hl7v2"), 405)


async def test_a_body_that_is_too_large(start: Start) -> None:
    async with start(max_body_bytes=4096) as client:
        refused(await send(client, admission("1") + "ZZZ|" + "A" * 5000), 413)


def parts(parameter: dict[str, Any]) -> dict[str, Any]:
    """Name → value of the parts of a parameter; of those that come again the last."""
    return {
        each["name"]: next(
            (value for key, value in each.items() if key.startswith("value")), each.get("part")
        )
        for each in parameter["part"]
    }


async def test_the_feed_lists_what_came_in_newest_first(client: httpx.AsyncClient) -> None:
    for number in range(5):
        await send(client, admission("110", f"H{number}").replace("|ADT|HOSP|", "|LIST|HOSP|"))
    await send(
        client, admission("110", "H9").replace("|ADT|HOSP|", "|LIST|HOSP|").replace("ADT^A01", "ZZZ^Z01")
    )
    answer = await client.get("$feed", params={"sender": "LIST|HOSP", "_count": "4"})
    listed = body(answer)
    validation.check(listed)
    first = [parts(each) for each in listed["parameter"] if each["name"] == "message"]
    assert [each["control-id"] for each in first] == ["H9", "H4", "H3", "H2"]
    assert (first[0]["status"], parts({"part": first[0]["issue"]})["place"]) == ("rejected", "MSH-9.1")
    cursor = listed["parameter"][-1]["valueString"]
    rest = body(await client.get("$feed", params={"sender": "LIST|HOSP", "_count": "4", "_cursor": cursor}))
    assert [parts(each)["control-id"] for each in rest["parameter"]] == ["H1", "H0"]
    dead = body(await client.get("$feed", params={"sender": "LIST|HOSP", "status": "error,rejected"}))
    assert len(dead["parameter"]) == 1
    later = body(await client.get("$feed", params={"since": "2100-01-01", "sender": "LIST|HOSP"}))
    assert "parameter" not in later
    (event,) = await events(client, answer)
    assert event["outcome"] == "0"
    refused(await client.get("$feed", params={"status": "lost"}), 400, says="status")
    refused(await client.get("$feed", params={"_cursor": "x"}), 400)
    refused(await client.get("$feed", params={"_count": "-1"}), 400)
    refused(await client.get("$feed", params={"since": "yesterday"}), 400, says="since")
    refused(await client.get("$feed", params={"nonsense": "1"}), 400, says="nonsense")


async def test_one_message_is_shown_in_full(client: httpx.AsyncClient) -> None:
    await send(client, admission("111", "I1"))
    listed = body(await client.get("$feed", params={"patient": "111"}))
    row_id = parts(listed["parameter"][0])["id"]
    answer = await client.get("$feed-message", params={"id": row_id})
    shown = body(answer)
    validation.check(shown)
    told = {each["name"] for each in shown["parameter"]}
    assert told >= {"raw", "segment", "answer", "written", "status"}
    segments = [parts(each) for each in shown["parameter"] if each["name"] == "segment"]
    assert [each["name"] for each in segments] == ["MSH", "EVN", "PID", "PV1"]
    assert segments[2]["PID-5"] == "Jansen^An"
    (event,) = await events(client, answer)
    assert any("Patient/" in each.get("what", {}).get("reference", "") for each in event["entity"])
    refused(await client.get("$feed-message", params={"id": "nothing"}), 404, says="$feed lists")
    refused(await client.get("$feed-message"), 400)


async def test_what_no_mapping_reads_is_shown(client: httpx.AsyncClient) -> None:
    await send(client, admission("111", "I1") + "ZDS|1.2.3\r")
    listed = body(await client.get("$feed", params={"patient": "111"}))
    shown = body(await client.get("$feed-message", params={"id": parts(listed["parameter"][0])["id"]}))
    issues = [parts(each) for each in shown["parameter"] if each["name"] == "issue"]
    assert [(each["place"], each["severity"]) for each in issues if "mapped" in each["text"]][-1] == (
        "ZDS",
        "information",
    )


async def test_a_replay_shows_what_it_changes_before_it_does(client: httpx.AsyncClient) -> None:
    await send(client, admission("112", "J1"))
    (entry,) = body(await client.get("Patient", params={"identifier": "112"}))["entry"]
    patient = entry["resource"]
    wrong = {**patient, "name": [{"family": "Wrong"}]}
    await client.put(f"Patient/{patient['id']}", json=wrong)
    row_id = parts(body(await client.get("$feed", params={"patient": "112"}))["parameter"][0])["id"]
    seen = body(await client.post("$feed-replay", params={"id": row_id}))
    validation.check(seen)
    resources = [parts(each) for each in seen["parameter"][0]["part"] if each["name"] == "resource"]
    assert [each["reference"] for each in resources] == [f"Patient/{patient['id']}"]
    assert "Wrong" in str(seen)
    now = body(await client.get(f"Patient/{patient['id']}"))
    assert now["name"][0]["family"] == "Wrong"
    done = body(await client.post("$feed-replay", params={"id": row_id, "commit": "true"}))
    told = parts(done["parameter"][0])
    assert (told["status"], told["replays"]) == ("processed", 1)
    now = body(await client.get(f"Patient/{patient['id']}"))
    assert now["name"][0]["family"] == "Jansen"
    again = body(await client.post("$feed-replay", params={"id": row_id}))
    assert not [each for each in again["parameter"][0]["part"] if each["name"] == "resource"]


async def test_what_is_no_message_is_shown_and_cannot_be_replayed(client: httpx.AsyncClient) -> None:
    answer = await send(client, "GARBAGE that is unlike any other")
    assert answer.status_code == 204
    listed = body(await client.get("$feed", params={"status": "rejected", "_count": "1"}))
    told = parts(listed["parameter"][0])
    assert told["flag"] == "unreadable"
    shown = body(await client.get("$feed-message", params={"id": told["id"]}))
    raw = next(each["valueBase64Binary"] for each in shown["parameter"] if each["name"] == "raw")
    assert base64.b64decode(raw) == b"GARBAGE that is unlike any other"
    for commit in ("true", "false"):
        done = body(await client.post("$feed-replay", params={"id": told["id"], "commit": commit}))
        assert parts(done["parameter"][0])["refused"] is True


async def test_clients_may_be_forbidden_to_choose_ids(start: Start) -> None:
    async with start(update_create=False) as client:
        assert msa(await send(client, admission("200", "U1"))) == ["MSA|AA|U1"]
        refused(await client.put("Patient/x", json={"resourceType": "Patient", "id": "x"}), 405)


async def test_dead_letters_are_replayed_together(client: httpx.AsyncClient) -> None:
    for number in range(3):
        message = admission("113", f"K{number}").replace("|ADT|HOSP|", "|DEAD|HOSP|")
        await send(client, message.replace("ADT^A01", "ZZZ^Z01"))
    done = body(await client.post("$feed-replay", params={"sender": "DEAD|HOSP", "commit": "true"}))
    assert [parts(each)["control-id"] for each in done["parameter"]] == ["K0", "K1", "K2"]
    assert {parts(each)["status"] for each in done["parameter"]} == {"rejected"}
    refused(await client.post("$feed-replay", params={"commit": "yes"}), 400, says="commit")
