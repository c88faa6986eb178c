from __future__ import annotations

from zoneinfo import ZoneInfo

from importers.dicom.sources import SourceConfig
from tests.importers.dicom.making import header, of_type, study
from tests.importers.dicom.reports import code

PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def test_a_document() -> None:
    config = SourceConfig(endpoint="https://pacs.example.org/dicomweb", zone=ZoneInfo("Europe/Copenhagen"))
    made = header(
        SOPClassUID=PDF,
        Modality="DOC",
        DocumentTitle="Befund",
        MIMETypeOfEncapsulatedDocument="application/pdf",
        ConceptNameCodeSequence=code("18748-4", "LN", "Diagnostic imaging study"),
        ContentDate="20240102",
        ContentTime="101500",
    )
    [found] = of_type(study(made, config=config), "DocumentReference")
    assert found["content"] == [
        {
            "attachment": {
                "contentType": "application/pdf",
                "url": "https://pacs.example.org/dicomweb/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5",
                "title": "Befund",
            }
        }
    ]
    assert found["type"]["coding"][0]["code"] == "18748-4"
    assert found["masterIdentifier"]["value"] == "urn:oid:1.2.3.4.5"
    assert found["date"] == "2024-01-02T10:15:00+01:00"
    assert found["context"]["related"][0]["reference"].startswith("urn:uuid:")


def test_a_document_of_which_little_is_said() -> None:
    [found] = of_type(study(header(SOPClassUID=PDF, ContentDate="20240102")), "DocumentReference")
    assert found["content"][0]["attachment"] == {"title": "Encapsulated document"}
    assert "date" not in found
