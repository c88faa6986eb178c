"""Which patients a resource is about: for the audit trail, not for access control, which asks the compartments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resources.codec import Json


def patients_of(resource: Json) -> tuple[str, ...]:
    """The patient a resource is, or names as its subject, patient or beneficiary: `Patient/1`.

    http://hl7.org/fhir/R4/compartmentdefinition-patient.html
    """
    if resource["resourceType"] == "Patient" and "id" in resource:
        return (f"Patient/{resource['id']}",)
    found = []
    for name in ("subject", "patient", "beneficiary"):
        named = resource.get(name)
        text = named.get("reference") if isinstance(named, dict) else None
        if isinstance(text, str) and text.startswith("Patient/"):
            found.append(text)
    return tuple(found)
