from __future__ import annotations

import pytest

from importers.dicom.dataset import read
from importers.dicom.sources import SourceConfig
from tests.importers.dicom.making import corpus, item, of_type, places, study
from tests.importers.dicom.reports import code, container, num, observations, report

DLP = num(code("113813", meaning="CT Dose Length Product Total"), "724.52", code("mGycm", "UCUM", "mGycm"))


def when(name: str, told: str) -> object:
    return item(ValueType="DATETIME", ConceptNameCodeSequence=code(name), DateTime=told)


def test_what_was_accumulated() -> None:
    made = report(
        when("113809", "20240102101500.5+0100"),  # type: ignore[arg-type]
        when("113810", "20240102101700+0100"),  # type: ignore[arg-type]
        container(code("113811"), DLP),
        container(code("113819"), num(code("113830"), "5", code("mGy", "UCUM"))),
        root="113701",
    )
    [found] = observations(made)
    assert found["code"]["coding"][0]["code"] == "73569-6"
    assert found["identifier"] == [{"system": "urn:dicom:uid", "value": f"urn:oid:{made.sop_uid}"}]
    assert found["effectivePeriod"] == {
        "start": "2024-01-02T10:15:00.5+01:00",
        "end": "2024-01-02T10:17:00+01:00",
    }
    [component] = found["component"]
    assert str(component["valueQuantity"]["value"]) == "724.52"
    assert component["valueQuantity"]["code"] == "mGy.cm"
    assert "meta" not in found


def test_a_period_that_runs_backwards_is_none() -> None:
    made = report(
        when("113809", "20240102101500"),  # type: ignore[arg-type]
        when("113810", "20240101101700"),  # type: ignore[arg-type]
        container(code("113811"), DLP),
        root="113701",
    )
    [found] = observations(made)
    assert found["effectiveDateTime"] == "2024-01-02"


def test_a_report_that_accumulates_nothing_stays_an_instance() -> None:
    made = study(report(DLP, root="113701"))
    assert of_type(made, "Observation") == []
    assert "ContentSequence" in places(made)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("CT-RDSR-Siemens_Flash-TAP-SS", {"113812", "113813"}),
        ("CT-RDSR-Siemens-Continued-1", {"113812", "113813"}),
        ("NM-RRDSR-Siemens", {"113507"}),
        ("CT-ESR-GE_Optima", {"113813", "113812"}),
    ],
)
def test_reports_of_machines(name: str, codes: set[str]) -> None:
    with corpus(f"files/openrem_{name}.dcm").open("rb") as stream:
        [found] = of_type(study(read(stream), config=SourceConfig()), "Observation")
    assert {each["code"]["coding"][0]["code"] for each in found["component"]} == codes


@pytest.mark.parametrize("name", ["RF-RDSR-GE", "DX-RDSR-Canon_CXDI", "MG-RDSR-Hologic_2D"])
def test_reports_of_projections(name: str) -> None:
    with corpus(f"files/openrem_{name}.dcm").open("rb") as stream:
        [found] = of_type(study(read(stream)), "Observation")
    told = [each["valueQuantity"] for each in found["component"] if "valueQuantity" in each]
    assert told
    assert all("code" in each for each in told)
    assert all("dataAbsentReason" in each for each in found["component"] if "valueQuantity" not in each)
