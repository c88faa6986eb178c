from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.commands.loading import Loader, bundle, first_urn, observation, patient, write

ORGANIZATION = {
    "resourceType": "Organization",
    "name": "Clinic",
    "identifier": [{"system": "urn:o", "value": "1"}],
}


@pytest.fixture
def loader(mongod_uri: str, database_name: str) -> Loader:
    return Loader(mongod_uri, database_name)


def everything(folder: Path) -> None:
    """One of each kind: 1 organization, 10 patients, 2 observations, 1 Bundle."""
    person = patient(managingOrganization={"reference": "Organization?identifier=urn:o|1"})
    write(folder / "a-transaction.json", bundle("transaction", person, observation(first_urn())))
    write(folder / "z-batch.json", bundle("batch", ORGANIZATION, ifNoneExist="identifier=urn:o|1"))
    write(folder / "lines.ndjson", patient(id="n1"), patient(), patient(), observation("Patient/n1"))
    write(folder / "deep" / "single.json", patient(id="s1"))
    write(folder / "nameless.json", patient(active=True))
    (folder / "packed.ndjson.gz").write_bytes(gzip.compress(json.dumps(patient(id="g1")).encode()))
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("in/z.json", json.dumps(patient(id="z1")))
    entries = [
        {"fullUrl": "http://other.example/Patient/c1", "resource": patient(id="c1")},
        {"resource": patient()},
    ]
    write(folder / "found.json", {"resourceType": "Bundle", "type": "searchset", "entry": entries})
    composition: dict[str, Any] = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "letter"},
        "title": "x",
    }
    composition |= {"date": "2024-01-01", "author": [{"display": "me"}]}
    document: dict[str, Any] = {
        "resourceType": "Bundle",
        "id": "d1",
        "type": "document",
        "timestamp": "2024-01-01T00:00:00Z",
    }
    document |= {"identifier": {"system": "urn:d", "value": "1"}}
    write(folder / "letter.json", {**document, "entry": [{"fullUrl": first_urn(), "resource": composition}]})


def test_each_kind_is_loaded_and_a_second_run_loads_nothing(loader: Loader, tmp_path: Path) -> None:
    everything(tmp_path)
    expected = {"Organization": 1, "Patient": 10, "Observation": 2, "Bundle": 1}

    first = loader.load(tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert "Loaded 14 resources" in first.stdout
    assert loader.counts() == expected

    second = loader.load(tmp_path)
    assert (second.returncode, second.stderr) == (0, "")
    assert "Loaded 0 resources" in second.stdout
    assert "had been loaded before" in second.stdout
    assert loader.counts() == expected

    third = loader.load("--again", tmp_path)
    assert third.returncode == 0
    assert "loaded before" not in third.stdout
    # What has an id is the same again, the transaction and the five without an id are there twice.
    assert loader.counts() == {"Organization": 1, "Patient": 15, "Observation": 4, "Bundle": 1}


def test_references_within_a_bundle_and_by_criteria_hold_afterwards(loader: Loader, tmp_path: Path) -> None:
    everything(tmp_path)
    assert loader.load(tmp_path).returncode == 0
    (organization,) = loader.of("Organization")
    (person,) = (each for each in loader.of("Patient") if "managingOrganization" in each)
    assert person["managingOrganization"]["reference"] == f"Organization/{organization['id']}"
    subjects = {each["subject"]["reference"] for each in loader.of("Observation")}
    assert subjects == {f"Patient/{person['id']}", "Patient/n1"}


def test_what_refers_to_what_comes_later_is_loaded_at_the_end(loader: Loader, tmp_path: Path) -> None:
    wanting = {**observation("Patient?identifier=urn:p|1")}
    write(tmp_path / "1.json", bundle("transaction", wanting))
    write(tmp_path / "2.json", patient(identifier=[{"system": "urn:p", "value": "1"}]))
    write(tmp_path / "3.json", bundle("transaction", observation("Patient?identifier=urn:p|none")))
    done = loader.load(tmp_path, "--workers", 1)
    assert done.returncode == 1
    assert loader.counts() == {"Patient": 1, "Observation": 1}
    assert f"{tmp_path}/3.json Bundle.entry[0].resource: The conditional reference" in done.stderr
    assert "1.json" not in done.stderr
    assert "1 failure." in done.stdout


def test_failures_name_file_line_and_entry_and_the_rest_goes_on(loader: Loader, tmp_path: Path) -> None:
    write(tmp_path / "a.ndjson", patient(id="a1"), patient(gender="xx"), patient(id="a3"))
    with (tmp_path / "a.ndjson").open("a") as file:
        file.write('\n{"resourceType": \n{"resourceType":"Elephant"}\n[]\n{"name":1}\n')
    write(tmp_path / "b.json", bundle("batch", patient(), patient(active="yes")))
    write(tmp_path / "c.json", bundle("transaction", patient(), patient(active="yes")))
    (tmp_path / "d.json").write_bytes(b"\x00\xff")
    (tmp_path / "e.json").write_bytes(b"")
    (tmp_path / "f.json.gz").write_bytes(b"{}")
    done = loader.load(tmp_path, tmp_path / "missing.json")
    assert done.returncode == 1
    assert "Loaded 3 resources" in done.stdout
    assert loader.counts() == {"Patient": 3}
    lines = [line.removeprefix(f"{tmp_path}/") for line in done.stderr.splitlines()]
    for expected in (
        "missing.json: No such file or directory",
        "a.ndjson line 2: Patient.gender: ",
        "a.ndjson line 4: The body is not JSON: ",
        "a.ndjson line 5: Resource: 'Elephant'",
        "a.ndjson line 6: The body is a JSON array",
        "a.ndjson line 7: This is JSON but no FHIR resource",
        "b.json Bundle.entry[1].resource.active: ",
        "c.json Bundle.entry[1].resource.active: ",
        "d.json: ",
        "e.json: is empty",
        "f.json.gz: is not gzip",
    ):
        assert sum(line.startswith(expected) for line in lines) == 1, (expected, lines)
    assert "11 failures." in done.stdout


def test_lines_put_right_are_loaded_without_the_others_again(loader: Loader, tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson", patient(), patient(gender="xx"), patient(), patient(active=True))
    assert loader.load(path).returncode == 1
    assert loader.counts() == {"Patient": 3}
    path.write_text(path.read_text().replace("xx", "female"))
    assert loader.load(path).returncode == 0
    assert loader.counts() == {"Patient": 4}


def test_each_resource_leaves_its_audit_event_with_the_loader_as_agent(
    loader: Loader, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.ndjson", *(patient(id=f"p{at}") for at in range(300)))
    assert loader.load(file).returncode == 0
    events = loader.of("AuditEvent")
    what = {
        entity["what"].get("reference") for event in events for entity in event["entity"] if "what" in entity
    }
    assert {f"Patient/p{at}/_history/1" for at in range(300)} <= what
    assert len(events) == 300
    agents = [agent for event in events for agent in event["agent"]]
    assert any("fhir-server load" in json.dumps(agent) for agent in agents)


def test_dry_run_validates_without_a_database(tmp_path: Path) -> None:
    loader = Loader("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=1", "none")
    write(tmp_path / "a.json", bundle("transaction", patient(), patient(gender="xx")))
    write(tmp_path / "b.ndjson", patient(), patient())
    done = loader.load("--dry-run", tmp_path)
    assert done.returncode == 1
    assert "Judged 2 resources" in done.stdout
    assert f"{tmp_path}/a.json Bundle.entry[1].resource.gender: " in done.stderr


def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    loader = Loader("mongodb://u:geheim@127.0.0.1:9/?serverSelectionTimeoutMS=100", "none")
    done = loader.load(write(tmp_path / "a.json", patient()))
    assert done.returncode == 1
    assert "MongoDB cannot be reached" in done.stderr
    assert "geheim" not in done.stderr + done.stdout


def test_nothing_to_load_is_no_failure(loader: Loader, tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", "x")
    done = loader.load(tmp_path)
    assert done.returncode == 0
    assert "1 file passed over" in done.stdout
