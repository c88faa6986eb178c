"""What is to be told about a message: where, which kind of error, how bad.

HL7 v2.8.2 chapter 2, segment ERR; table 0357 (message error condition codes), table 0516 (error severity).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "information", "fatal"]
"""Table 0516 has their first letters in upper case."""

SEQUENCE_ERROR = "100"
REQUIRED_FIELD_MISSING = "101"
DATA_TYPE_ERROR = "102"
TABLE_VALUE_NOT_FOUND = "103"
VALUE_TOO_LONG = "104"
CARDINALITY = "198"
OTHER_ERROR = "199"
UNSUPPORTED_MESSAGE_TYPE = "200"
UNSUPPORTED_EVENT = "201"
UNSUPPORTED_PROCESSING_ID = "202"
UNSUPPORTED_VERSION = "203"
UNKNOWN_KEY = "204"
DUPLICATE_KEY = "205"
INTERNAL_ERROR = "207"

REJECTING = {
    UNSUPPORTED_MESSAGE_TYPE,
    UNSUPPORTED_EVENT,
    UNSUPPORTED_PROCESSING_ID,
    UNSUPPORTED_VERSION,
    INTERNAL_ERROR,
}
"""Codes that table 0357 counts as rejection: the message cannot be processed at all (AR), whatever it contains."""

_PLACE = re.compile(r"(\w+)(?:\[(\d+)\])?(?:-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.(\d+))?)?)?")


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to tell the sender or an operator; `text` holds no value of a patient.

    `place` is `SEG`, `SEG[sequence]-field[repetition].component.subcomponent`, all counted from 1; what is 1 and
    what lies deeper may be left out: `PID-3[2].4.2`, `OBX[3]-5`. Empty where the whole message is meant.
    """

    place: str
    text: str
    code: str = OTHER_ERROR
    severity: Severity = "warning"

    @property
    def location(self) -> tuple[str, ...]:
        """The components of ERR-2: segment, sequence, field, repetition, component, subcomponent, as far as known."""
        match = _PLACE.fullmatch(self.place)
        if match is None:
            return ()
        segment, sequence, field, repetition, component, subcomponent = match.groups()
        parts = [segment, sequence or "1", field, field and (repetition or "1"), component, subcomponent]
        return tuple(part for part in parts if part)
