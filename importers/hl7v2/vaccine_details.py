"""OBX of a vaccination that are elements of the Immunization, by their LOINC codes.

CDC, HL7 2.5.1 Implementation Guide for Immunization Messaging, release 1.5, appendix A and chapter 5 (OBX).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from importers.hl7v2 import datatypes, obx_value
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment
from importers.hl7v2.order_group import Result
from resources.codec import Json


def add(conversion: Conversion, results: Sequence[Result], immunization: Json) -> list[Result]:
    """Adds what belongs to the vaccination; returns the results that do not."""
    rest: list[Result] = []
    education: dict[str, Json] = {}
    protocol: Json = {}
    for result in results:
        obx = result.obx
        code = obx.text(3)
        if code in _EDUCATION:
            _educate(conversion, code, obx, education)
        elif code in _PROTOCOL:
            _protocol(conversion, code, obx, protocol)
        elif (put := _ELEMENTS.get(code)) is not None:
            put(conversion, obx, immunization)
        else:
            rest.append(result)
    for sheet in education.values():
        sheet.setdefault("documentType", "Vaccine Information Statement")
    if education:
        immunization["education"] = list(education.values())
    if protocol:
        if "doseNumberPositiveInt" not in protocol:
            protocol.setdefault("doseNumberString", "unknown")
        immunization["protocolApplied"] = [protocol]
    return rest


def _educate(conversion: Conversion, code: str, obx: Segment, education: dict[str, Json]) -> None:
    """The lines of one information sheet have the same sub-id."""
    sheet = education.setdefault(obx.text(4), {})
    if code in ("69764-9", "30956-7"):
        if kind := obx.text(5, 2) or obx.text(5):
            sheet["documentType"] = kind
        return
    name = "publicationDate" if code == "29768-9" else "presentationDate"
    if (date := datatypes.date_time(conversion, obx.value(5))) is not None:
        sheet[name] = date


def _protocol(conversion: Conversion, code: str, obx: Segment, protocol: Json) -> None:
    if code in ("30973-2", "59782-3"):
        name = "doseNumber" if code == "30973-2" else "seriesDoses"
        text = obx.text(5)
        if text.isdecimal() and len(text) < 6 and int(text) > 0:
            protocol[f"{name}PositiveInt"] = int(text)
        elif text:
            protocol[f"{name}String"] = text
    elif code == "59779-9":
        if series := obx.text(5, 2) or obx.text(5):
            protocol["series"] = series
    elif (disease := datatypes.codeable_concept(conversion, obx.value(5))) is not None:
        protocol["targetDisease"] = [*protocol.get("targetDisease", ()), disease]


def _append(name: str) -> Callable[[Conversion, Segment, Json], None]:
    def put(conversion: Conversion, obx: Segment, immunization: Json) -> None:
        if (concept := datatypes.codeable_concept(conversion, obx.value(5))) is not None:
            immunization[name] = [*immunization.get(name, ()), concept]

    return put


def _funding(conversion: Conversion, obx: Segment, immunization: Json) -> None:
    if (concept := datatypes.codeable_concept(conversion, obx.value(5))) is not None:
        immunization["fundingSource"] = concept


def _comment(conversion: Conversion, obx: Segment, immunization: Json) -> None:
    if text := obx_value.text_of(obx):
        immunization["note"] = [*immunization.get("note", ()), {"text": text}]


_EDUCATION = frozenset({"69764-9", "30956-7", "29768-9", "29769-7"})
_PROTOCOL = frozenset({"30973-2", "59782-3", "59779-9", "38890-0"})
_ELEMENTS: Mapping[str, Callable[[Conversion, Segment, Json], None]] = MappingProxyType(
    {
        "64994-7": _append("programEligibility"),
        "30963-3": _funding,
        "59785-6": _append("reasonCode"),
        "48767-8": _comment,
    }
)
