from __future__ import annotations

from typing import Any

import pytest

from importers.dicom import instance
from tests.importers.dicom.making import faults, header, item


@pytest.mark.parametrize(
    ("told", "expected"), [(0, 0), (7, 7), (2**31 - 1, 2**31 - 1), (-5, None), (None, None)]
)
def test_numbers_that_fhir_can_hold(told: int | None, expected: int | None) -> None:
    assert instance.number(header(InstanceNumber=told)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"DocumentTitle": "Befund"}, "Befund"),
        ({"ContentLabel": "LUNG"}, "LUNG"),
        ({"ConceptNameCodeSequence": [item(CodeValue="1", CodeMeaning="Report")]}, "Report"),
        ({"ConceptNameCodeSequence": [item(CodeValue="1")]}, None),
    ],
)
def test_titles(values: dict[str, Any], expected: str | None) -> None:
    assert instance.title(header(**values)) == expected


def test_an_element_is_valid() -> None:
    made = instance.element("1.2.3", "1.2.840.10008.5.1.4.1.1.2", 0, "Title")
    assert made == {
        "uid": "1.2.3",
        "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.2"},
        "number": 0,
        "title": "Title",
    }
    series = {
        "uid": "1.2",
        "modality": {"code": "CT"},
        "instance": [made, instance.element("1.2.4", "1.2", None, None)],
    }
    study = {"resourceType": "ImagingStudy", "status": "available", "subject": {"display": "x"}}
    assert faults({**study, "series": [series]}) == []
