"""Documents inside of results and notifications: ED (encapsulated data) and RP (reference pointer).

HL7 v2.8.2 chapter 2A.3.24 (ED) and 2A.3.65 (RP), tables 0191 (type), 0291 (subtype), 0299 (encoding);
http://hl7.org/fhir/R4/datatypes.html#Attachment
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment, Value
from importers.hl7v2.issue import DATA_TYPE_ERROR
from resources.codec import Json

INLINE = 32 * 1024
"""Bytes of a document that stand in the resource itself; larger ones are a Binary of their own."""

_BLANKS = re.compile(r"\s+")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")

_SUBTYPES: Mapping[str, str] = MappingProxyType(
    {
        "PDF": "application/pdf",
        "RTF": "application/rtf",
        "MSWORD": "application/msword",
        "WORD": "application/msword",
        "ZIP": "application/zip",
        "JSON": "application/json",
        "XML": "application/xml",
        "HTML": "text/html",
        "HTM": "text/html",
        "SGML": "text/sgml",
        "PLAIN": "text/plain",
        "TXT": "text/plain",
        "TEXT": "text/plain",
        "JPEG": "image/jpeg",
        "JPG": "image/jpeg",
        "PNG": "image/png",
        "GIF": "image/gif",
        "TIFF": "image/tiff",
        "TIF": "image/tiff",
        "BMP": "image/bmp",
        "DICOM": "application/dicom",
        "BASIC": "audio/basic",
        "X-HL7-CDA-LEVEL-ONE": "application/hl7-cda+xml",
        "X-HL7-CDA-LEVEL-TWO": "application/hl7-cda+xml",
        "X-HL7-CDA-LEVEL-THREE": "application/hl7-cda+xml",
        "OCTET-STREAM": "application/octet-stream",
    }
)
_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "AP": "application",
        "AU": "audio",
        "AUDIO": "audio",
        "IM": "image",
        "IMAGE": "image",
        "TX": "text",
        "TEXT": "text",
        "FT": "text",
        "VIDEO": "video",
        "MULTIPART": "multipart",
        "APPLICATION": "application",
    }
)
_BYTES = "application/octet-stream"
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "application/rtf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG", "image/png"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"<?xml", "application/xml"),
    (b"<html", "text/html"),
)


def attachments(conversion: Conversion, obx: Segment, subject: Json | None) -> list[Json]:
    """An Attachment for each repetition of an OBX-5 of type ED or RP; large ones refer to a Binary."""
    found = []
    for value in obx.values(5):
        if not _content(obx.text(2), value):
            continue
        attachment = pointer(value) if obx.text(2) == "RP" else data(conversion, value, subject)
        title = obx.text(3, 2) or obx.text(3)
        if title:
            attachment["title"] = title
        found.append(attachment)
    return found


def holds_document(obx: Segment) -> bool:
    """Whether an OBX is of type ED or RP and has content, or is the text of a PDF in Base64."""
    kind = obx.text(2)
    if kind not in ("ED", "RP") and not (kind in _TEXTS and obx.raw(5).startswith(_PDF)):
        return False
    return any(_content(kind, value) for value in obx.values(5))


_TEXTS = frozenset({"TX", "ST", "FT"})
_PDF = "JVBERi0"
"""`%PDF-` in Base64"""


def _content(kind: str, value: Value) -> str:
    """RP.1; ED.5, or all there is where a sender knows no components."""
    return value.text(1) if kind == "RP" or _is_alone(value) else value.text(5)


def _is_alone(value: Value) -> bool:
    return not any(value.text(component) for component in (2, 3, 4, 5))


def pointer(value: Value) -> Json:
    """An Attachment of an RP: the document lies elsewhere."""
    url = quote(value.text(1), safe=":/?#[]@!$&'()*+,;=%-._~")
    attachment: Json = {"contentType": kind} if (kind := media_type(value.text(3), value.text(4))) else {}
    return {**attachment, "url": url}


def data(conversion: Conversion, value: Value, subject: Json | None) -> Json:
    """An Attachment of an ED: the document itself."""
    if _is_alone(value):
        return _unexplained(conversion, value.text(1), subject)
    encoding, sent = value.text(4).casefold(), value.text(5)
    content = _decoded(encoding, sent)
    if content is None:
        told = f"ED.5 is not valid {value.text(4)}; what was sent was kept as text"
        conversion.issue(value.place, told, DATA_TYPE_ERROR)
        return store(conversion, sent.encode(), "text/plain", subject)
    kind = media_type(value.text(2), value.text(3)) or sniffed(content)
    return store(conversion, content, kind, subject)


def _unexplained(conversion: Conversion, sent: str, subject: Json | None) -> Json:
    """What stands in the first component alone: Base64 of something that is known, else a text."""
    content = _decoded("base64", sent)
    kind = sniffed(content) if content is not None else _BYTES
    if content is None or kind == _BYTES:
        return store(conversion, sent.encode(), "text/plain", subject)
    return store(conversion, content, kind, subject)


def store(conversion: Conversion, content: bytes, kind: str, subject: Json | None) -> Json:
    """An Attachment of the bytes; a Binary has them where they are many."""
    attachment: Json = {"contentType": kind}
    written = base64.b64encode(content).decode("ascii")
    if len(content) <= INLINE:
        return {**attachment, "data": written}
    binary: Json = {"resourceType": "Binary", "contentType": kind}
    if subject is not None:
        binary["securityContext"] = subject
    draft = conversion.add({**binary, "data": written})
    return {**attachment, "url": f"Binary/{draft.url.removeprefix('urn:uuid:')}", "size": len(content)}


def _decoded(encoding: str, sent: str) -> bytes | None:
    """The bytes that were meant; None where they cannot be read."""
    if encoding == "hex":
        bare = _BLANKS.sub("", sent)
        return bytes.fromhex(bare) if _HEX.fullmatch(bare) else None
    if encoding == "base64":
        bare = _BLANKS.sub("", sent)
        if not _BASE64.fullmatch(bare) or len(bare.rstrip("=")) % 4 == 1:
            return None
        bare = bare.rstrip("=")
        try:
            return binascii.a2b_base64(bare + "=" * (-len(bare) % 4))
        except binascii.Error:
            return None
    return sent.encode()


def media_type(family: str, subtype: str) -> str:
    """A media type of ED.2 and ED.3, or RP.3 and RP.4; empty where they do not say."""
    for said in (subtype, family):
        if _MEDIA_TYPE.fullmatch(said):
            return said.casefold()
    name = subtype.upper() or family.upper()
    known = _SUBTYPES.get(name)
    main = _FAMILIES.get(family.upper(), "")
    if known is not None:
        return f"text/{name.casefold()}" if main == "text" and name in ("RTF", "XML") else known
    if main and subtype and _MEDIA_TYPE.fullmatch(f"{main}/{subtype}"):
        return f"{main}/{subtype.casefold()}"
    return "text/plain" if main == "text" else ""


def sniffed(content: bytes) -> str:
    """The media type of what begins like this."""
    start = content[:64].lstrip()
    return next((kind for begins, kind in _BEGINNINGS if start.startswith(begins)), _BYTES)
