from __future__ import annotations

import pytest

from capability.table import ROUTES, TABLE
from capability.tables import main, parameters_table, routes_table, search_table


def test_every_route_is_in_the_table_of_interactions() -> None:
    text = routes_table()
    for route in ROUTES:
        path = route.path.replace("{", "[").replace("}", "]")
        assert f"`{route.method} [base]{path}`" in text
    assert "`PUT [base]/[type]/[id]` | all but AuditEvent |" in text
    assert "| `read` | `GET [base]/[type]/[id]` | all |" in text
    assert "| `batch` | `POST [base]` | the system |" in text


def test_the_table_of_search_types_counts_what_is_claimed() -> None:
    text = search_table()
    claimed = sum(p.type == "token" for name in TABLE.types for p in TABLE.search_parameters(name))
    assert f"| `token` | {claimed} |" in text
    assert "| `special` | 1 |" in text


def test_the_parameters_of_a_type_leave_out_those_of_every_type() -> None:
    text = parameters_table(["Patient"])
    assert "`birthdate`" in text
    assert "`_id`" not in text


def test_prints_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["Patient", "Encounter"]) == 0
    text = capsys.readouterr().out
    assert "| Patient | " in text
    assert "| Encounter | " in text
    assert main([]) == 0
    assert "| Patient | " not in capsys.readouterr().out


def test_says_which_type_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["patient"]) == 1
    error = capsys.readouterr().err
    assert "No such resource type: patient" in error
    assert "case-sensitive" in error
