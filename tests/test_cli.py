from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app


def test_help_lists_the_commands_and_their_options() -> None:
    runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert "serve" in runner.invoke(app, ["--help"]).output
    shown = runner.invoke(app, ["serve", "--help"]).output
    for option in ("--host", "--port", "--workers", "--data-dir", "--mongodb-uri"):
        assert option in shown


def test_unknown_command_is_an_error() -> None:
    assert CliRunner().invoke(app, ["fly"]).exit_code == 2


def test_version() -> None:
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.output) == (0, f"fhir-server {version('fhir-server')}\n")


@pytest.mark.parametrize("name", ["WORKERS", "AGAIN", "DRY_RUN"])
def test_options_of_load_can_be_environment_variables(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.ndjson").write_text("")
    runner = CliRunner(env={f"FHIR_SERVER_LOAD_{name}": "neither"})
    told = runner.invoke(app, ["load", str(tmp_path)])
    assert told.exit_code == 2
    assert f"FHIR_SERVER_LOAD_{name}" in told.output


def test_a_dry_run_by_environment_needs_no_database(tmp_path: Path) -> None:
    (tmp_path / "one.ndjson").write_text('{"resourceType":"Patient","id":"a"}\n')
    nowhere = "mongodb://127.0.0.1:1/"
    asked = {
        "FHIR_SERVER_LOAD_DRY_RUN": "true",
        "FHIR_SERVER_LOAD_WORKERS": "1",
        "FHIR_SERVER_MONGODB_URI": nowhere,
    }
    told = CliRunner(env=asked).invoke(app, ["load", str(tmp_path)])
    assert told.exit_code == 0, told.output
    asked["FHIR_SERVER_LOAD_DRY_RUN"] = "false"
    assert CliRunner(env=asked).invoke(app, ["load", str(tmp_path)]).exit_code != 0
