from __future__ import annotations

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
