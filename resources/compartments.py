"""The compartments of R4: which search parameters link a resource to a patient, encounter, practitioner and so on.

http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from resources import definitions

OWN = "{def}"
"""Stands in the definitions where a resource is in the compartment because it is the compartment."""


@cache
def compartments() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Compartment type → resource type → codes of the parameters that put it into the compartment."""
    return MappingProxyType(
        {
            name: MappingProxyType(
                {member: tuple(code for code in codes if code != OWN) for member, codes in members.items()}
            )
            for name, members in definitions.read("compartments").items()
        }
    )


def parameters(compartment: str, resource_type: str) -> tuple[str, ...]:
    """The codes of the parameters by which a resource of the type is in the compartment; empty: it never is.

    A resource that is a compartment itself (`is_compartment`) is in it without any parameter.
    """
    return compartments().get(compartment, {}).get(resource_type, ())


def is_compartment(resource_type: str) -> bool:
    """Whether resources of the type have a compartment of their own (Patient, Encounter, Device …)."""
    return resource_type in compartments()
