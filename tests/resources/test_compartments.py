"""http://hl7.org/fhir/R4/compartmentdefinition.html"""

from __future__ import annotations

from resources import compartments, search_parameters


def test_the_five_compartments_of_r4() -> None:
    assert set(compartments.compartments()) == {
        "Patient",
        "Encounter",
        "Practitioner",
        "RelatedPerson",
        "Device",
    }
    assert compartments.is_compartment("Patient")
    assert not compartments.is_compartment("Observation")


def test_parameters_that_link_into_a_compartment() -> None:
    assert compartments.parameters("Patient", "Observation") == ("subject", "performer")
    assert compartments.parameters("Patient", "Patient") == ("link",)
    assert compartments.parameters("Patient", "Organization") == ()
    assert compartments.parameters("Encounter", "Encounter") == ()
    assert compartments.parameters("Organization", "Patient") == ()


def test_every_link_is_a_search_parameter() -> None:
    for name, members in compartments.compartments().items():
        for resource_type, codes in members.items():
            for code in codes:
                assert code in search_parameters.parameters(resource_type), (name, resource_type, code)
