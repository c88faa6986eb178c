"""What is kept of the content of reports, waveforms and documents: plain values, from which resources are made later.

Of a report (SR) it is numbers, codes, references and times; of text only what names a lesion or a machine.
PS3.3 C.17.3 (SR document content), C.10.9 (waveform), C.10.10 (waveform annotation)
"""

from __future__ import annotations

import array
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from importers.dicom import tags
from importers.dicom.header import Header, Issue
from resources.codec import Json

ValuesOf = Callable[[Dataset, Sequence[tags.Attribute], list[Issue]], dict[str, Any]]

_CLASSES = "1.2.840.10008.5.1.4.1.1."
_KEY_OBJECTS = f"{_CLASSES}88.59"
TEXTS = {"112039", "121013", "121014", "121015", "121016"}
"""Concepts whose text is kept: tracking identifier; name, manufacturer, model and serial number of a device"""
DEEPEST, MOST = 50, 20_000
MOST_SAMPLES, MOST_SECONDS = 240_000, 30
"""Of a waveform that becomes SampledData"""
_TYPES = {("SS", 16): "h", ("US", 16): "H", ("SB", 8): "b", ("UB", 8): "B", ("SL", 32): "i", ("UL", 32): "I"}


def kind(sop_class: str) -> str:
    """`report`, `waveform`, `document`, or nothing for instances whose content is not looked at."""
    if sop_class.startswith(f"{_CLASSES}88.") and sop_class != _KEY_OBJECTS:
        return "report"
    if sop_class.startswith(f"{_CLASSES}9.1."):
        return "waveform"
    return "document" if sop_class.startswith(f"{_CLASSES}104.") else ""


def wanted(sop_class: str) -> list[int]:
    """The tags that are read for it, beside those of every header."""
    return {"report": [tags.CONTENT], "waveform": [tags.ANNOTATIONS, tags.WAVEFORMS]}.get(kind(sop_class), [])


_FACTS = (
    *("ContentDate", "ContentTime", "AcquisitionDateTime", "TimezoneOffsetFromUTC"),
    *("CompletionFlag", "VerificationFlag", "PreliminaryFlag", "ConceptNameCodeSequence", "DocumentTitle"),
    "MIMETypeOfEncapsulatedDocument",
)


def content(header: Header, dataset: Dataset | None, values_of: ValuesOf, issues: list[Issue]) -> Json | None:
    """What is kept of the content of an instance; None if there is nothing."""
    named = kind(header.sop_class)
    found: Json = {"kind": named, "sop": header.sop_uid, "series": header.series_uid}
    found |= {name: header.values[name] for name in _FACTS if name in header.values}
    if named == "document":
        return found
    if dataset is None:
        return None
    if named == "report":
        left = [MOST]
        found["items"] = _items(dataset, values_of, issues, left, 0)
        if left[0] <= 0:
            issues.append(Issue("ContentSequence", f"has more than {MOST} items; the first were taken"))
        return found if found["items"] else None
    found["annotations"] = _annotations(dataset, values_of, issues)
    found["groups"] = _groups(dataset, values_of, issues)
    return found if found["annotations"] or found["groups"] else None


def _children(dataset: Dataset, tag: int) -> Sequence[Dataset]:
    element = dataset.get(tag) if tag in dataset else None
    return element.value if element is not None and element.VR == "SQ" else ()


def _items(
    dataset: Dataset, values_of: ValuesOf, issues: list[Issue], left: list[int], depth: int
) -> list[Json]:
    if depth >= DEEPEST:
        issues.append(
            Issue("ContentSequence", f"is nested more than {DEEPEST} deep; what is deeper was left out")
        )
        return []
    found = []
    for child in _children(dataset, tags.CONTENT):
        left[0] -= 1
        if left[0] < 0:
            break
        item = values_of(child, tags.CONTENT_ITEM, issues)
        name = (item.get("ConceptNameCodeSequence") or [{}])[0]
        if name.get("CodeValue") not in TEXTS:
            item.pop("TextValue", None)
        if inner := _items(child, values_of, issues, left, depth + 1):
            item["items"] = inner
        found.append(item)
    return found


def _annotations(dataset: Dataset, values_of: ValuesOf, issues: list[Issue]) -> list[Json]:
    """Numbers alone: text of interpretations is not read."""
    found = [
        values_of(child, tags.ANNOTATION, issues) for child in _children(dataset, tags.ANNOTATIONS)[:MOST]
    ]
    return [each for each in found if "NumericValue" in each and "ConceptNameCodeSequence" in each]


def _groups(dataset: Dataset, values_of: ValuesOf, issues: list[Issue]) -> list[Json]:
    found = []
    for child in _children(dataset, tags.WAVEFORMS)[:16]:
        group = values_of(child, tags.WAVEFORM, issues)
        samples = _samples(child, group)
        if samples is None:
            issues.append(
                Issue("WaveformData", "is too long, or not of a form that is read; it was left out")
            )
            continue
        found.append({**group, "samples": samples})
    return found


def _samples(dataset: Dataset, group: Json) -> list[str] | None:
    """The samples of each channel as SampledData has them: numbers with blanks between."""
    channels, count = _whole(group, "NumberOfWaveformChannels"), _whole(group, "NumberOfWaveformSamples")
    code = _TYPES.get((group.get("WaveformSampleInterpretation", ""), _whole(group, "WaveformBitsAllocated")))
    frequency = _number(group.get("SamplingFrequency"))
    if code is None or frequency <= 0 or not 0 < channels * count <= MOST_SAMPLES:
        return None
    if count / frequency > MOST_SECONDS:
        return None
    raw: Any = dataset.get_item(tags.SAMPLES)
    if not isinstance(raw, RawDataElement) or not raw.value:
        return None
    values = array.array(code)
    size = channels * count * values.itemsize
    if len(raw.value) < size:
        return None
    values.frombytes(raw.value[:size])
    if raw.is_little_endian != (sys.byteorder == "little"):
        values.byteswap()
    return [" ".join(map(str, values[channel::channels])) for channel in range(channels)]


def _whole(group: Json, name: str) -> int:
    found = group.get(name)
    return found if isinstance(found, int) else 0


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return 0.0
