from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from resources import definitions
from resources.definitions import build, searching, structures, terminology
from tests.resources.official import PACKAGE, needs_package

BASE = "http://hl7.org/fhir/StructureDefinition/"


@needs_package
def test_the_committed_tables_are_those_of_the_package() -> None:
    tables = build.tables(PACKAGE)
    made_elsewhere = {"us_core_search_parameters"}  # of another package, by us_core.py
    assert set(tables) | made_elsewhere == {file.stem for file in definitions.FOLDER.glob("*.json")}
    for name, table in tables.items():
        assert build.text(table) == (definitions.FOLDER / f"{name}.json").read_text(encoding="utf-8"), name


def element(path: Any, **facts: Any) -> Any:
    return {"path": path, "min": 0, "max": "1", **facts}


def structure(name: Any, *elements: Any, **facts: Any) -> Any:
    snapshot = {"element": [element(name), *elements]}
    common = {
        "url": BASE + name,
        "type": name,
        "kind": "complex-type",
        "abstract": False,
        "snapshot": snapshot,
    }
    return common | {"baseDefinition": BASE + "Element"} | facts


def test_an_element_keeps_its_facts_and_leaves_defaults_out() -> None:
    binding = {"strength": "required", "valueSet": "http://example.org/vs|4.0.1"}
    reference = {"code": "Reference", "targetProfile": [BASE + "Patient", BASE + "Group", BASE + "Patient"]}
    tables, _ = structures.tables(
        [
            structure(
                "Thing",
                element("Thing.kind", min=1, type=[{"code": "code"}], binding=binding, isSummary=True),
                element("Thing.of", max="*", type=[reference], isModifier=True),
                element("Thing.again", contentReference="#Thing.of"),
            )
        ]
    )
    assert tables["types"]["Thing"]["elements"] == {
        "kind": {"min": 1, "types": ["code"], "binding": "http://example.org/vs", "summary": True},
        "of": {"max": "*", "types": ["Reference"], "targets": ["Patient", "Group"], "modifier": True},
        "again": {"ref": "Thing.of"},
    }


def test_profiles_and_logical_models_are_left_out() -> None:
    profile = structure("Thing", url=BASE + "special-thing", derivation="constraint")
    logical = structure("Model", kind="logical")
    tables, _ = structures.tables([profile, logical, structure("Thing")])
    assert list(tables["types"]) == ["Thing"]


def test_a_constraint_stands_where_it_is_defined() -> None:
    own = {"key": "thi-1", "severity": "error", "expression": "true", "human": "prose"}
    inherited = {**own, "key": "ele-1", "source": BASE + "Element"}
    _, invariants = structures.tables([structure("Thing", element("Thing.x", constraint=[own, inherited]))])
    assert invariants == {"Thing.x": [{"key": "thi-1", "severity": "error", "expression": "true"}]}


def test_value_sets_are_expanded() -> None:
    concepts = [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}]
    system = {"url": "http://s", "content": "complete", "concept": concepts}
    value_sets = [
        {"url": "http://all", "compose": {"include": [{"system": "http://s"}]}},
        {
            "url": "http://under-a",
            "compose": {
                "include": [
                    {"system": "http://s", "filter": [{"property": "concept", "op": "is-a", "value": "a"}]},
                    {"system": "http://t", "concept": [{"code": "d"}]},
                ],
                "exclude": [{"system": "http://s", "concept": [{"code": "a"}]}],
            },
        },
        {"url": "http://open", "compose": {"include": [{"system": "urn:ietf:bcp:47"}]}},
        {"url": "http://both", "compose": {"include": [{"valueSet": ["http://all"]}]}},
    ]
    bound = ["http://all", "http://under-a", "http://open", "http://both", "http://nowhere"]
    assert terminology.table(bound, value_sets, [system]) == {
        "http://all": {"http://s": ["a", "b", "c"]},
        "http://both": {"http://s": ["a", "b", "c"]},
        "http://nowhere": None,
        "http://open": {"urn:ietf:bcp:47": None},
        "http://under-a": {"http://s": ["b"], "http://t": ["d"]},
    }


def test_a_filter_that_is_not_understood_is_no_guess() -> None:
    system = {"url": "http://s", "content": "complete", "concept": [{"code": "a"}]}
    include = {"system": "http://s", "filter": [{"property": "concept", "op": "regex", "value": "a"}]}
    with pytest.raises(ValueError, match="regex"):
        terminology.table(["http://v"], [{"url": "http://v", "compose": {"include": [include]}}], [system])


def test_the_script_writes_every_table(tmp_path: Path) -> None:
    package = tmp_path / "package.tgz"
    content = json.dumps({**structure("Thing"), "resourceType": "StructureDefinition"}).encode()
    with tarfile.open(package, "w:gz") as archive:
        member = tarfile.TarInfo("package/StructureDefinition-Thing.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
        archive.addfile(tarfile.TarInfo("package/package.json"))
    folder = tmp_path / "tables"
    folder.mkdir()
    build.main([str(package), str(folder)])
    assert {file.stem for file in folder.iterdir()} == {
        file.stem for file in definitions.FOLDER.glob("*.json")
    } - {"us_core_search_parameters"}
    assert list(json.loads((folder / "structures.json").read_text())["types"]) == ["Thing"]


def test_search_parameters_without_base_and_examples_are_left_out() -> None:
    status = {"url": "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"}
    core = {
        "id": "a",
        "code": "a",
        "url": "http://a",
        "type": "token",
        "base": ["Patient"],
        "extension": [status],
    }
    stub = {key: value for key, value in core.items() if key != "base"}
    made = searching.search_parameters(
        [{**core, "id": "example"}, stub, core, {**core, "code": "A", "extension": []}]
    )
    assert made == [
        {"code": "A", "url": "http://a", "type": "token", "base": ["Patient"], "onExtension": True},
        {"code": "a", "url": "http://a", "type": "token", "base": ["Patient"]},
    ]


def test_compartments_name_types_that_have_parameters() -> None:
    resource = [{"code": "Account", "param": ["subject"]}, {"code": "Binary"}]
    patient = {
        "url": "http://hl7.org/fhir/CompartmentDefinition/patient",
        "code": "Patient",
        "resource": resource,
    }
    example = {**patient, "url": "http://hl7.org/fhir/CompartmentDefinition/example", "code": "Device"}
    assert searching.compartments([patient, example]) == {"Patient": {"Account": ["subject"]}}
