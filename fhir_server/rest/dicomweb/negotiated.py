"""What DICOMweb clients accept, and answers in it.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_8.7.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from fhir_server.rest import headers
from fhir_server.rest.exchange import HttpResponse
from resources import codec
from resources.codec import Json
from resources.outcome import error

DICOM_JSON = "application/dicom+json"
_PRODUCED = {DICOM_JSON, "application/json", "application/*", "*/*"}


@dataclass(slots=True)
class Streamed:
    """An answer of which only a piece at a time is in memory."""

    status: int
    pieces: AsyncIterator[bytes]
    media_type: str = DICOM_JSON
    headers: dict[str, str] = field(default_factory=dict)


def check(accept: str, query: Iterable[tuple[str, str]]) -> None:
    """FHIRError 406 unless DICOM JSON is accepted; the parameter `accept` counts before the header."""
    asked = next((value for name, value in query if name == "accept"), accept)
    names = [each.partition(";")[0].strip().lower() for each in asked.split(",") if each.strip()]
    if names and not _PRODUCED & set(names):
        raise error(
            406, "not-supported", f"'{asked[:200]}' cannot be produced. This service answers {DICOM_JSON}"
        )


def results(datasets: list[Json], warnings: Iterable[str]) -> HttpResponse:
    """The answer of a search: 204 where nothing was found."""
    told = ", ".join(f'299 - "{headers.safe(each)}"' for each in warnings)
    fields = {"Warning": told} if told else {}
    if not datasets:
        return HttpResponse(204, headers=fields)
    return HttpResponse(200, codec.encode(datasets), DICOM_JSON, fields)
