"""DICOM: headers read and mapped by one core."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom.data

from importers.dicom import imaging_study
from importers.dicom.dataset import read
from importers.dicom.describe import describe
from importers.dicom.rows import Group
from importers.dicom.sources import SourceConfig
from tests.bench.report import Figure

ROUNDS = 5
FILES = 400
"""of each round"""
_SHIPPED = Path(pydicom.data.__file__).parent / "test_files"


def figures() -> Iterator[Figure]:
    """Read and mapped: from the bytes of a file to the resources of its study."""
    for name, target in (("CT_small.dcm", "≤ 1.5"), ("MR_small.dcm", "≤ 1.5"), ("reportsi.dcm", "")):
        yield Figure(f"{name}, read and mapped, one core", _milliseconds(_SHIPPED / name), "ms CPU", target)


def _milliseconds(path: Path) -> float:
    body, config = path.read_bytes(), SourceConfig()
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(FILES):
            made = describe(read(io.BytesIO(body)), config)
            row = made.row
            group = Group(row.series_uid, made.study, made.series, 1, row.sop_uid, frozenset({row.sop_class}))
            imaging_study.study(row.study_uid, [group], config)
        spent.append((time.process_time() - began) / FILES * 1000)
    return statistics.median(spent)
