"""What a sender is told of one instance: stored, stored with a warning, or refused, in the codes DICOM has for it.

https://dicom.nema.org/medical/dicom/current/output/chtml/part04/sect_B.2.3.html,
https://dicom.nema.org/medical/dicom/current/output/chtml/part18/sect_I.2.html
"""

from __future__ import annotations

from dataclasses import dataclass

SUCCESS = 0x0000
COERCION = 0xB000
ELEMENTS_DISCARDED = 0xB006
NO_MATCH = 0xB007
"""Data set does not match SOP class"""

PROCESSING_FAILURE = 0x0110
DUPLICATE = 0x0111
NOT_SUPPORTED = 0x0122
"""SOP class"""
NOT_AUTHORISED = 0x0124
OUT_OF_RESOURCES = 0xA700
REQUIRED_MISSING = 0xA900
OTHER_STUDY = 0xA901
CANNOT_UNDERSTAND = 0xC000
NO_TRANSFER_SYNTAX = 0xC122


@dataclass(frozen=True, slots=True)
class Answer:
    """`failure` is None where the instance is durable; `text` holds no value of the data set."""

    sop_class: str = ""
    sop_uid: str = ""
    failure: int | None = None
    warning: int | None = None
    text: str = ""

    @property
    def stored(self) -> bool:
        return self.failure is None

    @property
    def status(self) -> int:
        """Of a C-STORE response, where 0111 would be a failure: that other values were kept is a coercion."""
        if self.failure is not None:
            return self.failure
        if self.warning == DUPLICATE:
            return COERCION
        return SUCCESS if self.warning is None else self.warning
