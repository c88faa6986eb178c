"""Structured reports, made with pydicom."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from importers.dicom.header import Header
from resources.codec import Json
from tests.importers.dicom.making import header, item, of_type, study

COMPREHENSIVE = "1.2.840.10008.5.1.4.1.1.88.33"


def code(value: str, scheme: str = "DCM", meaning: str = "") -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning or value)]


def container(name: list[Dataset], *items: Dataset, **more: Any) -> Dataset:
    return item(ValueType="CONTAINER", ConceptNameCodeSequence=name, ContentSequence=list(items), **more)


def num(name: list[Dataset], value: str | None, unit: list[Dataset], *items: Dataset) -> Dataset:
    made = item(ValueType="NUM", ConceptNameCodeSequence=name, ContentSequence=list(items))
    made.MeasuredValueSequence = (
        [item(NumericValue=value, MeasurementUnitsCodeSequence=unit)] if value is not None else []
    )
    return made


def coded(name: list[Dataset], told: list[Dataset], *items: Dataset) -> Dataset:
    return item(
        ValueType="CODE", ConceptNameCodeSequence=name, ConceptCodeSequence=told, ContentSequence=list(items)
    )


def text(name: list[Dataset], told: str) -> Dataset:
    return item(ValueType="TEXT", ConceptNameCodeSequence=name, TextValue=told)


def uid(name: list[Dataset], told: str) -> Dataset:
    return item(ValueType="UIDREF", ConceptNameCodeSequence=name, UID=told)


def report(*items: Dataset, root: str = "126000", **values: Any) -> Header:
    return header(
        **{
            "SOPClassUID": COMPREHENSIVE,
            "Modality": "SR",
            "ConceptNameCodeSequence": code(root),
            "ContentSequence": list(items),
            **values,
        }
    )


def observations(header_: Header) -> list[Json]:
    return of_type(study(header_), "Observation")
