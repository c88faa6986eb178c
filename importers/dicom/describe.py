"""A Header → its row, and the values that it shares with others of its study and series; pure."""

from __future__ import annotations

from importers.dicom import digest, instance
from importers.dicom.arrivals import Described
from importers.dicom.header import Header
from importers.dicom.patient import patient_key
from importers.dicom.rows import Instance
from importers.dicom.sources import SourceConfig


def describe(header: Header, source: SourceConfig) -> Described:
    """Equal values have equal names, whatever instance they come with."""
    study, series = digest.study_values(header), digest.series_values(header)
    number, title = instance.number(header), instance.title(header)
    names = digest.digest(study), digest.digest(series)
    own = {
        "sop_class": header.sop_class,
        "number": number,
        "title": title,
        "study": names[0],
        "series": names[1],
    }
    row = Instance(
        header.sop_uid,
        header.study_uid,
        header.series_uid,
        header.sop_class,
        digest.digest(own),
        names[0],
        names[1],
        number,
        title,
        source.name,
    )
    return Described(row, study, series, patient_key(study, source))
