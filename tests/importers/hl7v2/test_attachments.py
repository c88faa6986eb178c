"""`importers.hl7v2.attachments`: documents inside of messages."""

from __future__ import annotations

import base64

import pytest

from importers.hl7v2 import attachments
from resources.codec import Json
from tests.importers.hl7v2.making import conversion


def _made(kind: str, value: str) -> tuple[list[Json], list[str], list[Json]]:
    made = conversion(f"OBX|1|{kind}|R^Report||{value}||||||F")
    found = attachments.attachments(made, made.message.segments[1], {"reference": "urn:uuid:p"})
    return found, [issue.place for issue in made.issues], [draft.resource for draft in made.drafts]


@pytest.mark.parametrize(
    ("value", "kind", "content"),
    [
        ("^AP^PDF^Base64^JVBERi0x", "application/pdf", b"%PDF-1"),
        ("^TEXT^RTF^Hex^7B5C72746631", "text/rtf", b"{\\rtf1"),
        ("^IM^JPEG^Base64^/9j/", "image/jpeg", b"\xff\xd8\xff"),
        ("^multipart^x-hl7-cda-level-one^A^words", "application/hl7-cda+xml", b"words"),
        ("^application/pdf^^Base64^JVBERi0x", "application/pdf", b"%PDF-1"),
        ("^^^Base64^JVBERi0x", "application/pdf", b"%PDF-1"),
        ("^^^Base64^AAECAw==", "application/octet-stream", b"\x00\x01\x02\x03"),
        ("^TEXT^^A^a\\.br\\b", "text/plain", b"a\nb"),
        ("^AP^PDF^Base64^JVBE\\X0D0A\\Ri0x", "application/pdf", b"%PDF-1"),
        ("^TEXT^XML^Base64^YWJjZA", "text/xml", b"abcd"),
        ("JVBERi0x", "application/pdf", b"%PDF-1"),
        ("see the letter", "text/plain", b"see the letter"),
    ],
)
def test_content(value: str, kind: str, content: bytes) -> None:
    [found], issues, binaries = _made("ED", value)
    assert (found["contentType"], found["title"], issues, binaries) == (kind, "Report", [], [])
    assert base64.b64decode(found["data"]) == content


@pytest.mark.parametrize("value", ["^AP^PDF^Base64^%%%", "^AP^PDF^Base64^AAAAA", "^AP^PDF^Hex^7B5"])
def test_what_cannot_be_read_is_kept_as_text_and_told(value: str) -> None:
    [found], issues, _ = _made("ED", value)
    assert found["contentType"] == "text/plain"
    assert base64.b64decode(found["data"]).decode() == value.rpartition("^")[2]
    assert issues == ["OBX-5"]


def test_a_pointer() -> None:
    [found], _, _ = _made("RP", "https://pacs.example/a b^PACS^IM^JPEG")
    assert found == {"contentType": "image/jpeg", "url": "https://pacs.example/a%20b", "title": "Report"}


def test_several_documents_in_one_field() -> None:
    found, _, _ = _made("ED", "^^PDF^Base64^JVBERi0x~^^RTF^Base64^e1w=")
    assert [each["contentType"] for each in found] == ["application/pdf", "application/rtf"]


@pytest.mark.parametrize("value", ["", '""', "^AP^PDF^Base64^"])
def test_no_content(value: str) -> None:
    assert _made("ED", value) == ([], [], [])


@pytest.mark.parametrize(
    ("obx", "holds"),
    [("OBX|1|TX|R||JVBERi0xLjQK", True), ("OBX|1|TX|R||words", False), ("OBX|1|NM|R||5", False)],
)
def test_a_pdf_that_is_sent_as_text_is_a_document(obx: str, holds: bool) -> None:
    assert attachments.holds_document(conversion(obx).message.segments[1]) == holds


def test_a_large_document_is_a_resource_of_its_own() -> None:
    sent = base64.b64encode(bytes(attachments.INLINE + 1)).decode()
    [found], _, [binary] = _made("ED", f"^AP^octet-stream^Base64^{sent}")
    assert found["url"].startswith("Binary/")
    assert (found["size"], binary["data"]) == (attachments.INLINE + 1, sent)
    assert binary["securityContext"] == {"reference": "urn:uuid:p"}
