"""Resources of a compartment: what any of the parameters of its definition links to the patient, encounter and so on.

http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from fhir_server.search.site import Condition
from resources import compartments


def condition(compartment: tuple[str, str], resource_type: str) -> Condition:
    """Documents of a type that are in the compartment (type, id)."""
    owner, logical_id = compartment
    codes = compartments.parameters(owner, resource_type)
    linked: list[Condition] = [{f"s.{code}": f"{owner}/{logical_id}"} for code in codes]
    if resource_type == owner:
        linked.append({"_id": logical_id})
    return linked[0] if len(linked) == 1 else {"$or": linked}
