"""`Practitioner?identifier=…` in place of a reference: which resource is meant.

http://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fhir_server.interactions import preconditions
from fhir_server.system import entries
from resources.outcome import FHIRError, precondition_failed

if TYPE_CHECKING:
    from fhir_server.context import Context
    from fhir_server.store.unit import Unit
    from fhir_server.system.bundle_references import Rewriting


async def resolved_references(ctx: Context, waiting: Mapping[int, Rewriting], unit: Unit) -> dict[str, str]:
    """`Practitioner?identifier=…` → `Practitioner/123` for those of each entry, by position; 412 unless each
    matches exactly one resource.
    """
    resolved: dict[str, str] = {}
    for position, rewriting in waiting.items():
        for reference in sorted(rewriting.conditional.keys() - resolved.keys()):
            resource_type = reference.split("?", 1)[0]
            try:
                found = await preconditions.matches(ctx, unit, resource_type, preconditions.parsed(reference))
                if not found:
                    text = f"The conditional reference '{reference[:200]}' matches nothing"
                    raise precondition_failed(text)
            except FHIRError as fault:
                raise fault.within(f"{entries.where(position)}.resource") from None
            resolved[reference] = f"{resource_type}/{found[0]['_id']}"
    return resolved
