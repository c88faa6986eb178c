"""Required bindings: which codes an element may hold.

http://hl7.org/fhir/R4/terminologies.html#required
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from resources import registry
from resources.primitives import shown


def code_fault(code: Any, value_set: str) -> str | None:
    """Why the code is not in the value set, or None; open value sets (languages, mime types) hold every code."""
    codes = registry.codes(value_set)
    if codes is None or not isinstance(code, str) or code in codes:
        return None
    return f"the code {shown(code)} is not allowed; expected {_choices(code, codes)}"


def concept_fault(concept: Any, value_set: str) -> str | None:
    """Why none of the codings of a CodeableConcept is in the value set, or None. Text alone is accepted."""
    systems = registry.systems(value_set)
    if systems is None or None in systems.values() or not isinstance(concept, dict):
        return None
    codings = concept.get("coding")
    if not isinstance(codings, list) or not codings:
        return None
    if any(_is_in(coding, systems) for coding in codings):
        return None
    expected = "; ".join(f"{system}: {_listed(codes or [])}" for system, codes in systems.items())
    return f"no coding is from the required value set {value_set}; expected one of {expected}"


def _is_in(coding: Any, systems: Any) -> bool:
    if not isinstance(coding, dict) or not isinstance(coding.get("system"), str):
        return False
    code = coding.get("code")
    return isinstance(code, str) and code in (systems.get(coding["system"]) or ())


def _choices(code: str, codes: frozenset[str]) -> str:
    near = get_close_matches(code[:64], sorted(codes), 1)
    return _listed(sorted(codes)) + (f". Did you mean '{near[0]}'?" if near else "")


def _listed(codes: list[str]) -> str:
    return ", ".join(codes[:20]) + (f" and {len(codes) - 20} more" if len(codes) > 20 else "")
