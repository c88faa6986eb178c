from __future__ import annotations

import array
import io
import json
from collections.abc import Sequence

import pytest
from pydicom.dataset import Dataset

from importers.dicom import content
from importers.dicom.dataset import Limits, read
from tests.importers.dicom.making import BIG, EXPLICIT, IMPLICIT, dataset, file, header, item, keywords
from tests.importers.dicom.reports import COMPREHENSIVE, code, coded, container, num, report, text

MM = code("mm", "UCUM")


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ("88.33", "report"),
        ("88.67", "report"),
        ("88.59", ""),
        ("9.1.1", "waveform"),
        ("104.1", "document"),
        ("2", ""),
    ],
)
def test_kinds(last: str, kind: str) -> None:
    assert content.kind(f"1.2.840.10008.5.1.4.1.1.{last}") == kind


def test_images_have_none() -> None:
    assert header().content is None


def test_numbers_and_codes_are_kept_and_text_is_not() -> None:
    found = report(
        text(code("121106"), "SECRET comment"),
        text(code("112039"), "Lesion 1"),
        container(code("125007"), num(code("103339001", "SCT"), "12.50", MM)),
        coded(code("121071"), code("4147007", "SCT", "Mass")),
    )
    assert found.content is not None
    told = json.dumps(found.content)
    assert "SECRET" not in told
    assert "Lesion 1" in told
    assert '"NumericValue": "12.50"' in told
    assert found.content["kind"] == "report"
    assert found.content["sop"] == found.sop_uid


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT, BIG])
def test_whatever_the_encoding(transfer_syntax: str) -> None:
    made = dataset(
        SOPClassUID=COMPREHENSIVE,
        ContentSequence=[container(code("125007"), num(code("1"), "1.5", MM))],
        SpecificCharacterSet="ISO_IR 192",
    )
    found = read(io.BytesIO(file(made, transfer_syntax, pixels=False)))
    assert found.content is not None
    assert found.content["items"][0]["items"][0]["MeasuredValueSequence"][0]["NumericValue"] == "1.5"


def test_depth_and_number_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = num(code("1"), "1", MM)
    for _ in range(60):
        deep = container(code("125007"), deep)
    found = report(deep)
    assert "ContentSequence" in keywords(found)
    monkeypatch.setattr(content, "MOST", 5)
    found = report(*(num(code("1"), "1", MM) for _ in range(10)))
    assert found.content is not None
    assert len(found.content["items"]) == 5
    assert "ContentSequence" in keywords(found)


def test_a_report_whose_content_cannot_be_read_has_its_header() -> None:
    made = dataset(
        SOPClassUID=COMPREHENSIVE, ContentSequence=[text(code("1"), "x" * 60_000) for _ in range(3)]
    )
    body = file(made, pixels=False)
    found = read(io.BytesIO(body), Limits(header_bytes=100_000))
    assert found.content is None
    assert found.sop_uid == "1.2.3.4.5"
    assert "ContentSequence" in keywords(found)


def waveform(
    samples: Sequence[Sequence[int]], *, bits: int = 16, kind: str = "SS", frequency: str = "500"
) -> Dataset:
    channels = len(samples[0])
    made = item(
        NumberOfWaveformChannels=channels,
        NumberOfWaveformSamples=len(samples),
        SamplingFrequency=frequency,
        WaveformBitsAllocated=bits,
        WaveformSampleInterpretation=kind,
        MultiplexGroupLabel="RHYTHM",
        ChannelDefinitionSequence=[
            item(
                ChannelSourceSequence=code(f"5.6.3-9-{number}", "SCPECG", f"Lead {number}"),
                ChannelSensitivity="1.25",
                ChannelSensitivityCorrectionFactor="2",
                ChannelBaseline="0",
                ChannelSensitivityUnitsSequence=code("uV", "UCUM", "microvolt"),
            )
            for number in range(1, channels + 1)
        ],
    )
    made.add_new(
        0x54001010,
        "OW" if bits == 16 else "OB",
        array.array("h", [each for moment in samples for each in moment]).tobytes(),
    )
    return made


ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"


def test_samples_are_read_channel_by_channel() -> None:
    samples = [[1, -2], [3, -4], [5, 32767]]
    found = header(SOPClassUID=ECG, WaveformSequence=[waveform(samples)])
    assert found.content is not None
    assert found.content["groups"][0]["samples"] == ["1 3 5", "-2 -4 32767"]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (waveform([[0]] * 100, frequency="1"), "100 seconds"),
        (waveform([[0]] * 10, kind="MB"), "not linear"),
        (waveform([[0]] * 10, frequency="0"), "no frequency"),
    ],
)
def test_samples_that_are_left_out(made: Dataset, reason: str) -> None:
    found = header(SOPClassUID=ECG, WaveformSequence=[made])
    assert found.content is None, reason
    assert "WaveformData" in keywords(found)


def test_fewer_samples_than_said() -> None:
    made = waveform([[0] * 2] * 10)
    made.NumberOfWaveformSamples = 11
    assert header(SOPClassUID=ECG, WaveformSequence=[made]).content is None


def test_annotations_are_numbers() -> None:
    told = [
        item(
            ConceptNameCodeSequence=code("5.13.5-7", "SCPECG", "PR Interval"),
            NumericValue="161",
            MeasurementUnitsCodeSequence=code("ms", "UCUM"),
        ),
        item(UnformattedTextValue="SECRET interpretation"),
    ]
    found = header(SOPClassUID=ECG, WaveformAnnotationSequence=told)
    assert found.content is not None
    assert len(found.content["annotations"]) == 1
    assert "SECRET" not in json.dumps(found.content)
