"""Waveforms (ECG) → Observations: what the machine measured, and the samples, lossless, channel by channel.

PS3.3 C.10.9; http://hl7.org/fhir/R4/datatypes.html#SampledData
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from importers.dicom.observation import (
    About,
    add,
    concept_of,
    decimal,
    observation,
    quantity,
)
from importers.dicom.study import StudyConversion
from resources.codec import Json

_EKG: Json = {"coding": [{"system": "http://loinc.org", "code": "11524-6", "display": "EKG study"}]}
_WAVEFORM: Json = {"text": "Waveform"}
_CLASSES_OF_EKG = "ECG"


def observations(study: StudyConversion, about: About, modality: str) -> None:
    """Drafts of annotations, and of each group of channels that were sampled together."""
    code = _EKG if modality == _CLASSES_OF_EKG else _WAVEFORM
    for number, item in enumerate(about.content.get("annotations", ()), 1):
        _annotation(study, about, item, f"annotation {number}")
    for number, group in enumerate(about.content.get("groups", ()), 1):
        components = [each for each in _channels(study, group) if each is not None]
        if not components:
            continue
        made = observation(study, about, about.identifier(f"group {number}"), code)
        if label := group.get("MultiplexGroupLabel"):
            made["code"] = {**code, "text": str(label)}
        add(study, {**made, "component": components})


def _annotation(study: StudyConversion, about: About, item: Mapping[str, Any], path: str) -> None:
    code, number = concept_of(study, item, "ConceptNameCodeSequence"), decimal(item.get("NumericValue"))
    if code is None or number is None:
        return
    made = observation(study, about, about.identifier(path), code)
    add(study, {**made, "valueQuantity": quantity(study, number, item)})


def _channels(study: StudyConversion, group: Mapping[str, Any]) -> list[Json | None]:
    frequency = decimal(group.get("SamplingFrequency"))
    if frequency is None or frequency <= 0:
        return []
    period = (Decimal(1000) / frequency).normalize()
    definitions = group.get("ChannelDefinitionSequence", ())
    return [
        _channel(study, definition, f"{period:f}", samples)
        for definition, samples in zip(definitions, group["samples"], strict=False)
    ]


def _channel(study: StudyConversion, told: Mapping[str, Any], period: str, samples: str) -> Json | None:
    """A component; origin and factor turn the raw numbers into the unit of the channel."""
    code = concept_of(study, told, "ChannelSourceSequence")
    if code is None:
        label = told.get("ChannelLabel")
        code = {"text": str(label)} if label else None
    if code is None:
        return None
    factor = decimal(told.get("ChannelSensitivity"))
    correction = decimal(told.get("ChannelSensitivityCorrectionFactor"))
    unit = {"MeasurementUnitsCodeSequence": told.get("ChannelSensitivityUnitsSequence", ())}
    sampled: Json = {
        "origin": quantity(study, decimal(told.get("ChannelBaseline")) or Decimal(0), unit),
        "period": Decimal(period),
    }
    if factor is not None:
        sampled["factor"] = factor * correction if correction is not None else factor
    return {"code": code, "valueSampledData": {**sampled, "dimensions": 1, "data": samples}}
