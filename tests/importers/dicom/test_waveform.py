from __future__ import annotations

from decimal import Decimal

from importers.dicom.dataset import read
from tests.importers.dicom.making import corpus, header, of_type, study
from tests.importers.dicom.test_content import ECG, waveform


def test_samples() -> None:
    samples = [[1, -2], [3, -4]]
    made = header(SOPClassUID=ECG, Modality="ECG", WaveformSequence=[waveform(samples)])
    [found] = of_type(study(made), "Observation")
    assert found["code"]["coding"][0]["code"] == "11524-6"
    one, other = found["component"]
    assert one["code"]["text"] == "Lead 1"
    assert one["valueSampledData"]["data"] == "1 3"
    assert other["valueSampledData"] == {
        "origin": {
            "value": Decimal(0),
            "unit": "microvolt",
            "system": "http://unitsofmeasure.org",
            "code": "uV",
        },
        "period": Decimal(2),
        "factor": Decimal("2.50"),
        "dimensions": 1,
        "data": "-2 -4",
    }


def test_other_waveforms_are_no_ecg() -> None:
    made = header(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.9.2.1",
        Modality="HD",
        WaveformSequence=[waveform([[0]] * 2)],
    )
    assert of_type(study(made), "Observation") == []


def test_an_ecg_of_a_machine() -> None:
    with corpus("files/waveform_ecg.dcm").open("rb") as stream:
        found = of_type(study(read(stream)), "Observation")
    told = {each["code"]["text"]: each["valueQuantity"]["value"] for each in found if "valueQuantity" in each}
    assert (told["RR Interval"], told["PR Interval"], told["QT Interval"]) == (982, 161, 368)
    groups = [each for each in found if "component" in each]
    assert [len(each["component"]) for each in groups] == [12, 12]
    assert len(groups[0]["component"][0]["valueSampledData"]["data"].split()) == 10_000
    assert groups[0]["component"][0]["valueSampledData"]["period"] == 1
