"""The listener as the settings want it: who may reach it, and what is said where it cannot be."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from fhir_server.mllp import fault, refusal
from fhir_server.settings import Settings
from tests.durability.server import free_port
from tests.importers.mllp.certificates import Authority


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_nothing(host: str) -> None:
    assert refusal(Settings(mllp_port=2575, mllp_host=host)) is None


@pytest.mark.parametrize("more", [{}, {"mllp_tls_cert": "cert.pem"}])
def test_other_addresses_need_to_know_who_sends(more: dict[str, Any]) -> None:
    said = refusal(Settings(mllp_port=2575, mllp_host="0.0.0.0", **more))
    assert said is not None
    assert "FHIR_SERVER_MLLP_ALLOW" in said
    assert refusal(Settings(mllp_port=0, mllp_host="0.0.0.0", **more)) is None


@pytest.mark.parametrize(
    "more", [{"mllp_allow": "10.0.0.0/8"}, {"mllp_tls_cert": "cert.pem", "mllp_tls_client_ca": "ca.pem"}]
)
def test_other_addresses_where_senders_are_known(more: dict[str, Any]) -> None:
    assert refusal(Settings(mllp_port=2575, mllp_host="0.0.0.0", **more)) is None


def test_a_taken_port_is_told_and_a_free_one_stays_free() -> None:
    port = free_port()
    assert fault(Settings(mllp_port=port)) is None
    with socket.create_server(("127.0.0.1", port)):
        said = fault(Settings(mllp_port=port))
    assert said is not None
    assert f"port {port}: Address already in use" in said
    assert "--mllp" in said
    assert fault(Settings()) is None


def test_files_of_tls_that_are_of_no_use_are_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    server = authority.sign("server")
    good = Settings(mllp_port=free_port(), mllp_tls_cert=str(server), mllp_tls_client_ca=str(authority.path))
    assert fault(good) is None
    said = fault(good.with_changes(mllp_tls_cert=str(tmp_path / "none.pem")))
    assert said is not None
    assert "none.pem" in said
    assert "No such file" in said
    said = fault(good.with_changes(mllp_tls_cert=str(authority.path)))
    assert said is not None
    assert "TLS of the MLLP listener cannot be set up" in said
