"""NTE segments: what somebody wrote about the segment before them, as Annotations.

http://hl7.org/fhir/uv/v2mappings, NTE[Observation]; http://hl7.org/fhir/R4/datatypes.html#Annotation
"""

from __future__ import annotations

from collections.abc import Sequence

from importers.hl7v2 import actors, datatypes
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment
from resources.codec import Json


def remarks(conversion: Conversion, notes: Sequence[Segment]) -> list[Json]:
    """One Annotation for each run of lines by one author at one time; empty where nothing is said."""
    found: list[Json] = []
    before: tuple[str, str, str] | None = None
    for note in notes:
        text = lines(note)
        origin = (note.raw(4), note.raw(5), note.raw(6))
        if found and origin == before:
            found[-1]["text"] += f"\n{text}"
        elif text.strip():
            found.append(_annotation(conversion, note, text))
            before = origin
    for annotation in found:
        annotation["text"] = annotation["text"].strip("\n")
    return found


def lines(note: Segment, field: int = 3) -> str:
    """The text of a field of type FT or TX, blanks kept; repetitions are lines."""
    raw = note.raw(field)
    if not raw or raw == '""':
        return ""
    unescape = note.delimiters.unescape
    return "\n".join(unescape(line).rstrip() for line in raw.split(note.delimiters.repetition))


def _annotation(conversion: Conversion, note: Segment, text: str) -> Json:
    annotation: Json = {}
    if note.raw(5):
        author = actors.practitioner(conversion, note.value(5))
        if author is not None and "reference" in author:
            annotation["authorReference"] = author
        elif author is not None:
            annotation["authorString"] = author["display"]
    if note.raw(6) and (time := datatypes.date_time(conversion, note.value(6))):
        annotation["time"] = time
    annotation["text"] = text
    return annotation
