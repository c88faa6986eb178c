"""Data sets, headers and studies to try things on."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from importers.dicom import digest, imaging_study
from importers.dicom.dataset import read
from importers.dicom.header import Header
from importers.dicom.rows import Group
from importers.dicom.sources import SourceConfig
from importers.dicom.study import StudyConversion
from importers.hl7v2.reconcile import rewritten
from resources.codec import Json
from resources.validation import validate

CORPUS = Path(os.environ.get("FHIR_CORPUS", Path(__file__).parents[4] / "shared" / "corpus")) / "dicom"
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"


def corpus(name: str) -> Path:
    """A file of the corpus; skips where there is none."""
    path = CORPUS / name
    if not path.exists():
        pytest.skip(f"There is no {path}; FHIR_CORPUS names the folder of the corpus")
    return path


def dataset(**values: Any) -> Dataset:
    """A CT image of a study 1.2.3; None takes an attribute away."""
    made = Dataset()
    told = {
        "SOPClassUID": CT,
        "SOPInstanceUID": "1.2.3.4.5",
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": "CT",
        "PatientID": "4711",
        "PatientName": "Muster^Erika",
        **values,
    }
    return _filled(made, told)


def item(**values: Any) -> Dataset:
    return _filled(Dataset(), values)


def _filled(made: Dataset, told: Mapping[str, Any]) -> Dataset:
    with warnings.catch_warnings():  # much of it is wrong on purpose
        warnings.simplefilter("ignore")
        for keyword, value in told.items():
            if value is not None:
                setattr(made, keyword, value)
    return made


def file(made: Dataset, transfer_syntax: str = EXPLICIT, *, pixels: bool = True) -> bytes:
    """The data set as a file of PS3.10."""
    if pixels and "PixelData" not in made:
        made.PixelData = b"\0\0"
        made["PixelData"].VR = "OW"
        made.BitsAllocated = 16
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save_as(written, enforce_file_format=True)
    return written.getvalue()


def header(**values: Any) -> Header:
    """What is read of such a file."""
    return read(io.BytesIO(file(dataset(**values))))


def groups(headers: Iterable[Header]) -> list[Group]:
    """As the store groups rows: by series and by what they say of study and series."""
    found: dict[tuple[str, str, str], tuple[Any, Any, dict[str, str]]] = {}
    for each in headers:
        study, series = digest.study_values(each), digest.series_values(each)
        key = (each.series_uid, digest.digest(study), digest.digest(series))
        found.setdefault(key, (study, series, {}))[2][each.sop_uid] = each.sop_class
    return [
        Group(key[0], study, series, len(sops), min(sops), frozenset(sops.values()))
        for key, (study, series, sops) in found.items()
    ]


def study(*headers: Header, config: SourceConfig | None = None) -> StudyConversion:
    """What becomes of them; all resources are valid."""
    made = imaging_study.study(headers[0].study_uid, groups(headers), config or SourceConfig())
    assert_valid(made)
    return made


def assert_valid(made: StudyConversion) -> None:
    ids = {
        draft.url: f"{draft.resource['resourceType']}/{number}" for number, draft in enumerate(made.drafts)
    }
    for draft in made.drafts:
        assert faults(rewritten(draft.resource, ids)) == []


def faults(resource: Json) -> list[str]:
    return [issue.diagnostics for issue in validate(resource) if issue.severity in ("error", "fatal")]


def of_type(made: StudyConversion, kind: str) -> list[Json]:
    return [draft.resource for draft in made.drafts if draft.resource["resourceType"] == kind]


def places(made: StudyConversion) -> set[str]:
    return {issue.place for issue in made.issues}


def keywords(read_: Header) -> Sequence[str]:
    return [issue.keyword for issue in read_.issues]
