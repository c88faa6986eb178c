"""What the contents of the instances of a study become: measurements, doses, waveforms, documents.

What no instance says any more, because it was deleted or corrected, is `entered-in-error`.
"""

from __future__ import annotations

from collections.abc import Sequence

from importers.dicom import document, dose, sr, waveform
from importers.dicom.digest import CONTENT
from importers.dicom.identifiers import token
from importers.dicom.observation import INSTANCE, About
from importers.dicom.rows import Group
from importers.dicom.study import UIDS, StudyConversion
from importers.hl7v2.conversion import Draft
from importers.submit import Find
from resources.codec import Json

_WRONG = "entered-in-error"


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


async def retracted(drafts: Sequence[Draft], reference: str, find: Find) -> list[Draft]:
    """Drafts that take back what was made of the ImagingStudy `reference` and is no longer among `drafts`."""
    told = {
        (each.resource["resourceType"], number.get("system"), number.get("value"))
        for each in drafts
        for number in each.resource.get("identifier", ())
    }
    stored = await find(
        [("Observation", f"part-of={reference}"), ("DocumentReference", f"related={reference}")]
    )
    found = []
    for resource in (each for some in stored for each in some):
        kind, number = resource["resourceType"], _ours(resource)
        if number is None or resource["status"] == _WRONG:
            continue
        if (kind, number["system"], number["value"]) not in told:
            wrong = {"resourceType": kind, "status": _WRONG}
            found.append(Draft(wrong, f"urn:uuid:{resource['id']}", (token(number),), moves=True))
    return found


def _ours(resource: Json) -> Json | None:
    """The identifier by which something that was made here is known; None of what others have made."""
    numbers: list[Json] = resource.get("identifier", [])
    if resource["resourceType"] == "DocumentReference":
        return next((each for each in numbers if each.get("system") == UIDS), None)
    made = any(each.get("url") == INSTANCE for each in resource.get("extension", ()))
    return numbers[0] if made and numbers and "system" in numbers[0] else None
