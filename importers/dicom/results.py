"""What the contents of the instances of a study become: measurements, doses, waveforms, documents."""

from __future__ import annotations

from collections.abc import Sequence

from importers.dicom import document, dose, sr, waveform
from importers.dicom.digest import CONTENT
from importers.dicom.observation import About
from importers.dicom.rows import Group
from importers.dicom.study import StudyConversion
from resources.codec import Json


def results(
    study: StudyConversion, groups: Sequence[Group], whole: Json, subject: Json, based_on: list[Json]
) -> None:
    """Adds their drafts; `whole` and `subject` are References to the ImagingStudy and the Patient."""
    told = [group for group in groups if CONTENT in group.series] if study.config.results else []
    for group in sorted(told, key=lambda each: each.first):
        about = About(group.series[CONTENT], whole, subject, based_on)
        kind = about.content["kind"]
        if kind == "document":
            document.document(study, about)
        elif kind == "waveform":
            waveform.observations(study, about, str(group.series.get("Modality", "")))
        elif dose.is_dose(about.content):
            dose.dose(study, about)
        else:
            sr.observations(study, about)
