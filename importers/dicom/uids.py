"""UIDs: what is one, and classes of instances by theirs. PS3.5 chapter 9, PS3.4 annex B."""

from __future__ import annotations

import re

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_ZERO = re.compile(r"(?:^|\.)0[0-9]", re.ASCII)
LONGEST = 64

DIRECTORY = "1.2.840.10008.1.3.10"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NOT_STORED = ("1.2.840.10008.3.1.2.3.", "1.2.840.10008.5.1.4.31", "1.2.840.10008.1.")
"""Procedure steps, worklist items, and services: what is no object that is stored"""

_IMAGES = ("1.2.840.10008.5.1.4.1.1.",)
_NO_IMAGES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{each}"
    for each in (
        "9.",
        "11.",
        "66.1",
        "66.3",
        "66.5",
        "66.6",
        "67",
        "68.",
        "78.",
        "79.1",
        "80.1",
        "88.",
        "90.1",
        "91.1",
        "104.",
        "200.",
        "481.",
        "66",
        "129",
        "131",
    )
)
"""Storage classes without pixels"""


def is_uid(text: str) -> bool:
    """Digits and single dots, at most 64 characters; components that begin with 0 are seen, and let pass."""
    return len(text) <= LONGEST and _UID.fullmatch(text) is not None


def has_leading_zero(uid: str) -> bool:
    """Whether a component begins with a zero that means nothing, which PS3.5 9.1 forbids."""
    return _ZERO.search(uid) is not None


def is_stored(sop_class: str) -> bool:
    """Whether objects of a class are stored; those of private classes are taken to be."""
    return not sop_class.startswith(_NOT_STORED)


def has_pixels(sop_class: str) -> bool:
    """Whether objects of a class end with an image; of private classes nobody knows."""
    if not sop_class.startswith(_IMAGES) or sop_class == "1.2.840.10008.5.1.4.1.1.481.1":
        return sop_class == "1.2.840.10008.5.1.4.1.1.481.1"
    segmentation = sop_class in {"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"}
    return segmentation or not any(_is_of(sop_class, each) for each in _NO_IMAGES)


def _is_of(sop_class: str, prefix: str) -> bool:
    return sop_class.startswith(prefix) if prefix.endswith(".") else sop_class == prefix
