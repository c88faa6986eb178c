"""Orders, results and the like over several messages, through the feed of a server on a real MongoDB."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
import pytest_asyncio
from fhirpathpy.models import models

from resources import codec
from tests.importers.hl7v2 import corpus
from tests.importers.hl7v2.feeding import Server, code, serving
from tests.importers.hl7v2.hospital import standard_mapping

Json = dict[str, Any]

CASES = Path(__file__).parents[2] / "cases" / "hl7v2"
PID = "PID|1||70021^^^NORTHGATE^MR||Okafor^Ngozi||19840217|F"
RESULT = "OBR|1|P1^EHR|F1^LAB|24321-2^Basic panel^LN|||20260314083000|||||||||||||||{at}|||{status}"
POTASSIUM = "OBX|1|NM|2823-3^Potassium^LN||{value}|mmol/L|3.5-5.1|{flag}|||{status}"


@pytest_asyncio.fixture
async def server(mongod_uri: str, database_name: str) -> AsyncIterator[Server]:
    async with serving(mongod_uri, database_name, standard_mapping) as server:
        yield server


class Sender:
    """Sends messages, each a minute later than the one before, and looks what is stored."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sent = 0

    async def send(self, kind: str, *segments: str, facility: str = "NGH", to: str = "REPO") -> str:
        self.sent += 1
        header = f"MSH|^~\\&|APP|{facility}|HUB|{to}|2026031410{self.sent:02d}00||{kind}|M{self.sent}|P|2.5.1"
        return await self.raw("\r".join((header, PID, *segments, "")).encode())

    async def raw(self, message: bytes) -> str:
        return code(await self.server.feed_one(message)).split()[0]

    async def all(self, resource_type: str) -> list[Json]:
        found = await self.server.store.find(resource_type, {})
        return [each["r"] for each in found if "deleted" not in each]

    async def only(self, resource_type: str) -> Json:
        [found] = await self.all(resource_type)
        return found

    async def result(
        self, value: str, flag: str = "", status: str = "F", at: str = "", report: str = ""
    ) -> str:
        obr = RESULT.format(at=at or f"2026031410{self.sent + 1:02d}00", status=report or status)
        return await self.send("ORU^R01", obr, POTASSIUM.format(value=value, flag=flag, status=status))


@pytest.fixture
def sender(server: Server) -> Sender:
    return Sender(server)


async def test_a_correction_is_a_new_version_of_the_same_result(sender: Sender) -> None:
    assert await sender.result("5.40", "H") == "AA"
    assert await sender.result("4.1", status="C") == "AA"
    observation, report = await sender.only("Observation"), await sender.only("DiagnosticReport")
    assert observation["status"] == report["status"] == "corrected"
    assert str(observation["valueQuantity"]["value"]) == "4.1"
    assert "interpretation" not in observation
    assert observation["meta"]["versionId"] == "2"
    history = await sender.server.store.find("Observation.history", {})
    assert [str(each["r"]["valueQuantity"]["value"]) for each in history] == ["5.40"]


async def test_a_preliminary_result_does_not_take_the_place_of_the_final_one(sender: Sender) -> None:
    await sender.result("5.4")
    assert await sender.result("5.2", status="P") == "AA"
    observation = await sender.only("Observation")
    assert (observation["status"], observation["meta"]["versionId"]) == ("final", "1")
    assert (await sender.only("DiagnosticReport"))["status"] == "final"


async def test_what_was_corrected_stays_corrected_until_it_changes(sender: Sender) -> None:
    await sender.result("5.4")
    await sender.result("5.3", status="C")
    await sender.result("5.3", status="F")
    assert (await sender.only("Observation"))["status"] == "corrected"
    await sender.result("5.2", status="F")
    assert (await sender.only("Observation"))["status"] == "final"


async def test_an_older_result_that_comes_late_overwrites_nothing(sender: Sender) -> None:
    await sender.result("5.4", at="20260314120000")
    await sender.result("3.3", at="20260314110000")
    assert str((await sender.only("Observation"))["valueQuantity"]["value"]) == "5.4"


@pytest.mark.parametrize(
    ("status", "expected"), [("D", "entered-in-error"), ("W", "entered-in-error"), ("X", "cancelled")]
)
async def test_a_result_is_withdrawn(sender: Sender, status: str, expected: str) -> None:
    await sender.result("5.4", "H")
    assert await sender.result("", status=status, report="C") == "AA"
    observation = await sender.only("Observation")
    assert observation["status"] == expected
    assert ("valueQuantity" in observation) == (expected == "entered-in-error")


async def test_a_result_under_another_control_id_writes_nothing(sender: Sender) -> None:
    at = "20260314120000"
    await sender.result("5.4", at=at)
    await sender.result("5.4", at=at)
    for kind in ("Patient", "ServiceRequest", "DiagnosticReport", "Observation"):
        assert (await sender.only(kind))["meta"]["versionId"] == "1", kind


async def test_equal_codes_of_a_report_stay_apart(sender: Sender) -> None:
    obr = RESULT.format(at="20260314120000", status="F")
    lines = ["OBX|1|SN|18906-8^Cipro^LN||<=^0.25|ug/mL||S|||F", "OBX|2|SN|18906-8^Cipro^LN||^29|mm||S|||F"]
    await sender.send("ORU^R01", obr, *lines)
    await sender.send("ORU^R01", obr, *lines)
    assert len(await sender.all("Observation")) == 2


async def test_the_result_meets_an_order_whose_placer_named_no_authority(sender: Sender) -> None:
    await sender.send("ORM^O01", "ORC|NW|77", "OBR|1|77||GLU^Glucose^L", facility="EHR", to="LAB")
    await sender.send("ORU^R01", "OBR|1|77|F9|GLU^Glucose^L|||||||||||||||||||||F", facility="LAB", to="EHR")
    order, report = await sender.only("ServiceRequest"), await sender.only("DiagnosticReport")
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{order['id']}"}]
    assert order["status"] == "active"


async def test_an_order_that_comes_after_its_result_stays_completed(sender: Sender) -> None:
    await sender.send(
        "ORU^R01", "ORC|RE|P5^EHR|F5^LAB", "OBR|1|P5^EHR|F5^LAB|GLU^Glucose^L|||||||||||||||||||||F"
    )
    assert (
        await sender.send("ORM^O01", "ORC|NW|P5^EHR||||||||||55^Sato", "OBR|1|P5^EHR||GLU^Glucose^L") == "AA"
    )
    order = await sender.only("ServiceRequest")
    assert (order["status"], order["requester"]["display"]) == ("completed", "Sato")


async def test_equal_orders_of_a_message_have_a_report_each(sender: Sender) -> None:
    lines = ["OBR|1|P6^EHR|F6^LAB|GLU^Glucose^L|||||||||||||||||||||F", "OBX|1|NM|GLU||5|mmol/L|||||F"] * 2
    await sender.send("ORU^R01", *lines)
    await sender.send("ORU^R01", *lines)
    assert (len(await sender.all("DiagnosticReport")), len(await sender.all("Observation"))) == (2, 2)


async def test_an_order_is_changed_and_cancelled(sender: Sender) -> None:
    await sender.send("ORM^O01", "ORC|NW|P7^EHR", "OBR|1|P7^EHR||CBC^Count^L", "OBR|2|P7^EHR||CRP^CRP^L")
    await sender.send("ORM^O01", "ORC|CA|P7^EHR", "OBR|1|P7^EHR||CRP^CRP^L")
    states = {
        each["code"]["coding"][0]["code"]: each["status"] for each in await sender.all("ServiceRequest")
    }
    assert states == {"CBC": "active", "CRP": "revoked"}


async def test_order_and_encoded_order_of_medication_are_one_request(sender: Sender) -> None:
    await sender.send("OMP^O09", "ORC|NW|P8^EHR", "RXO|AML^Amlodipine^L|5||mg")
    await sender.send("RDE^O11", "ORC|NW|P8^EHR|RX8^PH", "RXE||NDC1^Amlo 5^NDC|1||tab", facility="PH")
    await sender.send(
        "RDS^O13", "ORC|RE|P8^EHR|RX8^PH", "RXD|1|NDC1^Amlo 5^NDC|20260314|30|tab", facility="PH"
    )
    request = await sender.only("MedicationRequest")
    assert request["medicationCodeableConcept"]["coding"][0]["code"] == "NDC1"
    dispense = await sender.only("MedicationDispense")
    assert dispense["authorizingPrescription"] == [{"reference": f"MedicationRequest/{request['id']}"}]


async def test_an_order_of_medication_is_stopped_by_its_number_alone(sender: Sender) -> None:
    await sender.send("OMP^O09", "ORC|NW|P8^EHR", "RXO|AML^Amlodipine^L|5||mg")
    await sender.send("OMP^O09", "ORC|DC|P8^EHR")
    request = await sender.only("MedicationRequest")
    assert request["status"] == "stopped"
    assert request["medicationCodeableConcept"]["coding"][0]["code"] == "AML"


async def test_a_vaccination_is_deleted(sender: Sender) -> None:
    rxa = "RXA|0|1|20260314||140^Influenza^CVX|0.5|mL|||||||||L1||||{}|{}"
    await sender.send("VXU^V04", "ORC|RE||V1^C", rxa.format("CP", "A"))
    await sender.send("VXU^V04", "ORC|RE||V1^C", rxa.format("CP", "D"))
    assert (await sender.only("Immunization"))["status"] == "entered-in-error"


async def test_an_appointment_is_booked_moved_and_cancelled(sender: Sender) -> None:
    await sender.send(
        "SIU^S12", "SCH|A7^S||||||R^Check^L||30|min|^^30^20260401093000", "AIP|1||55^Sato^Keiko"
    )
    await sender.send(
        "SIU^S13", "SCH|A7^S|B7^F|||||R^Check^L||30|min|^^30^20260408140000", "AIP|1||55^Sato^Keiko"
    )
    appointment = await sender.only("Appointment")
    assert (appointment["status"], appointment["start"]) == ("booked", "2026-04-08T14:00:00+00:00")
    await sender.send("SIU^S15", "SCH||B7^F||||ILL^Ill^L")
    assert (await sender.only("Appointment"))["status"] == "cancelled"


async def test_a_document_is_completed_replaced_and_cancelled(sender: Sender) -> None:
    txa = "TXA|1|DS|TX|||20260314100000||||||{}^D|{}||||{}"
    await sender.send("MDM^T02", txa.format("1", "", "DI"), "OBX|1|TX|DS||Dictated.||||||F")
    await sender.send("MDM^T03", txa.format("1", "", "AU"))
    document = await sender.only("DocumentReference")
    assert document["docStatus"] == "final"
    assert base64.b64decode(document["content"][0]["attachment"]["data"]) == b"Dictated."
    await sender.send("MDM^T10", txa.format("2", "1^D", "AU"), "OBX|1|TX|DS||Anew.||||||F")
    documents = {each["masterIdentifier"]["value"]: each for each in await sender.all("DocumentReference")}
    assert (documents["1"]["status"], documents["2"]["status"]) == ("superseded", "current")
    assert documents["1"]["content"] == document["content"]
    await sender.send("MDM^T11", txa.format("2", "", "AU"))
    documents = {each["masterIdentifier"]["value"]: each for each in await sender.all("DocumentReference")}
    assert documents["2"]["status"] == "entered-in-error"


async def test_an_addendum_names_the_number_of_a_document_that_never_came(sender: Sender) -> None:
    txa = "TXA|1|DS|TX|||20260314100000||||||{}^D|{}||||AU"
    await sender.send("MDM^T06", txa.format("2", "1^D"), "OBX|1|TX|DS||More.||||||F")
    addendum = await sender.only("DocumentReference")
    assert addendum["masterIdentifier"]["value"] == "2"
    [related] = addendum["relatesTo"]
    assert related["target"].pop("identifier")["value"] == "1"
    assert related == {"code": "appends", "target": {"type": "DocumentReference"}}
    await sender.send("MDM^T02", txa.format("1", ""), "OBX|1|TX|DS||First.||||||F")
    await sender.send("MDM^T06", txa.format("3", "1^D"), "OBX|1|TX|DS||Even more.||||||F")
    documents = {each["masterIdentifier"]["value"]: each for each in await sender.all("DocumentReference")}
    assert sorted(documents) == ["1", "2", "3"]
    assert (
        documents["3"]["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{documents['1']['id']}"
    )


async def test_a_document_too_large_for_its_report_is_a_binary(sender: Sender) -> None:
    content = b"%PDF-1.7\n" + bytes(range(256)) * 400
    sent = base64.b64encode(content).decode()
    obr = RESULT.format(at="20260314120000", status="F")
    assert await sender.send("ORU^R01", obr, f"OBX|1|ED|PDF^Report^L||^AP^PDF^Base64^{sent}||||||F") == "AA"
    binary, report = await sender.only("Binary"), await sender.only("DiagnosticReport")
    assert base64.b64decode(binary["data"]) == content
    assert report["presentedForm"][0]["url"] == f"Binary/{binary['id']}"


@pytest.mark.parametrize("name", ["dk_order", "dk_appt"])
async def test_sequences_of_others_end_as_is_known(sender: Sender, name: str) -> None:
    corpus.manifest()
    [sequence] = [
        each
        for each in json.loads((corpus.FOLDER / "expected" / "SEQUENCES.json").read_bytes())
        if each["name"] == name
    ]
    for step, file in enumerate(sequence["files"], 1):
        assert await sender.raw((corpus.FOLDER / file).read_bytes()) in {"AA", "CA"}
        await sender.server.feed.idle()
        entries = [
            {"resource": resource}
            for kind in (
                "Patient",
                "Encounter",
                "ServiceRequest",
                "DiagnosticReport",
                "Observation",
                "Appointment",
            )
            for resource in await sender.all(kind)
        ]
        bundle = json.loads(codec.encode({"resourceType": "Bundle", "type": "collection", "entry": entries}))
        failed = [
            fact["fhirpath"]
            for fact in sequence["facts"]
            if fact["after_step"] == step
            and fhirpathpy.evaluate(bundle, fact["fhirpath"], {}, models["r4"]) != [True]
        ]
        assert failed == []


@pytest.mark.parametrize(
    "case", sorted(path.name for path in CASES.iterdir() if not path.name.startswith("adt-"))
)
async def test_the_same_message_again_writes_nothing(sender: Sender, case: str) -> None:
    message = (CASES / case / "input.hl7").read_bytes()
    lines = message.split(b"\r")
    fields = lines[0].split(b"|")
    assert await sender.raw(message) == "AA"
    before = await _versions(sender)
    fields[9] += b"-AGAIN"
    assert await sender.raw(b"\r".join([b"|".join(fields), *lines[1:]])) == "AA"
    assert await _versions(sender) == before


async def _versions(sender: Sender) -> dict[str, list[str]]:
    names = await sender.server.store.stored_types()
    kinds = [name for name in names if name not in ("AuditEvent", "Provenance", "MessageHeader")]
    return {
        kind: sorted(f"{each['id']} {each['meta']['versionId']}" for each in await sender.all(kind))
        for kind in kinds
    }
