"""Which patients a resource is about: for the audit trail, not for access control, which asks the compartments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.codec import Json


def patients_of(resource: Json) -> tuple[str, ...]:
    """The patient a resource is, or names as its subject, patient or beneficiary: `Patient/1`.

    http://hl7.org/fhir/R4/compartmentdefinition-patient.html
    """
    if resource["resourceType"] == "Patient" and "id" in resource:
        return (f"Patient/{resource['id']}",)
    named: list[Any] = [resource.get(name) for name in ("subject", "patient", "beneficiary")]
    references = [each.get("reference") for each in named if isinstance(each, dict)]
    return tuple(text for text in references if isinstance(text, str) and text.startswith("Patient/"))
