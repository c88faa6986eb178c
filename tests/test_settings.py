from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from fhir_server.settings import PREFIX, Settings, is_loopback, markdown, refuse_open_bind


def test_base_url_follows_host_and_port_unless_given() -> None:
    assert Settings(port=9000).base_url == "http://127.0.0.1:9000/fhir"
    assert Settings(host="::1", port=9000).base_url == "http://[::1]:9000/fhir"
    assert Settings(port=9000).with_changes(port=9001).base_url == "http://127.0.0.1:9001/fhir"
    chosen = Settings(base_url="https://fhir.example.org/r4/")
    assert chosen.base_url == "https://fhir.example.org/r4"
    assert chosen.with_changes(port=9001).base_url == "https://fhir.example.org/r4"


def test_environment_is_read_and_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FHIR_SERVER_PORT", "9100")
    monkeypatch.setenv("FHIR_SERVER_UPDATE_CREATE", "false")
    assert (Settings().port, Settings().update_create) == (9100, False)
    assert Settings(port=9200).port == 9200


def test_another_process_builds_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Settings(
        mongodb_uri=SecretStr("mongodb://u:p@h/"),
        port=9000,
        data_dir=Path("data"),
        referential_integrity=True,
        default_timezone=ZoneInfo("Europe/Berlin"),
        mongodb_timeout_seconds=1.5,
    )
    for name, value in chosen.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == chosen


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", 65536, "less than or equal to 65535"),
        ("workers", 0, "greater than or equal to 1"),
        ("log_level", "LOUD", "'DEBUG'"),
        ("default_timezone", "Mars/Olympus", "timezone"),
        ("base_url", "fhir.example.org", "expected http"),
        ("mongodb_database", "a b", "pattern"),
        ("default_count", 2000, "more than max_count 1000"),
        ("mllp_allow", "10.0.0.0/8,lab.example.org", "expected for example 10.1.2.3"),
        ("mllp_allow", "10.0.0.1/8", "has host bits set"),
        ("mllp_tls_client_ca", "ca.pem", "need mllp_tls_cert"),
        ("mongodb_uri", "postgres://u:secret@h/", "expected mongodb"),
    ],
)
def test_wrong_values_are_refused_with_what_was_expected(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as refused:
        Settings(**{name: value})
    assert "secret" not in str(refused.value)


def test_networks_of_senders() -> None:
    assert Settings().mllp_networks == []
    found = Settings(mllp_allow=" 10.1.2.3, 10.2.0.0/16,,fd00::/8").mllp_networks
    assert [str(each) for each in found] == ["10.1.2.3/32", "10.2.0.0/16", "fd00::/8"]


def test_secrets_are_not_shown() -> None:
    assert "hunter2" not in repr(Settings(mongodb_uri=SecretStr("mongodb://u:hunter2@h/")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_may_be_listened_on(host: str) -> None:
    assert refuse_open_bind(Settings(host=host)) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "", "example.org", "localhost.example.org"])
def test_other_hosts_are_refused_with_the_reason(host: str) -> None:
    assert "no access control is configured" in (refuse_open_bind(Settings(host=host)) or "")


@given(st.ip_addresses())
def test_only_loopback_addresses_are_loopback(address: object) -> None:
    assert is_loopback(str(address)) == (str(address).startswith("127.") or str(address) == "::1")


def test_table_names_every_setting_with_a_description() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "fhir_server.settings"], capture_output=True, text=True, check=True
    )
    assert printed.stdout == markdown()
    rows = markdown().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    for name, row in zip(Settings.model_fields, rows, strict=True):
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert cells[0] == f"`{PREFIX}{name.upper()}`"
        assert len(cells[3]) > 20
    assert "| `FHIR_SERVER_PORT` | `8080` | ≥ 0 and ≤ 65,535 |" in markdown()
