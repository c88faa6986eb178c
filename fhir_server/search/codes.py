"""Which codes of a code system belong to something: some of them, or all but some.

http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from resources import terminology


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes `names`, or with `others` all codes but these."""

    names: frozenset[str]
    others: bool = False

    def __or__(self, more: Codes) -> Codes:
        if self.others and more.others:
            return Codes(self.names & more.names, others=True)
        if self.others or more.others:
            whole, some = (self, more) if self.others else (more, self)
            return Codes(whole.names - some.names, others=True)
        return Codes(self.names | more.names)

    def __and__(self, more: Codes) -> Codes:
        return ~(~self | ~more)

    def __sub__(self, less: Codes) -> Codes:
        return self & ~less

    def __invert__(self) -> Codes:
        return Codes(self.names, not self.others)


NONE = Codes(frozenset())
ALL = ~NONE

Members = Mapping[str, Codes]
"""Code system → which of its codes are in a value set"""


def of_r4(url: str) -> Members | None:
    """The codes of a value set of R4; None if it is none, or R4 does not have all of its codes."""
    expansion = terminology.expansion(url)
    if expansion is None:
        return None
    return {system: ALL if some is None else Codes(frozenset(some)) for system, some in expansion.items()}


def either(one: Members, other: Members) -> Members:
    """What is in any of two value sets."""
    return {system: one.get(system, NONE) | other.get(system, NONE) for system in (*one, *other)}


def both(one: Members, other: Members) -> Members:
    """What is in both."""
    return {system: codes & other[system] for system, codes in one.items() if system in other}


def without(one: Members, other: Members) -> Members:
    return {system: codes - other.get(system, NONE) for system, codes in one.items()}


def size(those: Members) -> int:
    """How many codes are named."""
    return sum(len(codes.names) for codes in those.values())
