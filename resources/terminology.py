"""The codes of R4's value sets, and which code of R4's code systems is nested in which; read when first asked for.

http://hl7.org/fhir/R4/terminologies.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from resources import definitions, registry

Expansion = Mapping[str, list[str] | None]
"""Code system → its codes in a value set, None for all of them."""


@cache
def _value_sets() -> Mapping[str, Expansion]:
    found: Mapping[str, Expansion] = definitions.read("value_sets")
    return found


@cache
def _required() -> Mapping[str, str]:
    """Required value sets are bound with their version."""
    return {url.partition("|")[0]: url for url in definitions.read("required_bindings")}


@cache
def _parents() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = definitions.read("hierarchies")
    return found


def expansion(url: str) -> Expansion | None:
    """The codes of a value set of R4 by system; None if it is none, or R4 does not have all of its codes."""
    plain = url.partition("|")[0]
    return _value_sets().get(plain) or registry.systems(_required().get(plain, plain))


def has_hierarchy(system: str) -> bool:
    """Whether R4 has the codes of the system, and nests some in others."""
    return system in _parents()


def parents(system: str) -> Mapping[str, str]:
    """Code → the code it is nested in, for a system that nests any.

    http://hl7.org/fhir/R4/codesystem.html#hierarchy
    """
    return _parents()[system]
