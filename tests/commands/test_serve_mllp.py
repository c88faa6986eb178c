"""`fhir-server serve --mllp` as a real process: messages come in, FHIR comes out."""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from importers.hl7v2.header import read_header
from importers.mllp.framing import frame
from tests.commands.test_serve import Serve, refused, serving, wait_until
from tests.durability.server import free_port
from tests.importers.mllp.certificates import Authority
from tests.importers.mllp.listening import Client, code
from tests.importers.mllp.test_tls import TlsClient, trusting

CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[3] / "shared" / "corpus")) / "hl7v2"


def admission(number: str, patient: str = "1", family: str = "Doe", moment: str = "20260101120000") -> bytes:
    return (
        f"MSH|^~\\&|ADT|HOSP|EHR|CLINIC|{moment}||ADT^A08^ADT_A01|{number}|P|2.5.1\r"
        f"EVN||{moment}\rPID|1||{patient}^^^HOSP^MR||{family}^John||19800101|M\r"
        f"PV1|1|I|W1||||||||||||||||V{patient}^^^HOSP\r"
    ).encode()


@contextmanager
def taking(
    tmp_path: Path, mongod_uri: str, database: str, *more: str, **environment: str
) -> Iterator[tuple[Serve, int]]:
    port = free_port()
    arguments = ["--mllp", str(port), "--mongodb-uri", mongod_uri, *more]
    environment = {"FHIR_SERVER_MONGODB_DATABASE": database, **environment}
    with serving(*arguments, log=tmp_path / "log", **environment) as server:
        yield server, port


def patients(server: Serve, query: str) -> list[dict[str, Any]]:
    found = httpx.get(f"{server.base}/fhir/Patient?{query}").raise_for_status().json()
    return [entry["resource"] for entry in found.get("entry", [])]


def test_it_takes_messages_when_it_says_it_is_ready(
    tmp_path: Path, mongod_uri: str, database_name: str
) -> None:
    with taking(tmp_path, mongod_uri, database_name) as (server, port):
        with Client(port) as client:
            client.send(admission("001"))
            assert client.answer() == ("AA", "001")
            client.send(admission("001"))
            assert client.answer() == ("AA", "001")
            client.send(b"MSH|^~\\&|ADT|HOSP|||20260101||ZZZ^Z01|002|P|2.5.1\r")
            assert client.answer() == ("AR", "002")
        [patient] = patients(server, "identifier=1")
        assert patient["name"][0]["family"] == "Doe"
        assert patient["meta"]["versionId"] == "1"
        metrics = httpx.get(server.base + "/metrics").text
        assert 'mllp_answers_total{code="AA"} 2.0' in metrics
        assert 'mllp_answers_total{code="AR"} 1.0' in metrics
    assert "Doe" not in (tmp_path / "log").read_text()


def test_mllp_send_of_python_hl7(tmp_path: Path, mongod_uri: str, database_name: str) -> None:
    (tmp_path / "messages").write_bytes(b"".join(frame(admission(f"S{number}")) for number in range(3)))
    with taking(tmp_path, mongod_uri, database_name) as (_, port):
        sent = subprocess.run(
            [sys.executable, "-m", "hl7.client", "-p", str(port), "-f", str(tmp_path / "messages"), "127.0.0.1"],
            capture_output=True, timeout=30, check=True,
        )  # fmt: skip
    assert re.findall(rb"MSA\|(\w\w)\|(S\d)", sent.stdout) == [(b"AA", b"S0"), (b"AA", b"S1"), (b"AA", b"S2")]


def test_several_workers_take_messages_and_keep_the_order(
    tmp_path: Path, mongod_uri: str, database_name: str
) -> None:
    with (
        taking(tmp_path, mongod_uri, database_name, "--workers", "2") as (server, port),
        ExitStack() as open_clients,
    ):
        wait_until(lambda: len(server.children("spawn_main")) == 2)
        time.sleep(1)
        clients = [open_clients.enter_context(Client(port)) for _ in range(8)]
        for number in range(40):
            client = clients[number % len(clients)]
            client.send(admission(f"N{number}", family=f"Name{number}", moment=f"202601011200{number:02}"))
            assert client.answer() == ("AA", f"N{number}")
        [patient] = patients(server, "identifier=1")
        assert patient["name"][0]["family"] == "Name39"
        metrics = httpx.get(server.base + "/metrics").text
        assert "mllp_messages_total 40.0" in metrics
        assert "mllp_connections 8.0" in metrics


def test_a_stop_answers_what_is_in_work(tmp_path: Path, mongod_uri: str, database_name: str) -> None:
    with taking(tmp_path, mongod_uri, database_name) as (server, port), ExitStack() as open_clients:
        clients = [open_clients.enter_context(Client(port)) for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(*(admission(f"{number}.{each}", patient=f"{number}.{each}") for each in range(50)))
        first = [client.answer() for client in clients]
        assert first == [("AA", f"{number}.0") for number in range(8)]
        server.process.terminate()
        answered = []
        for number, client in enumerate(clients):
            answered.append(f"{number}.0")
            while block := client.block():
                acknowledged, control_id = code(block)
                assert acknowledged == "AA"
                answered.append(control_id)
        assert server.process.wait(20) == 0
        assert len(answered) < 400
    with taking(tmp_path, mongod_uri, database_name) as (server, port):
        stored = {patient["identifier"][0]["value"] for patient in patients(server, "_count=1000")}
        # Nothing that was answered is missing, and nothing was begun that was not answered.
        assert stored == set(answered)


def test_a_message_of_20_megabytes_with_a_document_in_it(
    tmp_path: Path, mongod_uri: str, database_name: str
) -> None:
    pdf = b"%PDF-1.7\n" + os.urandom(15_000_000 - 500)
    large = (
        b"MSH|^~\\&|LAB|HOSP|EHR|CLINIC|20260101||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||1^^^HOSP^MR||Doe^John\r"
        b"ORC|RE|P1^O|F1^LAB\rOBR|1|P1^O|F1^LAB|11502-2^Report^LN|||20260101|||||||||||||||20260101||LAB|F\r"
        b"OBX|1|ED|11502-2^Report^LN||^AP^PDF^Base64^" + base64.b64encode(pdf) + b"||||||F\r"
    )
    with taking(tmp_path, mongod_uri, database_name) as (server, port), Client(port) as client:
        client.sock.settimeout(60)
        client.send(large)
        assert client.answer() == ("AA", "1")
        [entry] = httpx.get(f"{server.base}/fhir/DocumentReference").raise_for_status().json()["entry"]
        url = entry["resource"]["content"][0]["attachment"]["url"]
        fetched = httpx.get(f"{server.base}/fhir/{url}", headers={"Accept": "application/pdf"}, timeout=60)
        assert fetched.content == pdf


@pytest.mark.skipif(not CORPUS.exists(), reason=f"no messages of others in {CORPUS}")
def test_messages_of_others_are_answered_as_they_ask(
    tmp_path: Path, mongod_uri: str, database_name: str
) -> None:
    with taking(tmp_path, mongod_uri, database_name) as (server, port):
        for path in sorted(CORPUS.glob("*.hl7")):
            raw = path.read_bytes()
            header = read_header(raw)
            with Client(port) as client:
                client.sock.sendall(raw if raw.startswith(b"\x0b") else frame(raw))
                client.sock.shutdown(socket.SHUT_WR)
                codes = re.findall(rb"[\r\n]MSA[^\w](\w\w)", b"".join(iter(client.block, b"")))
            if header is None or header.answers or (header.msh(15), header.msh(16)) == ("NE", "NE"):
                assert codes == [], path.name
            elif header.segment == "MSH" and raw.count(b"MSH" + header.separator.encode()) == 1:
                commit, application = _wanted(header.msh(15), header.msh(16))
                expected = [{b"CA"}] * commit + [{b"AA", b"AE", b"AR"}] * application
                assert len(codes) == len(expected), path.name
                assert all(code in some for code, some in zip(codes, expected, strict=True)), path.name
        assert server.ready() == 200
    log = (tmp_path / "log").read_text()
    assert "mllp_failed" not in log
    assert "hl7v2_message_failed" not in log


def _wanted(accept: str, application: str) -> tuple[bool, bool]:
    """Whether a commit, and whether an application acknowledgment is due; none of these is rejected."""
    accept, application = accept.strip(), application.strip()
    if not accept and not application:
        return False, True
    return accept == "AL", application == "AL"


def test_mutual_tls(tmp_path: Path, mongod_uri: str, database_name: str) -> None:
    authority = Authority(tmp_path, "authority")
    with taking(
        tmp_path, mongod_uri, database_name,
        FHIR_SERVER_MLLP_TLS_CERT=str(authority.sign("server")), FHIR_SERVER_MLLP_TLS_CLIENT_CA=str(authority.path),
    ) as (_, port):  # fmt: skip
        with Client(port) as plain:
            plain.send(admission("1"))
            assert plain.sock.recv(100)[:1] != b"\x0b"
        with TlsClient(port, trusting(authority, authority.sign("lab"))) as client:
            client.send(admission("1"))
            assert client.answer() == ("AA", "1")


def test_what_is_refused_is_told_before_anything_starts(tmp_path: Path) -> None:
    port = str(free_port())
    code_, said = refused("--mllp", port, "--data-dir", tmp_path / "data", FHIR_SERVER_MLLP_HOST="0.0.0.0")
    assert code_ == 1
    assert "Refusing to take HL7 v2 messages on 0.0.0.0" in said
    code_, said = refused(
        "--mllp", port, "--data-dir", tmp_path / "data", FHIR_SERVER_MLLP_TLS_CERT=str(tmp_path / "none")
    )
    assert code_ == 1
    assert "cannot be set up" in said
    assert not (tmp_path / "data").exists()
