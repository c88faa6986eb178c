"""References and deletes of their targets at the same time. http://hl7.org/fhir/R4/http.html#delete"""

import asyncio

from tests.rest.conftest import Start
from tests.rest.expecting import observation, patient, refused


async def test_a_conditional_delete_and_a_new_reference_never_both_succeed(start: Start) -> None:
    async with start(referential_integrity=True) as client:
        for n in range(40):
            await client.put(f"Patient/r{n}", json=patient(id=f"r{n}", identifier=[{"value": f"r{n}"}]))
            posts = [
                client.post("Observation", json=observation(subject={"reference": f"Patient/r{n}"}))
                for _ in range(3)
            ]
            deleted, *created = await asyncio.gather(client.delete(f"Patient?identifier=r{n}"), *posts)
            assert not (deleted.status_code == 204 and any(each.status_code == 201 for each in created))


async def test_a_patch_that_adds_a_reference_and_the_delete_of_its_target(start: Start) -> None:
    patch = {"Content-Type": "application/json-patch+json"}
    async with start(referential_integrity=True) as client:
        for n in range(40):
            await client.put(f"Patient/r{n}", json=patient(id=f"r{n}"))
            await client.put(f"Observation/o{n}", json=observation(id=f"o{n}"))
            operations = [{"op": "add", "path": "/subject", "value": {"reference": f"Patient/r{n}"}}]
            patched, deleted = await asyncio.gather(
                client.patch(f"Observation/o{n}", json=operations, headers=patch),
                client.delete(f"Patient/r{n}"),
            )
            assert not (deleted.status_code == 204 and patched.status_code == 200)


async def test_the_same_with_unconditional_writes(start: Start) -> None:
    async with start(referential_integrity=True) as client:
        for n in range(40):
            await client.put(f"Patient/r{n}", json=patient(id=f"r{n}"))
            created, deleted = await asyncio.gather(
                client.post("Observation", json=observation(subject={"reference": f"Patient/r{n}"})),
                client.delete(f"Patient/r{n}"),
            )
            assert not (deleted.status_code == 204 and created.status_code == 201)


async def test_a_reference_that_no_search_parameter_knows_holds_its_target_too(start: Start) -> None:
    async with start(referential_integrity=True) as client:
        await client.put("Patient/p", json=patient(id="p"))
        told = {"url": "http://example.org/relative", "valueReference": {"reference": "Patient/p"}}
        created = await client.post("Observation", json=observation(extension=[told]))
        assert created.status_code == 201
        refused(await client.delete("Patient/p"), 409, says=f"Observation/{created.json()['id']}")
