"""What a STOW-RS request is answered: the response data set in DICOM JSON, and the HTTP status it means; pure.

https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_10.5.3.html,
https://dicom.nema.org/medical/dicom/current/output/chtml/part18/chapter_I.html
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from importers.dicom.answers import ELEMENTS_DISCARDED, NO_MATCH, Answer
from resources.codec import Json

_COMMENT = 64
"""Characters of an LO"""


@dataclass(slots=True)
class StoreResponse:
    """Answers to the instances of one request, in the order they came."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def status(self) -> int:
        """200 all stored, 202 some not or not as they were sent, 409 none.

        That pixels are not kept, or were none, is a warning to each instance; it does not make a 202.
        """
        stored = sum(each.stored for each in self.answers)
        if not stored:
            return 409
        told = any(each.warning not in {None, ELEMENTS_DISCARDED, NO_MATCH} for each in self.answers)
        return 202 if told or stored < len(self.answers) else 200

    def dataset(self) -> Json:
        """The Store Instances Response Module. https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_I.2.html"""
        known = [each for each in self.answers if each.sop_uid]
        failed = [each for each in known if not each.stored]
        unknown = [each for each in self.answers if not each.sop_uid]
        # RetrieveURL is of type 2: nothing can be retrieved, as no pixels are kept.
        told: Json = {"00081190": {"vr": "UR"}}
        if failed:
            told["00081198"] = _sequence([_failed(each) for each in failed])
        if len(failed) < len(known):
            told["00081199"] = _sequence([_stored(each) for each in known if each.stored])
        if unknown:
            told["0008119A"] = _sequence([_reason(each) for each in unknown])
        return told


def _instance(answer: Answer) -> Json:
    return {"00081150": _value("UI", answer.sop_class), "00081155": _value("UI", answer.sop_uid)}


def _stored(answer: Answer) -> Json:
    item = _instance(answer)
    item["00081190"] = {"vr": "UR"}
    if answer.warning is not None:
        item["00081196"] = _value("US", answer.warning)
    if answer.text:
        item["00741048"] = _comment(answer.text)
    return item


def _failed(answer: Answer) -> Json:
    return {**_instance(answer), **_reason(answer)}


def _reason(answer: Answer) -> Json:
    item = {"00081197": _value("US", answer.failure)}
    if answer.text:
        item["00741048"] = _comment(answer.text)
    return item


def _comment(text: str) -> Json:
    """A sentence for a person: Error Comment in an item of the Failed Attributes Sequence."""
    return _sequence([{"00000902": _value("LO", textwrap.shorten(text, _COMMENT, placeholder="…"))}])


def _sequence(items: list[Json]) -> Json:
    return {"vr": "SQ", "Value": items}


def _value(vr: str, value: object) -> Json:
    return {"vr": vr, "Value": [value]} if value not in {None, ""} else {"vr": vr}
